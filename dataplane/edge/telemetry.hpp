// What DPDK's own telemetry socket tells of Weir, beside what it tells of ports and memory: /weir/reasons, packets and
// bytes by reason over all workers; /weir/workers, which there are; /weir/workers,N, what one has counted. It reads
// counters and changes nothing. Where EAL was started with --no-telemetry nobody asks.
//
// Threads: made and destroyed by main; EAL's telemetry threads ask in between.
#pragma once
#include "dataplane/edge/stats_segment.hpp"

namespace weir::edge {

class Telemetry {
 public:
  explicit Telemetry(const StatsSegment& stats);
  ~Telemetry();
  Telemetry(const Telemetry&) = delete;
};

}  // namespace weir::edge
