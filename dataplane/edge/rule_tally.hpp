// The hits of rules in the stats segment, from one policy to the next: two banks, of which the one in force is written
// by workers alone. What rules met goes on by name; what the next policy has no name for is forgotten.
// Without a stats file nobody could read them, and none are counted.
//
// Threads: who installs.
#pragma once
#include "dataplane/edge/stats_segment.hpp"
#include "dataplane/policy/policy.hpp"

namespace weir::edge {

class RuleTally {
 public:
  explicit RuleTally(const StatsSegment& stats) : stats_(stats) {}

  // Zeroed rows for a policy that comes into force, in a bank that no worker uses any more; for
  // InstalledPolicy::hits. Empty where none are counted.
  std::span<RuleHits> open(u32 bank, const Policy& next);
  // When workers have left `before`: what its rules met goes to those of `next` that have their names.
  void carry(u32 before_bank, const Policy& before, u32 next_bank, const Policy& next);

 private:
  std::span<RuleHits> rows(u32 bank) const;

  const StatsSegment& stats_;
};

}  // namespace weir::edge
