// Bounds of every field: what the engine computes from them (sums of times, table sizes, indices) relies on no other.
#include "dataplane/policy/check_tracking.hpp"

#include "dataplane/base/timeouts.hpp"
#include "dataplane/policy/policy.hpp"

namespace weir::image {

namespace {

bool holds(const Rate& rate) {
  if (!rate.limits()) return rate.tolerance == 0;
  return rate.interval <= rate_interval_max && rate.tolerance <= rate_tolerance_max;
}

std::string_view check_timeouts(const Tracking& row) {
  for (u32 i = 0; i < timeout_slots; ++i) {
    const bool is_named = i < timeouts_count;
    if (!is_named && row.timeout_ms[i] != 0) return "has a timeout that no flow has";
    if (is_named && (row.timeout_ms[i] < timeout_ms_min || row.timeout_ms[i] > timeout_ms_max))
      return "has a timeout that a deadline cannot express";
  }
  return {};
}

std::string_view check_reserves(const Tracking& row, u64 segments) {
  u32 sum = 0;
  for (u32 i = 0; i < reserve_classes; ++i) {
    const bool is_there = row.reserve_share[i] != 0;
    sum += row.reserve_share[i];
    if (i == 0 && is_there) return "gives a reserve to everybody";
    if (is_there ? row.reserve_segment[i] >= segments : row.reserve_segment[i] != no_segment)
      return "has a reserve of no segment";
    if (i > 1 && is_there && row.reserve_share[i - 1] == 0) return "has a gap among the reserves";
  }
  return sum > reserve_whole ? "reserves more than the whole table" : std::string_view{};
}

}  // namespace

static_assert(timeouts_count <= timeout_slots);

std::string_view check_tracking(const View& view) {
  if (view.tracking.size() != 1) return "is not exactly one element";
  const Tracking& row = view.tracking[0];
  for (const Rate* rate : {&row.new_per_source, &row.new_per_target, &row.icmp, &row.reject})
    if (!holds(*rate)) return "has a rate that cannot be kept";
  if (row.scan_window_ms < scan_window_ms_min || row.scan_window_ms > scan_window_ms_max)
    return "has a scan window out of bounds";
  if (row.scan_block_ms > scan_block_ms_max) return "blocks for too long";
  if (row.scan_ports > scan_count_max || row.scan_hosts > scan_count_max) return "counts scans too far";
  if (row.sweep_ms < sweep_ms_min || row.sweep_ms > sweep_ms_max) return "has a sweep out of bounds";
  if (const auto wrong = check_timeouts(row); !wrong.empty()) return wrong;
  if (const auto wrong = check_reserves(row, view.segments.size()); !wrong.empty()) return wrong;
  if (row.profile > static_cast<u8>(Profile::loose) || row.pick_up > 1) return "has a profile that does not exist";
  if (row.checksums > static_cast<u8>(Checksums::trust) || row.fragments > static_cast<u8>(Fragments::drop))
    return "has a word that does not exist";
  if (row.syn_proxy > static_cast<u8>(SynProxy::always)) return "has a word that does not exist";
  for (const u8 zero : row.zero)
    if (zero != 0) return "has a reserved field that is not zero";
  return {};
}

std::string_view check_zone_facts(std::span<const ZoneFacts> facts, u32 zones, u8 reject_max, const View& view) {
  const auto tracking = view.tracking;
  const u64 jobs = view.jobs.size() >= 64 ? ~u64{0} : (u64{1} << view.jobs.size()) - 1;
  if (facts.size() != zones) return "does not have one element for each zone";
  if (tracking.size() != 1) return "has no row of tracking beside it";
  for (const ZoneFacts& fact : facts) {
    if (fact.reserve >= reserve_classes) return "names a reserve that is not there";
    if (fact.reserve != 0 && tracking[0].reserve_share[fact.reserve] == 0) return "names a reserve that is not there";
    if (fact.reject > reject_max) return "has a flag that does not exist";
    if (fact.zero != 0) return "has a reserved field that is not zero";
    if ((fact.jobs & ~jobs) != 0) return "names a job that is not there";
  }
  return {};
}

}  // namespace weir::image
