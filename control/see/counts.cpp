#include "control/see/counts.hpp"

#include <algorithm>

namespace weir::see {
namespace {

u64 since(u64 before, u64 after) { return after - std::min(before, after); }

}  // namespace

Counts read_counts(const StatsFile& stats) {
  Counts counts{std::chrono::steady_clock::now(), stats.generation(), {}};
  for (u32 worker = 0; worker < stats.workers(); ++worker) {
    const WorkerCounters& slab = stats.counters(worker);
    WorkerCounts& one = counts.workers.emplace_back();
    for (std::size_t row = 0; row < counter_count; ++row) one.values[row] = (slab.*counter_rows[row].counter).read();
    for (std::size_t reason = 0; reason < reasons_count; ++reason)
      one.reasons[reason] = {slab.reasons[reason].packets.read(), slab.reasons[reason].bytes.read()};
    one.heartbeat_us = slab.heartbeat.read();
    const EventRing& ring = stats.events(worker);
    one.events_told = ring.pushed(), one.events_lost = ring.lost(), one.events_waiting = ring.waiting();
  }
  return counts;
}

WorkerCounts Counts::sum() const {
  WorkerCounts total;
  for (const WorkerCounts& worker : workers) {
    for (std::size_t row = 0; row < counter_count; ++row) total.values[row] += worker.values[row];
    for (std::size_t reason = 0; reason < reasons_count; ++reason) {
      total.reasons[reason].packets += worker.reasons[reason].packets;
      total.reasons[reason].bytes += worker.reasons[reason].bytes;
    }
    total.heartbeat_us = std::max(total.heartbeat_us, worker.heartbeat_us);
    total.events_told += worker.events_told;
    total.events_lost += worker.events_lost;
    total.events_waiting += worker.events_waiting;
  }
  return total;
}

Counts between(const Counts& before, const Counts& after) {
  Counts counts = after;
  for (std::size_t worker = 0; worker < std::min(before.workers.size(), after.workers.size()); ++worker) {
    const WorkerCounts& old = before.workers[worker];
    WorkerCounts& now = counts.workers[worker];
    for (std::size_t row = 0; row < counter_count; ++row)
      if (!counter_rows[row].is_gauge) now.values[row] = since(old.values[row], now.values[row]);
    for (std::size_t reason = 0; reason < reasons_count; ++reason)
      now.reasons[reason] = {since(old.reasons[reason].packets, now.reasons[reason].packets),
                             since(old.reasons[reason].bytes, now.reasons[reason].bytes)};
    now.heartbeat_us = since(old.heartbeat_us, now.heartbeat_us);
    now.events_told = since(old.events_told, now.events_told);
    now.events_lost = since(old.events_lost, now.events_lost);
  }
  return counts;
}

std::vector<Met> met_reasons(const WorkerCounts& counts, bool drops_only) {
  std::vector<Met> met;
  for (std::size_t reason = 0; reason < reasons_count; ++reason)
    if (counts.reasons[reason].packets != 0 && (!drops_only || reason_rows[reason].verdict == Verdict::drop))
      met.push_back({static_cast<Reason>(reason), counts.reasons[reason]});
  std::ranges::stable_sort(met, std::greater(), [](const Met& one) { return one.amount.packets; });
  return met;
}

}  // namespace weir::see
