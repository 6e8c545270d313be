// Rules are paired by what they say about zones and services, then only those are kept whose order is the same in both
// images: which allow counts and logs goes by that order.
#include "control/diff/region.hpp"

#include <algorithm>

namespace weir::control {

namespace {

// By rule: the number of its set of zones on one side.
std::vector<u32> extents(const JointSpace& space, const std::vector<JointZone>& zones) {
  std::vector<std::vector<u32>> zones_of(space.statement_of.size());
  for (u32 zone = 0; zone < zones.size(); ++zone)
    for (const u32 rule : zones[zone].rules) zones_of[rule].push_back(zone);
  Sequences<u32> distinct;
  std::vector<u32> numbers;
  for (const auto& set : zones_of) numbers.push_back(distinct.intern(set));
  return numbers;
}

// Of pairs by new rule, a longest part in which the old rules ascend too.
std::vector<SameRules::Pair> in_order(const std::vector<SameRules::Pair>& pairs) {
  constexpr std::size_t none = ~std::size_t{0};
  std::vector<std::size_t> tails, before(pairs.size(), none);
  for (std::size_t i = 0; i < pairs.size(); ++i) {
    const auto at = std::lower_bound(tails.begin(), tails.end(), pairs[i].old_rule,
                                     [&](std::size_t tail, u32 rule) { return pairs[tail].old_rule < rule; });
    if (at != tails.begin()) before[i] = *std::prev(at);
    if (at == tails.end()) tails.push_back(i);
    else *at = i;
  }
  std::vector<SameRules::Pair> kept;
  for (std::size_t at = tails.empty() ? none : tails.back(); at != none; at = before[at]) kept.push_back(pairs[at]);
  std::reverse(kept.begin(), kept.end());
  return kept;
}

}  // namespace

SameRules same_rules(const JointSpace& space) {
  const std::vector<u32> from = extents(space, space.sources), to = extents(space, space.targets);
  Sequences<u64> distinct;
  std::vector<std::vector<u32>> old_rules;  // by what they say; each in ascending order
  std::vector<std::size_t> taken;
  std::vector<SameRules::Pair> pairs;
  for (u32 rule = 0; rule < space.statement_of.size(); ++rule) {
    const Statement& one = space.statement(rule);
    const u64 flags = u64{one.is_forbid} | u64{one.from_any} << 1 | u64{one.to_any} << 2 | u64{one.syn_proxy} << 3 |
                      u64{one.reject} << 4 | u64{one.expires_s.has_value()} << 5 | u64{static_cast<u8>(one.log)} << 8;
    RdmaTerms terms = one.is_forbid ? RdmaTerms{} : one.rdma;
    const u64 protocols = terms.protocols;
    if (one.services.rdma.empty()) terms = {};
    const u64 says[] = {flags,
                        u64{from[rule]} << 32 | to[rule],
                        space.service_set_of[rule],
                        static_cast<u64>(one.expires_s.value_or(0)),
                        u64{terms.operations.value_or(0xff)} | protocols << 8 | u64{space.looked_by[rule]} << 32,
                        u64{terms.read_mtu} << 32 | terms.first_use,
                        terms.read_credit};
    const u32 number = distinct.intern(says);
    if (number == old_rules.size()) {
      old_rules.emplace_back();
      taken.push_back(0);
    }
    if (space.policy_of(rule) == old_policy) old_rules[number].push_back(rule);
    else if (taken[number] < old_rules[number].size()) pairs.push_back({old_rules[number][taken[number]++], rule});
  }
  SameRules same{in_order(pairs), std::vector<bool>(space.statement_of.size(), false)};
  for (const auto& [old_rule, new_rule] : same.pairs) same.is_same[old_rule] = same.is_same[new_rule] = true;
  return same;
}

}  // namespace weir::control
