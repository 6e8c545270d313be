// How long whoever changes a policy waits for those who read it, and how: first hot and then easily.
#pragma once
#include "dataplane/base/bytes.hpp"

#include <sched.h>

#include <chrono>
#include <thread>

namespace weir::edge {

using Steady = std::chrono::steady_clock;
inline constexpr auto announce_wait_max = std::chrono::seconds(5);
inline constexpr auto readers_wait_max = std::chrono::seconds(5);

// Until `done` or the time is up; returns whether it came.
template <class Condition>
bool wait_until(Steady::time_point deadline, const Condition& done) {
  for (u32 looks = 0; !done(); ++looks) {
    if (looks < 1000) {
      sched_yield();
      continue;
    }
    if (Steady::now() > deadline) return false;
    std::this_thread::sleep_for(std::chrono::microseconds(20));
  }
  return true;
}

}  // namespace weir::edge
