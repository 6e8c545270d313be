#include "dataplane/edge/stats_segment.hpp"

#include "dataplane/share/door.hpp"

#include <fmt/format.h>

#include <chrono>
#include <memory>
#include <new>

namespace weir::edge {
namespace {

constexpr std::size_t header_room = 192;  // keeps the slabs on cache lines of their own
static_assert(sizeof(StatsHeader) <= header_room);

}  // namespace

u64 wall_us() {
  const auto now = std::chrono::system_clock::now().time_since_epoch();
  return static_cast<u64>(std::chrono::duration_cast<std::chrono::microseconds>(now).count());
}

std::expected<StatsSegment, Error> StatsSegment::make(const std::string& path, u32 workers,
                                                      const std::vector<std::string>& port_names) {
  static_assert(sizeof(PortName) == 64);
  const std::size_t slabs = header_room + port_names.size() * sizeof(PortName);
  const std::size_t rings = slabs + workers * sizeof(WorkerCounters);
  const std::size_t banks = rings + workers * sizeof(EventRing);
  // Mostly address space: a page of it is used once one of its rules is hit.
  const u64 bank_rows = path.empty() ? 0 : hits_rows(decisions_max, workers);
  const std::size_t bytes = banks + rule_banks * bank_rows * sizeof(RuleHits);
  auto memory = path.empty() ? Mapping::anonymous(bytes) : Mapping::file(path, bytes);
  if (!memory) return std::unexpected(memory.error());
  StatsSegment segment;
  segment.memory_ = std::move(*memory);
  std::byte* base = segment.memory_.bytes().data();
  segment.counters_ = reinterpret_cast<WorkerCounters*>(base + slabs);
  segment.events_ = reinterpret_cast<EventRing*>(base + rings);
  segment.banks_ = reinterpret_cast<RuleHits*>(base + banks);
  segment.bank_rows_ = bank_rows;
  for (u32 worker = 0; worker < workers; ++worker) {
    new (&segment.counters_[worker]) WorkerCounters;
    new (&segment.events_[worker]) EventRing;
  }
  segment.header_ = new (base) StatsHeader{.magic = 0,
                                           .workers = workers,
                                           .reasons = static_cast<u32>(reasons_count),
                                           .slab_bytes = sizeof(WorkerCounters),
                                           .slabs_offset = static_cast<u32>(slabs),
                                           .rings_offset = static_cast<u32>(rings),
                                           .ring_bytes = sizeof(EventRing),
                                           .generation = {},
                                           .reasons_table = door::reasons_table_value,
                                           .ports = static_cast<u32>(port_names.size()),
                                           .ports_offset = header_room,
                                           .banks_offset = bank_rows == 0 ? 0 : banks,
                                           .bank_bytes = bank_rows * sizeof(RuleHits),
                                           .began_us = wall_us(),
                                           .links_down = {}};
  auto* const names = reinterpret_cast<PortName*>(base + header_room);
  for (std::size_t port = 0; port < port_names.size(); ++port)
    port_names[port].copy(names[port].text, sizeof(PortName::text) - 1);
  // The magic is what a reader looks for first: it stands when all else does.
  std::atomic_ref<u64>(segment.header_->magic).store(StatsHeader::magic_value, std::memory_order_release);
  return segment;
}

std::string StatsSegment::links_down() const {
  const u64 down = header_->links_down.read();
  const auto* const names = reinterpret_cast<const PortName*>(memory_.bytes().data() + header_->ports_offset);
  std::string text;
  for (u32 port = 0; port < header_->ports; ++port)
    if ((down >> port & 1) != 0) text += (text.empty() ? "" : ", ") + std::string(names[port].text);
  return text;
}

std::string StatsSegment::summary() const {
  u64 received = 0, handed_over = 0, unsent = 0;
  for (u32 worker = 0; worker < workers(); ++worker) {
    received += counters_[worker].received.read();
    handed_over += counters_[worker].handed_over.read();
    unsent += counters_[worker].unsent.read();
  }
  std::string text = fmt::format("{} packets, generation {}\n", received - handed_over, header_->generation.read());
  for (std::size_t reason = 0; reason < reasons_count; ++reason) {
    u64 packets = 0, bytes = 0;
    for (u32 worker = 0; worker < workers(); ++worker) {
      packets += counters_[worker].reasons[reason].packets.read();
      bytes += counters_[worker].reasons[reason].bytes.read();
    }
    if (packets != 0)
      text += fmt::format("  {:<8} {:<20} {:>12} packets {:>15} bytes\n", verdict_name(reason_rows[reason].verdict),
                          reason_rows[reason].name, packets, bytes);
  }
  if (handed_over != 0) text += fmt::format("  {} packets went from one worker to another\n", handed_over);
  if (unsent != 0) text += fmt::format("  {} frames were allowed but their port did not take them\n", unsent);
  return text;
}

}  // namespace weir::edge
