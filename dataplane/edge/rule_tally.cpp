#include "dataplane/edge/rule_tally.hpp"

#include <algorithm>
#include <cstring>
#include <map>
#include <utility>

namespace weir::edge {
namespace {

// A forbid and an allow may have one name.
using RuleName = std::pair<bool, std::string_view>;
RuleName name_of(const Policy& policy, u32 rule) {
  const RuleView view = policy.rule(rule);
  return {view.is_forbid, view.name};
}

constexpr Counter RuleHits::* counts[] = {&RuleHits::opened, &RuleHits::kept, &RuleHits::dropped};

}  // namespace

std::span<RuleHits> RuleTally::rows(u32 bank) const {
  const u64 rules = stats_.header().banks[bank].rules.read();
  return stats_.bank(bank).first(hits_rows(rules, stats_.workers()));
}

std::span<RuleHits> RuleTally::open(u32 bank, const Policy& next) {
  if (stats_.bank(bank).empty() || next.rules_count() > decisions_max) return {};
  RuleBank& head = stats_.header().banks[bank];
  head.generation.set(0);
  std::atomic_thread_fence(std::memory_order_release);
  const std::span<RuleHits> stale = rows(bank);
  std::memset(static_cast<void*>(stale.data()), 0, stale.size_bytes());
  head.rules.set(next.rules_count());
  head.since.set(wall_us());
  std::atomic_thread_fence(std::memory_order_release);
  head.generation.set(next.generation());
  return rows(bank).subspan(hits_stride(next.rules_count()));
}

void RuleTally::carry(u32 before_bank, const Policy& before, u32 next_bank, const Policy& next) {
  const std::span<RuleHits> old = rows(before_bank), fresh = rows(next_bank);
  if (old.empty() || fresh.empty()) return;  // not counted
  std::map<RuleName, u32> places;
  for (u32 rule = 0; rule < next.rules_count(); ++rule) places.emplace(name_of(next, rule), rule);
  for (u32 rule = 0; rule < before.rules_count(); ++rule) {
    u64 sums[std::size(counts)] = {}, last = 0;
    for (u64 at = rule; at < old.size(); at += hits_stride(before.rules_count())) {
      for (std::size_t i = 0; i < std::size(counts); ++i) sums[i] += (old[at].*counts[i]).read();
      last = std::max(last, old[at].last.read());
    }
    const auto place = last == 0 ? places.end() : places.find(name_of(before, rule));
    if (place == places.end()) continue;
    RuleHits& row = fresh[place->second];
    for (std::size_t i = 0; i < std::size(counts); ++i) (row.*counts[i]).set(sums[i]);
    row.last.set(last);
  }
}

}  // namespace weir::edge
