// How often something may happen, as the compiler states it and GCRA (dataplane/budget/gcra.hpp) keeps it: two lengths
// of time, so that the packet path divides nothing. Invariants: within the two bounds below, so that no sum of a time
// and a rate exceeds 64 bits.
#pragma once
#include "dataplane/base/tick.hpp"

namespace weir {

// Of a microsecond: a million a second is then still exact to 0.4 percent.
inline constexpr u64 rate_units_per_tick = 256;
inline constexpr u64 rate_units_per_second = rate_units_per_tick * tick_second;

struct Rate {
  u64 interval;   // units between two events at the stated rate, rounded up; 0: no limit
  u64 tolerance;  // how far ahead of that they may run: (burst - 1) intervals
  bool limits() const { return interval != 0; }
};
inline constexpr u64 rate_interval_max = 86'400 * rate_units_per_second;         // one a day
inline constexpr u64 rate_tolerance_max = 30 * 86'400 * rate_units_per_second;   // thirty days' worth at once

}  // namespace weir
