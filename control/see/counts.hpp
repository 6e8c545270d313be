// The counters of all workers at one moment, and what changed between two. The rows of the table are what counters,
// metrics and top have in common: one name, one unit and one sentence for each counter.
#pragma once
#include "control/see/segment.hpp"

#include <array>
#include <chrono>
#include <vector>

namespace weir::see {

struct CounterRow {
  std::string_view name;
  Counter WorkerCounters::* counter;
  bool is_gauge;
  std::string_view sentence;
};
inline constexpr CounterRow counter_rows[] = {
    {"received", &WorkerCounters::received, false, "packets taken in"},
    {"handed_over", &WorkerCounters::handed_over, false, "packets given to the worker that owns their flow"},
    {"unsent", &WorkerCounters::unsent, false, "frames that were allowed but that their port did not take"},
    {"bursts", &WorkerCounters::bursts, false, "bursts of packets"},
    {"flows_live", &WorkerCounters::flows_live, true, "flows that are remembered now"},
    {"flows_opened", &WorkerCounters::flows_opened, false, "flows that began"},
    {"flows_expired", &WorkerCounters::flows_expired, false, "flows that ended or were idle too long"},
    {"slept_us", &WorkerCounters::slept_us, false, "microseconds asleep, of a worker that sleeps when idle"},
    {"flows_judged_again", &WorkerCounters::flows_judged_again, false, "flows judged again after a change of policy"},
    {"flows_revoked", &WorkerCounters::flows_revoked, false, "flows that were allowed before and are denied now"},
    {"sweep_judged", &WorkerCounters::sweep_judged, false, "flows judged again by the sweep, not by their packets"},
    {"sweep_us", &WorkerCounters::sweep_us, true, "microseconds from the last change until all flows were judged"},
    {"scans_detected", &WorkerCounters::scans_detected, false, "sources recognised as scanners"},
    {"evicted_over", &WorkerCounters::evicted_over, false, "finished flows that made room in a full table"},
    {"evicted_half_open", &WorkerCounters::evicted_half_open, false, "half-open flows that made room in a full table"},
    {"evicted_one_way", &WorkerCounters::evicted_one_way, false, "flows heard one way that made room in a full table"},
    {"evicted_idle", &WorkerCounters::evicted_idle, false, "idle flows that made room in a full table"},
    {"rdma_alarms", &WorkerCounters::rdma_alarms, false, "alarms of RDMA"},
    {"job_alarms", &WorkerCounters::job_alarms, false, "alarms of jobs"},
    {"limits_watched", &WorkerCounters::limits_watched, false, "what a limit in monitor mode let pass beyond it"},
    {"shadow_compared", &WorkerCounters::shadow_compared, false, "questions that the shadow policy was asked as well"},
    {"shadow_would_pass", &WorkerCounters::shadow_would_pass, false, "of them: denied, and the shadow allows it"},
    {"shadow_would_deny", &WorkerCounters::shadow_would_deny, false, "of them: allowed, and the shadow denies it"},
    {"shadow_untold", &WorkerCounters::shadow_untold, false, "of these two: without an event of their own"},
};
inline constexpr std::size_t counter_count = std::size(counter_rows);

enum class Row : u32 { received, handed_over, unsent, bursts, flows_live, flows_opened, flows_expired, slept_us };

struct Amount {
  u64 packets = 0, bytes = 0;
};

struct WorkerCounts {
  std::array<u64, counter_count> values{};  // by counter_rows
  std::array<Amount, reasons_count> reasons{};
  u64 heartbeat_us = 0;                      // tick last processed
  u64 events_told = 0, events_lost = 0, events_waiting = 0;
  u64 of(Row row) const { return values[static_cast<u32>(row)]; }
};

struct Counts {
  std::chrono::steady_clock::time_point taken;
  u64 generation = 0;
  std::vector<WorkerCounts> workers;

  WorkerCounts sum() const;
};

// Each counter is read once; two of them may be a packet apart.
Counts read_counts(const StatsFile& stats);

// What was counted from `before` to `after`, which must be of one segment: gauges as they are at the end. A counter
// that stands lower than before counts as nothing.
Counts between(const Counts& before, const Counts& after);
inline double seconds_between(const Counts& before, const Counts& after) {
  return std::chrono::duration<double>(after.taken - before.taken).count();
}

// Reasons that were met, most packets first; `verdicts` as reason_rows has them.
struct Met {
  Reason reason;
  Amount amount;
};
std::vector<Met> met_reasons(const WorkerCounts& counts, bool drops_only);

}  // namespace weir::see
