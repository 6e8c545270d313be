// The judging part of a worker, whatever feeds it: its flow table, its pipeline, and its duties to the door between
// two bursts. It moves no frame.
//
// Threads: made by main, then used by its worker alone.
#pragma once
#include "dataplane/edge/bell.hpp"
#include "dataplane/edge/memory.hpp"
#include "dataplane/edge/stats_segment.hpp"
#include "dataplane/pipeline/burst.hpp"

namespace weir::edge {

struct CoreConfig {
  HashKey secret;
  SipKey cookie_secret;
  u32 workers, self;
  u32 flows;           // capacity of this worker's table
  bool name_segments;  // for decision lines
};

class Core {
 public:
  // What `flow_memory` holds, zeroed: the flow table, and behind it what floods are counted in.
  static std::size_t bytes_needed(u32 flows) { return flood_offset(flows) + Floods::bytes_needed; }

  Core(const CoreConfig& config, Mapping flow_memory, PolicySlot& slot, FlushBell& bell, const StatsSegment& stats)
      : self_(config.self),
        flow_memory_(std::move(flow_memory)),
        slot_(slot),
        bell_(bell),
        counters_(stats.counters(config.self)),
        table_(flow_memory_.bytes(), config.flows),
        floods_(flow_memory_.bytes().subspan(flood_offset(config.flows)), config.secret),
        fragments_(config.secret),
        pipeline_({.secret = config.secret,
                   .cookie_secret = config.cookie_secret,
                   .workers = config.workers,
                   .self = config.self,
                   .events = &stats.events(config.self),
                   .floods = &floods_,
                   .fragments = &fragments_,
                   .name_segments = config.name_segments},
                  table_, counters_) {}

  // The policy for what is judged until the next call. Busy or idle, a worker calls this every round: the door waits
  // for it.
  const InstalledPolicy* begin_round() {
    const InstalledPolicy* policy = slot_.current();
    slot_.announce(self_, policy);
    if (const u64 request = bell_.heard(self_); request != 0) {
      pipeline_.flush();
      bell_.answer(self_, request);
    }
    return policy;
  }

  Pipeline& pipeline() { return pipeline_; }
  WorkerCounters& counters() { return counters_; }
  u32 self() const { return self_; }

 private:
  static std::size_t flood_offset(u32 flows) { return (FlowTable::bytes_needed(flows) + 63) / 64 * 64; }

  const u32 self_;
  Mapping flow_memory_;
  PolicySlot& slot_;
  FlushBell& bell_;
  WorkerCounters& counters_;
  FlowTable table_;
  Floods floods_;
  Reassembly fragments_;
  Pipeline pipeline_;
};

}  // namespace weir::edge
