#include "dataplane/edge/flow_desk.hpp"

#include "dataplane/flow/idle_times.hpp"

#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <thread>

namespace weir::edge {
namespace {

constexpr auto ask_wait_max = std::chrono::seconds(5);

Refusal refused(const char* sentence) { return {door::Result::refused, "request", sentence}; }

// Of which no write can wait.
bool is_regular(int file) {
  struct stat facts{};
  return fstat(file, &facts) == 0 && S_ISREG(facts.st_mode);
}

bool write_at(int file, std::span<const std::byte> bytes, u64 from) {
  while (!bytes.empty()) {
    const ssize_t wrote = pwrite(file, bytes.data(), bytes.size(), static_cast<off_t>(from));
    if (wrote < 0 && errno == EINTR) continue;
    if (wrote <= 0) return false;
    bytes = bytes.subspan(static_cast<std::size_t>(wrote));
    from += static_cast<u64>(wrote);
  }
  return true;
}

// Since the last packet that counted, by how long such a flow may be idle. A full table forgets earlier.
u32 idle_ms(const door::FlowRow& row, const IdleTimes& idle) {
  const bool is_tcp = row.flow_class() == FlowClass::tcp && row.state < tcp_states_count;
  const Beat full = is_tcp
                        ? idle.of_tcp[row.state]
                        : idle.of_exchange(row.flow_class(), row.state == 0 ? Exchange::one_way : Exchange::both_ways);
  const u32 full_ms = static_cast<u32>(full * beat_us / 1000);
  return full_ms - std::min(full_ms, row.left_ms);
}

}  // namespace

std::expected<void, Refusal> FlowDesk::ask(u32 about) {
  const u64 request = inquiry_.ask(about);
  const auto deadline = std::chrono::steady_clock::now() + ask_wait_max;
  while (!inquiry_.done(request)) {
    if (std::chrono::steady_clock::now() > deadline)
      return std::unexpected(Refusal{door::Result::busy, "", "not every worker has looked through its table yet"});
    std::this_thread::sleep_for(std::chrono::microseconds(50));
  }
  return {};
}

std::expected<FlowDesk::Told, Refusal> FlowDesk::write_flows(int file) {
  if (!is_regular(file)) return std::unexpected(refused("the descriptor is not a regular file"));
  const InstalledPolicy* const policy = installer_.current();
  const IdleTimes idle = policy == nullptr ? IdleTimes() : IdleTimes(policy->policy.tracking().timeout_ms);
  door::FlowsHeader header{};
  header.magic = door::flows_magic;
  header.generation = policy == nullptr ? 0 : policy->generation;
  header.row_bytes = sizeof(door::FlowRow);
  header.ports = static_cast<u32>(std::min<std::size_t>(port_names_.size(), ports_max));
  for (u32 port = 0; port < header.ports; ++port) port_names_[port].copy(header.names[port].text, sizeof(PortName) - 1);
  std::vector<door::FlowRow> rows;
  bool has_more = true;
  for (u32 about = Inquiry::about_flows; has_more && header.rows < door::flow_rows_max;
       about = Inquiry::about_more_flows) {
    if (const auto asked = ask(about); !asked) return std::unexpected(asked.error());
    rows.clear();
    has_more = inquiry_.each_flow([&](door::FlowRow row) {
      row.idle_ms = idle_ms(row, idle);
      rows.push_back(row);
    });
    rows.resize(std::min<u64>(rows.size(), door::flow_rows_max - header.rows));
    if (!write_at(file, std::as_bytes(std::span(rows)), sizeof header + header.rows * sizeof(door::FlowRow)))
      return std::unexpected(refused("the file takes no more"));
    header.rows += rows.size();
  }
  u64 live = 0;
  for (u32 worker = 0; worker < stats_.workers(); ++worker) live += stats_.counters(worker).flows_live.read();
  if (has_more) header.not_shown = live - std::min<u64>(live, header.rows);
  if (!write_at(file, std::as_bytes(std::span(&header, 1)), 0))
    return std::unexpected(refused("the file takes no more"));
  return Told{static_cast<u32>(header.rows), header.not_shown};
}

namespace {

std::expected<void, Refusal> write_policy(int file, const Policy* policy, const char* none) {
  if (!is_regular(file)) return std::unexpected(refused("the descriptor is not a regular file"));
  if (policy == nullptr) return std::unexpected(Refusal{door::Result::refused, "image", none});
  const image::Header* const header = policy->view().header;
  if (!write_at(file, {reinterpret_cast<const std::byte*>(header), header->total_bytes}, 0))
    return std::unexpected(refused("the file takes no more"));
  return {};
}

}  // namespace

std::expected<void, Refusal> FlowDesk::write_image(int file) const {
  const InstalledPolicy* const installed = installer_.current();
  return write_policy(file, installed == nullptr ? nullptr : &installed->policy, "no policy is in force");
}

std::expected<void, Refusal> FlowDesk::write_shadow_image(int file) const {
  return write_policy(file, installer_.shadow_policy(), "there is no shadow");
}

}  // namespace weir::edge
