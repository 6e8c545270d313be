#include "control/see/door_view.hpp"

#include "dataplane/flow/queue_pair.hpp"
#include "dataplane/flow/tcp.hpp"

#include <fmt/format.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

namespace weir::see {
namespace {

using control::DoorFailure;
using Kind = DoorFailure::Kind;

DoorFailure other_version() { return {Kind::unreachable, "the answer is not one of this version of the door"}; }

// A file of our own that the dataplane has written for this act.
std::expected<Descriptor, DoorFailure> written_by(control::Door& door, door::Act act) {
  Descriptor file(memfd_create("weir-view", MFD_CLOEXEC));
  if (file.get() < 0)
    return std::unexpected(DoorFailure{Kind::usage, fmt::format("no memory for an answer: {}", strerror(errno))});
  const auto request = control::door_request(act);
  if (!request) return std::unexpected(request.error());
  const int descriptor = file.get();
  const auto told = door.ask(*request, {&descriptor, 1});
  if (!told) return std::unexpected(told.error());
  if (!told->is_done()) return std::unexpected(DoorFailure{Kind::unreachable, control::refusal_text(told->answer)});
  return file;
}

bool read_at(int file, void* into, std::size_t bytes, std::size_t from) {
  for (auto* at = static_cast<char*>(into); bytes != 0;) {
    const ssize_t got = pread(file, at, bytes, static_cast<off_t>(from));
    if (got < 0 && errno == EINTR) continue;
    if (got <= 0) return false;
    at += got, from += static_cast<std::size_t>(got), bytes -= static_cast<std::size_t>(got);
  }
  return true;
}

}  // namespace

std::expected<Flows, DoorFailure> ask_flows(control::Door& door) {
  const auto file = written_by(door, door::Act::flows);
  if (!file) return std::unexpected(file.error());
  return read_flows(file->get());
}

std::expected<Flows, DoorFailure> read_flows(int file) {
  door::FlowsHeader header;
  struct stat facts{};
  const bool sound = fstat(file, &facts) == 0 && read_at(file, &header, sizeof header, 0) &&
                     header.magic == door::flows_magic && header.row_bytes == sizeof(door::FlowRow) &&
                     header.rows <= door::flow_rows_max && header.ports <= ports_max &&
                     static_cast<u64>(facts.st_size) >= sizeof header + header.rows * sizeof(door::FlowRow);
  if (!sound) return std::unexpected(other_version());
  Flows flows{header.generation, header.not_shown, {}, std::vector<door::FlowRow>(header.rows)};
  for (u32 port = 0; port < header.ports; ++port)
    flows.port_names.push_back(control::door_text(header.names[port].text));
  if (!read_at(file, flows.rows.data(), header.rows * sizeof(door::FlowRow), sizeof header))
    return std::unexpected(other_version());
  return flows;
}

std::expected<std::unique_ptr<PolicyNames>, DoorFailure> ask_names(control::Door& door,
                                                                   const std::vector<std::string>& port_names,
                                                                   Names::Whose whose) {
  const bool of_shadow = whose == Names::Whose::shadow;
  const auto file = written_by(door, of_shadow ? door::Act::shadow_image : door::Act::image);
  if (!file) return std::unexpected(file.error());
  auto names = PolicyNames::read(fmt::format("/proc/self/fd/{}", file->get()), port_names);
  if (!names) return std::unexpected(DoorFailure{Kind::unreachable, names.error()});
  return std::move(*names);
}

std::unique_ptr<PolicyNames> names_of(control::Door& door, const Flows& flows) {
  if (flows.generation == 0) return nullptr;
  auto names = ask_names(door, flows.port_names);
  return names && (*names)->generation() == flows.generation ? std::move(*names) : nullptr;
}

Address source_of(const door::FlowRow& row) { return {row.source[0], row.source[1]}; }
Address target_of(const door::FlowRow& row) { return {row.target[0], row.target[1]}; }

std::string_view state_name(const door::FlowRow& row) {
  constexpr std::string_view pairs[] = {"announced", "open", "closed"};
  if (row.flow_class() == FlowClass::tcp)
    return row.state < tcp_states_count ? tcp_state_name(static_cast<TcpState>(row.state)) : "unknown";
  if (row.flow_class() == FlowClass::rdma) return row.state < std::size(pairs) ? pairs[row.state] : "unknown";
  return row.state == 0 ? "one_way" : "both_ways";
}

Facts facts_of(const door::FlowRow& row, const PolicyNames* names) {
  Facts facts{source_of(row), target_of(row), row.source_port, row.target_port, row.protocol, {}, {}, {}, {}, {}};
  if (names == nullptr) return facts;
  const auto [from, to] = names->segments(facts.source, facts.target, row.port, row.place());
  facts.from = from, facts.to = to;
  if (row.rule < names->policy().rules_count()) facts.rule = names->policy().rule(row.rule).name;
  return facts;
}

}  // namespace weir::see
