// Budget time: microseconds that have certainly gone by since the ledger began. Two clocks are read, the kernel's
// CLOCK_BOOTTIME and a steady one beside it (the TSC); the slower of them wins, a step back counts as nothing, and so
// does everything between two boots. It asks no clock itself, and never the wall clock.
//
// Invariant: between any two events, budget time advances by no more than real time does, as long as at any moment at
// least one of the two clocks is right. Threads: one.
#pragma once
#include "dataplane/base/bytes.hpp"

#include <algorithm>

namespace weir {

using BudgetTime = u64;  // microseconds; far below 2^63

struct ClockReading {
  u64 boot[2] = {};  // the boot's identity: readings of different boots are not comparable
  u64 boottime_us = 0, steady_us = 0;
  bool same_boot(const ClockReading& other) const { return boot[0] == other.boot[0] && boot[1] == other.boot[1]; }
  bool operator==(const ClockReading&) const = default;
};

class BudgetClock {
 public:
  BudgetClock() = default;
  // It was `now` when the clocks read `at`.
  BudgetClock(BudgetTime now, const ClockReading& at) : now_(now), base_now_(now), base_(at) {}

  BudgetTime now() const { return now_; }

  BudgetTime advance(const ClockReading& reading) {
    const bool comparable =
        reading.same_boot(base_) && reading.boottime_us >= base_.boottime_us && reading.steady_us >= base_.steady_us;
    if (!comparable) return start_again(reading);
    const u64 boottime_us = reading.boottime_us - base_.boottime_us, steady_us = reading.steady_us - base_.steady_us;
    const u64 elapsed_us = std::min(boottime_us, steady_us);
    now_ = std::max(now_, base_now_ + elapsed_us);
    // From a base, and not reading by reading, so that rounding does not add up; but a disagreement is forgotten at
    // once, so that two clocks that step at different moments do not add up to a step.
    const bool disagree = std::max(boottime_us, steady_us) - elapsed_us > disagreement_us;
    return disagree || elapsed_us >= base_age_us ? start_again(reading) : now_;
  }

 private:
  static constexpr u64 disagreement_us = 100, base_age_us = 1'000'000;

  BudgetTime start_again(const ClockReading& reading) {
    base_ = reading;
    return base_now_ = now_;
  }

  BudgetTime now_ = 0, base_now_ = 0;
  ClockReading base_;
};

}  // namespace weir
