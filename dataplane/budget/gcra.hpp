// The generic cell rate algorithm, virtual scheduling: one word says when the next event is due at the stated rate, and
// an event may come ahead of that by the rate's tolerance. No division, no clock.
// Source: ITU-T I.371, annex A (equivalent to its continuous-state leaky bucket).
#pragma once
#include "dataplane/base/rate.hpp"

#include <algorithm>

namespace weir {

// Later times count as this one, so that no sum below exceeds 64 bits: 570 years of units after 1970.
inline constexpr u64 rate_time_max = u64{1} << 62;
static_assert(rate_tolerance_max + rate_interval_max < rate_time_max);

inline u64 rate_time(Tick now) { return std::min(now, rate_time_max / rate_units_per_tick) * rate_units_per_tick; }

// Whether one more event conforms; if so, it is counted. `due` is 0 at first. `now` in units, never going back.
inline bool conforms(u64& due, u64 now, const Rate& rate) {
  // Further ahead than this rate ever puts it: left by a slower one, of another policy.
  due = std::min(due, now + rate.tolerance + rate.interval);
  if (due > now + rate.tolerance) return false;
  due = std::max(due, now) + rate.interval;
  return true;
}

}  // namespace weir
