// What has met each rule of the policy that is judged by: first packets of flows, flows from before that are allowed
// again, packets that were denied. Never counted for each packet of a flow: the ways that those take do not come here.
//
// Threads: one. Memory: lent with the policy.
#pragma once
#include "dataplane/base/limits.hpp"
#include "dataplane/packet/reason.hpp"
#include "dataplane/pipeline/slot.hpp"

namespace weir {

class Hits {
 public:
  // From now on this policy's rules are meant, here at worker `self`.
  void begin(const InstalledPolicy& installed, u32 self) {
    const u64 rules = installed.policy.rules_count(), first = self * hits_stride(rules);
    rows_ = installed.hits.size() >= first + rules ? installed.hits.subspan(first, rules) : std::span<RuleHits>{};
    forbids_ = installed.policy.view().forbids_count;
  }
  // The rule that allows the outside at this depth of the packet being decided.
  void note_outside(u32 depth, u32 rule) { outside_rules_[depth] = rule; }
  u32 rule_of_outside(u32 depth) const { return outside_rules_[depth]; }

  // How a packet ended that this rule decided about. What opens a flow inside a tunnel meets the outsides' rules, too.
  void count(u32 rule, bool flow_is_new, Verdict verdict, u32 tunnels, Tick now) {
    if (flow_is_new) {
      add(rule, &RuleHits::opened, now);
      for (u32 depth = 0; depth < tunnels; ++depth) add(outside_rules_[depth], &RuleHits::opened, now);
    } else if (verdict == Verdict::drop || (verdict == Verdict::answer && rule < forbids_)) {
      add(rule, &RuleHits::dropped, now);
    }
  }
  void keep(u32 rule, Tick now) { add(rule, &RuleHits::kept, now); }

 private:
  void add(u32 rule, Counter RuleHits::* of, Tick now) {
    if (rule >= rows_.size()) return;
    (rows_[rule].*of).add(1);
    rows_[rule].last.set(now);
  }

  std::span<RuleHits> rows_;
  u32 forbids_ = 0;
  u32 outside_rules_[tunnels_max] = {};
};

}  // namespace weir
