// The stats segment: plain counters in a file that others map read-only. Each worker writes only its own slab, with
// relaxed stores; readers sum the slabs. Names come from tables (reason_rows), never from the segment.
#pragma once
#include "dataplane/base/limits.hpp"
#include "dataplane/packet/reason.hpp"

#include <atomic>

namespace weir {

// One 64-bit counter, written by one thread and read by any: a relaxed load and store, no locked instruction.
class Counter {
 public:
  void add(u64 amount) { value_.store(value_.load(std::memory_order_relaxed) + amount, std::memory_order_relaxed); }
  void set(u64 value) { value_.store(value, std::memory_order_relaxed); }
  u64 read() const { return value_.load(std::memory_order_relaxed); }

 private:
  std::atomic<u64> value_{0};
};

struct ReasonCounter {
  Counter packets;
  Counter bytes;
};

// One worker's slab. Invariant, once the pipeline is idle: received == the sum of reasons[].packets + handed_over.
struct alignas(64) WorkerCounters {
  Counter received;        // packets taken in
  Counter handed_over;     // of them, given to their owner
  Counter flows_live;      // gauge
  Counter flows_opened;
  Counter flows_expired;
  Counter flows_judged_again;  // after a policy flip or an expiry
  Counter bursts;
  Counter heartbeat;       // last tick processed
  Counter scans_detected;  // sources recognised as scanners, once a window each
  Counter unsent;          // verdict forward, rewrite or answer, but the port did not take the frame
  Counter flows_revoked;   // of flows_judged_again: allowed before, now denied
  Counter sweep_judged;    // of flows_judged_again: by the sweep, not by a packet of theirs
  Counter sweep_began;     // tick from which on the sweep in progress owes its judgements; 0: none is in progress
  Counter sweep_us;        // gauge: from the last change until the last flow had been judged again
  Counter evicted_over;    // flows taken by newcomers of a full table: finished, reset or revoked ones
  Counter evicted_half_open, evicted_one_way;
  Counter evicted_idle;    // heard both ways, long ago
  Counter rdma_alarms;     // events rdma_*: two hosts of which something was counted too often, once a window each
  Counter job_alarms;      // events job_*: likewise of two members
  Counter slept_us;        // of a worker that sleeps when idle (--sleep): asleep in all, in microseconds
  Counter limits_watched;  // packets, and openings, that a limit in monitor mode would have dropped
  Counter shadow_compared;    // questions that the shadow was asked as well as the policy in force
  Counter shadow_would_pass;  // of them, that were denied and that the shadow allows
  Counter shadow_would_deny;  // of them, that were allowed and that the shadow denies
  Counter shadow_untold;      // of these two, without an event: one like it was told lately, or the ring is filling
  ReasonCounter reasons[reasons_count];
};

// What has met one rule of a policy, at one worker.
struct RuleHits {
  Counter opened;   // flows that the rule let begin
  Counter kept;     // flows from before that it allowed again, when they were asked about anew
  Counter dropped;  // packets that a forbid denied, or that an allow covers and something else refused
  Counter last;     // tick of the last of them; 0: none
};

// The hits of one policy: a row for each of its rules with what rules of the same name met under the policies before,
// then a worker's rows each, hits_stride() rows apart. There are two, so that no install mixes two policies' numbers.
struct RuleBank {
  Counter generation;  // 0 while it is prepared: look at the other one, or again
  Counter rules;
  Counter since;       // microseconds since 1970: when it was prepared
};
inline constexpr u32 rule_banks = 2;
constexpr u64 hits_stride(u64 rules) { return (rules + 1) & ~u64{1}; }  // whole cache lines
constexpr u64 hits_rows(u64 rules, u64 workers) { return hits_stride(rules) * (workers + 1); }

struct StatsHeader {
  static constexpr u64 magic_value = 0x3553'5441'5453'5757;  // "WWSTATS5"
  u64 magic;
  u32 workers;
  u32 reasons;         // reasons_count of the writer: a reader built from another table must refuse
  u32 slab_bytes;      // sizeof(WorkerCounters)
  u32 slabs_offset;    // of worker 0's slab from the segment's start
  u32 rings_offset;    // of worker 0's EventRing, likewise; rings stand ring_bytes apart
  u32 ring_bytes;
  Counter generation;  // of the policy in force, 0 when none
  u64 reasons_table;   // door::reasons_table_value of the writer
  u32 ports;           // names of ports, in order of Event::port
  u32 ports_offset;    // of the first; they stand sizeof(PortName) apart
  RuleBank banks[rule_banks] = {};
  u64 banks_offset = 0;  // of the first; 0: hits are not counted
  u64 bank_bytes = 0;    // from one to the next
  u64 began_us = 0;      // microseconds since 1970: when counting began
  Counter links_down;    // a bit for each port, by Event::port: its link is down
};

// NUL-terminated, cut where it is longer.
struct PortName {
  char text[64];
};

}  // namespace weir
