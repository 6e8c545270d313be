// What a worker counts to keep [flood]: openings by source and by target, half-open and UDP flows, attempts of possible
// scanners. Asked only where a first packet would open a flow, so established flows cost nothing and never suffer.
//
// What is counted is this worker's part of the traffic, and each worker keeps the whole limit: with N workers a limit
// is kept within N times what the policy says (docs/floods.md).
//
// Invariants: none beyond those of its parts. Threads: one, the pipeline's. Memory: lent, zeroed, 64-byte aligned.
#pragma once
#include "dataplane/budget/rate_table.hpp"
#include "dataplane/budget/scan_table.hpp"
#include "dataplane/flow/census.hpp"
#include "dataplane/packet/parse.hpp"
#include "dataplane/policy/policy.hpp"

#include <span>

namespace weir {

class Floods {
 public:
  static constexpr u32 rate_sets = 1 << 14;    // 65,536 sources, and as many targets
  static constexpr u32 scan_cells = 1 << 14;
  static constexpr u32 census_counters = 1 << 15;
  static constexpr std::size_t bytes_needed = 2 * rate_sets * sizeof(RateTable::Set) +
                                              scan_cells * sizeof(ScanTable::Cell) + census_counters * sizeof(u32);

  // `secret` is the pipeline's.
  Floods(std::span<std::byte> memory, const HashKey& secret);
  Floods(const Floods&) = delete;

  // What the policy in force asks, from now on. Counts stay.
  void begin(const Policy& policy);
  // Whether anything has to be asked before a flow opens.
  bool watches() const { return watches_; }

  // One attempt to open a flow, allowed or denied.
  ScanTable::Finding attempt(const Headers& headers, Tick now);
  // Whether the packet may open a flow now: flow_new, or the ceiling that it meets. What it passes before that ceiling
  // is charged.
  Reason opens(const Headers& headers, Tick now);
  // The last of these alone, which count flows that live: flow_new, flood_half_open or flood_udp.
  Reason ceiling(const Headers& headers) const;
  // Whether one more answer to what is denied may be sent.
  bool may_answer(Tick now) { return conforms(answer_due_, rate_time(now), reject_); }
  bool blocks_scans() const { return scans_.block != 0; }

  FlowCensus& census() { return census_; }

 private:
  u64 source_of(const Headers& headers) const {
    return source_hash(headers.source, space_of(headers.key), secret_);
  }
  u64 target_of(const Headers& headers) const {
    return address_hash(headers.target, space_of(headers.key), secret_);
  }

  HashKey secret_;
  RateTable sources_, targets_;
  ScanTable scanners_;
  FlowCensus census_;
  Rate new_per_source_{}, new_per_target_{}, icmp_{}, reject_{};
  u64 icmp_due_ = 0, answer_due_ = 0;
  u32 half_open_ = 0, half_open_per_target_ = 0, udp_ = 0;
  ScanLimits scans_;
  bool watches_ = false;
};

}  // namespace weir
