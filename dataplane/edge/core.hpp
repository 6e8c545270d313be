// The judging part of a worker, whatever feeds it: its flow table, what it charges with, its pipeline, and its duties
// to the door and to the keeper of accounts between two bursts. It moves no frame.
//
// Threads: made by main, then used by its worker alone.
#pragma once
#include "dataplane/edge/bell.hpp"
#include "dataplane/edge/classroom.hpp"
#include "dataplane/edge/inquiry.hpp"
#include "dataplane/edge/keeper_line.hpp"
#include "dataplane/edge/memory.hpp"
#include "dataplane/edge/stats_segment.hpp"
#include "dataplane/pipeline/charging.hpp"
#include "dataplane/pipeline/dns_limits.hpp"

namespace weir::edge {

struct CoreConfig {
  HashKey secret;
  SipKey cookie_secret;
  u32 workers, self;
  u32 flows;           // capacity of this worker's table
  bool name_segments;  // for decision lines
  LimitCells* limits;  // of all workers
  Classroom* classroom = nullptr;  // of all workers
  Inquiry* inquiry = nullptr;      // likewise
  InspectorSize inspects;  // how many flows
  WatchShare inspect_share;
  Quarantine* quarantine = nullptr;  // of all workers
  EvidenceRing* evidence = nullptr;  // of this one
  MirrorRing* mirror = nullptr;      // likewise
  Lender lender = {};  // of captures, whose time stands still while it lends
};

class Core {
 public:
  // What the memory of flows holds, zeroed: the flow table, and behind it what floods are counted in, what RDMA
  // needs and what DNS is counted in.
  static std::size_t bytes_needed(u32 flows) { return dns_offset(flows) + DnsLimits::bytes_needed; }

  // And the memory of what it charges with: address space, touched where flows are charged.
  static std::size_t charging_bytes_needed(u32 flows) { return Charging::bytes_needed(flows); }

  // And the memory of what it inspects with, likewise.
  static std::size_t inspecting_bytes_needed(const InspectorSize& size) { return Inspector::bytes_needed(size); }

  struct Memory {
    Mapping flows, charging, inspecting;
  };

  Core(const CoreConfig& config, Memory memory, PolicySlot& slot, FlushBell& bell, const StatsSegment& stats)
      : self_(config.self),
        memory_(std::move(memory)),
        slot_(slot),
        bell_(bell),
        classroom_(config.classroom),
        inquiry_(config.inquiry),
        counters_(stats.counters(config.self)),
        table_(memory_.flows.bytes(), config.flows),
        floods_(memory_.flows.bytes().subspan(flood_offset(config.flows)), config.secret),
        rdma_(memory_.flows.bytes().subspan(rdma_offset(config.flows)), config.secret),
        dns_(memory_.flows.bytes().subspan(dns_offset(config.flows)), config.secret),
        fragments_(config.secret),
        charging_(memory_.charging.bytes(), config.flows, *config.limits, config.secret, config.lender),
        inspector_(memory_.inspecting.bytes(), config.inspects, config.secret, config.inspect_share,
                   lanes_of_machine()),
        pipeline_({.secret = config.secret,
                   .cookie_secret = config.cookie_secret,
                   .workers = config.workers,
                   .self = config.self,
                   .events = &stats.events(config.self),
                   .floods = &floods_,
                   .fragments = &fragments_,
                   .rdma = &rdma_,
                   .till = &charging_.till(),
                   .bills = &charging_.bills(),
                   .dns = &dns_,
                   .inspector = &inspector_,
                   .quarantine = config.quarantine,
                   .evidence = config.evidence,
                   .mirror = config.mirror,
                   .teach = config.classroom == nullptr ? Teaching{} : config.classroom->of(config.self),
                   .name_segments = config.name_segments},
                  table_, counters_) {}

  // The policy for what is judged until the next call. Busy or idle, a worker calls this every round: the door waits
  // for it.
  const InstalledPolicy* begin_round() {
    const InstalledPolicy* policy = slot_.current();
    pipeline_.adopt(policy);
    pipeline_.listen();
    slot_.announce(self_, policy);
    if (classroom_ != nullptr) classroom_->listen(self_, pipeline_);
    if (inquiry_ != nullptr)
      inquiry_->attend(self_, table_, rdma_, {policy, pipeline_.epoch_of(policy), counters_.heartbeat.read()});
    if (const u64 request = bell_.heard(self_); request != 0) {
      pipeline_.flush();
      bell_.answer(self_, request);
    }
    return policy;
  }

  // Something is being done a piece a round: a worker that sleeps in between would let who asked wait for it.
  bool has_work() const {
    return counters_.sweep_began.read() != 0 || (inquiry_ != nullptr && inquiry_->is_awaited(self_));
  }

  // After the frames of a round were handed to their ports: what they spent is told, what is lent is taken.
  void end_round(Tick now) {
    if (line_ != nullptr) line_->talk(charging_.till(), now);
  }
  // Before it runs: to the keeper of accounts, which outlives it. Without one nothing is ever lent.
  void connect(KeeperLine& line) { line_ = &line; }

  Pipeline& pipeline() { return pipeline_; }
  Till& till() { return charging_.till(); }
  WorkerCounters& counters() { return counters_; }
  u32 self() const { return self_; }
  u32 live() const { return table_.live(); }  // of its flows

 private:
  static std::size_t flood_offset(u32 flows) { return (FlowTable::bytes_needed(flows) + 63) / 64 * 64; }

  static std::size_t rdma_offset(u32 flows) { return flood_offset(flows) + (Floods::bytes_needed + 63) / 64 * 64; }

  static std::size_t dns_offset(u32 flows) { return rdma_offset(flows) + (Rdma::bytes_needed + 63) / 64 * 64; }

  const u32 self_;
  Memory memory_;
  PolicySlot& slot_;
  FlushBell& bell_;
  Classroom* classroom_;
  Inquiry* inquiry_;
  WorkerCounters& counters_;
  FlowTable table_;
  Floods floods_;
  Rdma rdma_;
  DnsLimits dns_;
  Reassembly fragments_;
  Charging charging_;
  Inspector inspector_;
  KeeperLine* line_ = nullptr;
  Pipeline pipeline_;
};

}  // namespace weir::edge
