// Pairs of zones are looked at only where a rule that is not the same in both policies covers them. What differs for a
// pair depends on the rules that name both sides and nothing else, so that it is found once for each set of them.
#include "control/diff/region.hpp"

#include "control/diff/rectangles.hpp"

#include <algorithm>
#include <map>

namespace weir::control {

namespace {

// All zones of one family in one domain: the only ones that meet.
struct Arena {
  u32 domain;
  bool is_ipv4;
  std::vector<u32> sources, targets;
};

std::vector<Arena> arenas_of(const JointSpace& space) {
  std::map<std::pair<u32, bool>, Arena> arenas;  // IPv4 first
  const auto arena = [&](const JointZone& zone) -> Arena& {
    Arena& one = arenas[{zone.domain, !zone.is_ipv4}];
    one.domain = zone.domain;
    one.is_ipv4 = zone.is_ipv4;
    return one;
  };
  for (u32 zone = 0; zone < space.sources.size(); ++zone) arena(space.sources[zone]).sources.push_back(zone);
  for (u32 zone = 0; zone < space.targets.size(); ++zone) arena(space.targets[zone]).targets.push_back(zone);
  std::vector<Arena> made;
  for (auto& [key, one] : arenas)
    if (!one.sources.empty() && !one.targets.empty()) made.push_back(std::move(one));
  return made;
}

class Finder {
 public:
  Finder(const JointSpace& space, const SameRules& same, Fates& fates)
      : space_(space), same_(same), fates_(fates), named_by_(space.statement_of.size(), ~u32{0}) {
    regions_.changes = {{ChangeKind::newly_allowed, {}}, {ChangeKind::newly_denied, {}}};
    is_any_to_.assign(space.statement_of.size(), false);
    for (const u32 rule : space.any_to) is_any_to_[rule] = true;
    differing_.intern({});
  }

  Regions find() {
    for (const Arena& arena : arenas_of(space_)) search(arena);
    return std::move(regions_);
  }

 private:
  void search(const Arena& arena) {
    targets_of_rule_.assign(space_.statement_of.size(), {});
    for (u32 at = 0; at < arena.targets.size(); ++at)
      for (const u32 rule : space_.targets[arena.targets[at]].rules) targets_of_rule_[rule].push_back(at);
    met_.assign(arena.targets.size(), ~u32{0});
    DifferenceTable table(space_, arena.sources, arena.targets);
    std::vector<DifferenceTable::Entry> row;
    for (u32 at = 0; at < arena.sources.size(); ++at) {
      row.clear();
      compare_row(arena, at, row);
      table.add_row(at, row);
    }
    table.rectangles(differing_, sets_, regions_.changes.size(), [&](u32 change, auto sources, auto targets, u32 set) {
      regions_.rectangles.push_back(
          {change, arena.domain, arena.is_ipv4, std::move(sources), std::move(targets), services_of(set)});
    });
  }

  // Targets for which a source may fare differently, by their place in the arena.
  void touch(const Arena& arena, u32 at) {
    const JointZone& source = space_.sources[arena.sources[at]];
    touched_.clear();
    bool all = source.spoofed[0] != source.spoofed[1] || source.rejects[0] != source.rejects[1];
    for (const auto* rules : {&source.rules, &space_.any_from})
      for (const u32 rule : *rules) all |= !same_.is_same[rule] && is_any_to_[rule];
    const auto add = [&](u32 target) {
      if (met_[target] != at) touched_.push_back(target);
      met_[target] = at;
    };
    if (all)
      for (u32 target = 0; target < arena.targets.size(); ++target) add(target);
    for (const auto* rules : {&source.rules, &space_.any_from})
      for (const u32 rule : *rules)
        if (!all && !same_.is_same[rule])
          for (const u32 target : targets_of_rule_[rule]) add(target);
    std::sort(touched_.begin(), touched_.end());
  }

  void compare_row(const Arena& arena, u32 at, std::vector<DifferenceTable::Entry>& row) {
    touch(arena, at);
    if (touched_.empty()) return;
    const u32 zone = arena.sources[at];
    const JointZone& source = space_.sources[zone];
    for (const auto* rules : {&source.rules, &space_.any_from})
      for (const u32 rule : *rules) named_by_[rule] = zone;
    for_all_targets_.clear();
    for (const u32 rule : space_.any_to)
      if (named_by_[rule] == zone) for_all_targets_.push_back(rule);
    for (const u32 target : touched_) {
      const JointZone& other = space_.targets[arena.targets[target]];
      if (never_meet(source, other)) continue;
      own_.clear();
      for (const u32 rule : other.rules)
        if (named_by_[rule] == zone) own_.push_back(rule);
      kind_.rules.clear();
      std::merge(own_.begin(), own_.end(), for_all_targets_.begin(), for_all_targets_.end(),
                 std::back_inserter(kind_.rules));
      kind_.spoofed = source.spoofed;
      kind_.rejects = source.rejects;
      kind_.is_ipv4 = arena.is_ipv4;
      if (const u32 differing = compare(); differing != 0) row.push_back({target, differing});
    }
  }

  // Of the pair at hand: a number in differing_, 0 for nothing.
  u32 compare() {
    key_.assign({kind_.spoofed[0] * 16u + kind_.spoofed[1] * 8u + kind_.rejects[0] * 4u + kind_.rejects[1] * 2u +
                 kind_.is_ipv4});
    key_.insert(key_.end(), kind_.rules.begin(), kind_.rules.end());
    const u32 number = kinds_.intern(key_);
    if (number < of_kind_.size()) return of_kind_[number];
    std::map<u32, std::vector<u64>> by_change;
    for (const Differing& one : fates_.compare(kind_)) {
      auto& words = by_change[change_of(one.fates)];
      words.resize(DifferenceTable::words_of(space_));
      words[one.service / 64] |= u64{1} << one.service % 64;
    }
    std::vector<SetOfChange> sets;
    for (const auto& [change, words] : by_change) sets.push_back({change, sets_.intern(words)});
    of_kind_.push_back(differing_.intern(sets));
    return of_kind_.back();
  }

  u32 change_of(std::array<u32, 2> fates) {
    const bool before = fates_.allowed(fates[old_policy]), after = fates_.allowed(fates[new_policy]);
    if (before != after) return after ? 0 : 1;
    const auto [at, fresh] = changes_.emplace(fates, static_cast<u32>(regions_.changes.size()));
    if (fresh) regions_.changes.push_back({ChangeKind::treated_otherwise, fates});
    return at->second;
  }

  std::vector<u32> services_of(u32 set) const {
    std::vector<u32> services;
    const std::span<const u64> words = sets_.at(set);
    for (u32 word = 0; word < words.size(); ++word)
      for (u64 bits = words[word]; bits != 0; bits &= bits - 1)
        services.push_back(word * 64 + static_cast<u32>(std::countr_zero(bits)));
    return services;
  }

  const JointSpace& space_;
  const SameRules& same_;
  Fates& fates_;
  Regions regions_;
  std::map<std::array<u32, 2>, u32> changes_;
  std::vector<bool> is_any_to_;                       // by rule
  std::vector<u32> named_by_;                         // by rule: the last source zone that it names, or everybody
  std::vector<std::vector<u32>> targets_of_rule_;     // places in the arena
  std::vector<u32> met_, touched_;
  std::vector<u32> own_, for_all_targets_, key_;
  PairKind kind_{};
  Sequences<u32> kinds_;
  std::vector<u32> of_kind_;
  Sequences<u64> sets_;
  Sequences<SetOfChange> differing_;
};

}  // namespace

Regions find_regions(const JointSpace& space, const SameRules& same, Fates& fates) {
  return Finder(space, same, fates).find();
}

}  // namespace weir::control
