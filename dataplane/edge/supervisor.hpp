// What the service manager that started this process is told (sd_notify(3)): ready, once every worker has run, and
// alive, as long as every worker goes on. Where nobody asks, nothing is told. A worker that stands still is what it is
// for: the manager ends the process, and with it everything that passes.
//
// Threads: one of its own, so that a long install at the door is not taken for a worker that stands.
#pragma once
#include "dataplane/edge/launch.hpp"
#include "dataplane/edge/stats_segment.hpp"

#include <chrono>
#include <stop_token>
#include <thread>
#include <vector>

namespace weir::edge {

class Supervisor {
 public:
  // Tells until it is destroyed.
  Supervisor(const StatsSegment& stats, const OrdinaryCores& ordinary);

 private:
  void tell(const std::stop_token& stop);
  bool all_went_on();

  const StatsSegment& stats_;
  const std::chrono::microseconds patience_;  // zero: nobody waits
  std::vector<u64> seen_;                      // heartbeats, by worker
  std::jthread thread_;
};

}  // namespace weir::edge
