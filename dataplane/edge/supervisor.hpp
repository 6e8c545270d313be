// What the service manager that started this process is told (sd_notify(3)): ready, once every worker has run, and
// alive, as long as every worker goes on. Where nobody asks, nothing is told. A worker that stands still is what it is
// for: the manager ends the process, and with it everything that passes.
//
// Threads: one, the door's.
#pragma once
#include "dataplane/edge/stats_segment.hpp"

#include <chrono>
#include <vector>

namespace weir::edge {

class Supervisor {
 public:
  explicit Supervisor(const StatsSegment& stats);

  // Again and again, several times within the manager's patience.
  void attend();

 private:
  using Time = std::chrono::steady_clock::time_point;
  bool all_went_on();

  const StatsSegment& stats_;
  const std::chrono::microseconds patience_;  // zero: nobody waits
  std::vector<u64> seen_;                      // heartbeats, by worker
  bool is_ready_ = false;
  Time next_{};
};

}  // namespace weir::edge
