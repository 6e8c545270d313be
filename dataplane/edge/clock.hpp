// Live time: the wall clock at start plus the TSC's progress, in microseconds. Read once per burst; a wall clock that
// is set later changes nothing, and time never goes back. Captures do not use it: their time is in them.
//
// Threads: each worker has a copy of its own.
#pragma once
#include "dataplane/base/hash.hpp"
#include "dataplane/base/tick.hpp"

#include <rte_cycles.h>
#include <time.h>

namespace weir::edge {

class LiveClock {
 public:
  static LiveClock start() {
    timespec wall{};
    clock_gettime(CLOCK_REALTIME, &wall);
    LiveClock clock;
    clock.first_cycle_ = rte_rdtsc();
    clock.first_tick_ = static_cast<Tick>(wall.tv_sec) * tick_second + static_cast<Tick>(wall.tv_nsec) / 1000;
    clock.ticks_per_cycle_ = static_cast<u64>((static_cast<u128>(tick_second) << 64) / rte_get_tsc_hz());
    return clock;
  }

  Tick now() {
    const u64 cycle = rte_rdtsc();
    if (static_cast<std::int64_t>(cycle - first_cycle_) < 0) return last_;  // cores disagree by a few cycles
    const u128 progress = (static_cast<u128>(cycle - first_cycle_) * ticks_per_cycle_) >> 64;
    const Tick tick = first_tick_ + static_cast<Tick>(progress);
    return last_ = tick > last_ ? tick : last_;
  }
  Tick started() const { return first_tick_; }

 private:
  u64 first_cycle_ = 0;
  Tick first_tick_ = 0;
  u64 ticks_per_cycle_ = 0;  // a fraction of 2^64
  Tick last_ = 0;
};

}  // namespace weir::edge
