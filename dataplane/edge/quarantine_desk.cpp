#include "dataplane/edge/quarantine_desk.hpp"

#include "dataplane/packet/numbers.hpp"

#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <vector>

namespace weir::edge {
namespace {

constexpr u64 held_ms_max = u64{366} * 86'400'000;

Refusal refused(std::string sentence) { return {door::Result::refused, "quarantine", std::move(sentence)}; }

std::expected<void, Refusal> check_regular(int file) {
  struct stat facts{};
  if (fstat(file, &facts) == 0 && S_ISREG(facts.st_mode)) return {};
  return std::unexpected(refused("the descriptor is not a regular file"));
}

// One row, which must hold to its form.
std::expected<Held, Refusal> held_in(int file, Tick now) {
  if (auto regular = check_regular(file); !regular) return std::unexpected(regular.error());
  door::QuarantineRow row{};
  if (pread(file, &row, sizeof row, 0) != ssize_t{sizeof row} || row.magic != door::quarantine_magic)
    return std::unexpected(refused("the file holds no host and no flow"));
  return held_of(row, now);
}

door::QuarantineRow row_of(const Held& held, Tick now) {
  door::QuarantineRow row{};
  row.magic = door::quarantine_magic;
  row.source[0] = held.a.high, row.source[1] = held.a.low;
  row.target[0] = held.b.high, row.target[1] = held.b.low;
  if (held.is_host) return row;
  row.source_port = swap(held.a_number), row.target_port = swap(held.b_number);
  row.protocol = held.flow_class == FlowClass::tcp   ? protocol_tcp
                 : held.flow_class == FlowClass::udp ? protocol_udp
                                                     : protocol_sctp;
  if (held.until != 0) row.left_ms = std::max<u64>((held.until - std::min(now, held.until)) / 1000, 1);
  return row;
}

}  // namespace

std::expected<Held, Refusal> held_of(const door::QuarantineRow& row, Tick now) {
  const Address source{row.source[0], row.source[1]}, target{row.target[0], row.target[1]};
  if (row.left_ms > held_ms_max) return std::unexpected(refused("at most for 366 days"));
  if (row.protocol == 0) {
    if (source != target || row.source_port != 0 || row.target_port != 0)
      return std::unexpected(refused("a host has one address and no port"));
    if (row.left_ms != 0) return std::unexpected(refused("a host stays until it is let go"));
    return Held::host(source);
  }
  const bool is_known = row.protocol == protocol_tcp || row.protocol == protocol_udp || row.protocol == protocol_sctp;
  if (!is_known || source.is_ipv4() != target.is_ipv4() || source == target)
    return std::unexpected(refused("a flow is TCP, UDP or SCTP between two addresses of one family"));
  const FlowClass flow_class = row.protocol == protocol_tcp   ? FlowClass::tcp
                               : row.protocol == protocol_udp ? FlowClass::udp
                                                              : FlowClass::sctp;
  bool swapped;
  const FlowKey key = make_key(source, swap(row.source_port), target, swap(row.target_port),
                               FlowKey::scope_of(flow_class, 0, 0), swapped);
  return Held::flow(key, row.left_ms == 0 ? 0 : now + row.left_ms * 1000);
}

std::vector<door::QuarantineRow> rows_of(const QuarantineList& list, Tick now) {
  std::vector<door::QuarantineRow> rows;
  list.each(now, [&](const Held& held) { rows.push_back(row_of(held, now)); });
  return rows;
}

// The time that packets are judged by, which in captures is theirs.
Tick QuarantineDesk::now() const {
  Tick latest = 0;
  for (u32 worker = 0; worker < stats_.workers(); ++worker)
    latest = std::max(latest, stats_.counters(worker).heartbeat.read());
  return latest;
}

std::expected<void, Refusal> QuarantineDesk::put(int file) {
  const auto held = held_in(file, now());
  if (!held) return std::unexpected(held.error());
  if (quarantine_.list().put(*held, now())) return {};
  return std::unexpected(refused(fmt::format("{} hosts and flows are in quarantine: let one go first",
                                             QuarantineList::places)));
}

std::expected<void, Refusal> QuarantineDesk::let_go(int file) {
  const auto held = held_in(file, now());
  if (!held) return std::unexpected(held.error());
  if (quarantine_.list().let_go(*held)) return {};
  return std::unexpected(refused("this is not in quarantine"));
}

std::expected<u32, Refusal> QuarantineDesk::write_rows(int file) const {
  if (auto regular = check_regular(file); !regular) return std::unexpected(regular.error());
  const std::vector<door::QuarantineRow> rows = rows_of(quarantine_.list(), now());
  const std::size_t bytes = rows.size() * sizeof rows[0];
  if (pwrite(file, rows.data(), bytes, 0) != static_cast<ssize_t>(bytes))
    return std::unexpected(refused("the file takes no more"));
  return static_cast<u32>(rows.size());
}

std::string QuarantineDesk::summary() const {
  u32 hosts = 0, flows = 0;
  quarantine_.list().each(now(), [&](const Held& held) { ++(held.is_host ? hosts : flows); });
  const auto counted = [](u32 count, const char* what) {
    return count == 0 ? std::string() : fmt::format("{} {}{}", count, what, count == 1 ? "" : "s");
  };
  const std::string of_hosts = counted(hosts, "host"), of_flows = counted(flows, "flow");
  return of_hosts + (of_hosts.empty() || of_flows.empty() ? "" : ", ") + of_flows;
}

}  // namespace weir::edge
