// A zone is known by the set of rules that mention any of its segments, so that segments which no rule tells apart
// cost nothing.
#include "control/compile/zones.hpp"

#include <algorithm>

namespace weir::control {

RuleSets::RuleSets(u32 rules) : always_((rules + 63) / 64, 0), collected_(always_.size(), 0) { sets_.intern({}); }

void RuleSets::add(std::span<const RuleWord> part) {
  for (const RuleWord& word : part) {
    if (collected_[word.word] == 0) touched_.push_back(static_cast<u32>(word.word));
    collected_[word.word] |= word.bits;
  }
}

u32 RuleSets::take() {
  std::sort(touched_.begin(), touched_.end());
  taken_.clear();
  for (const u32 word : touched_) {
    taken_.push_back({word, collected_[word]});
    collected_[word] = 0;
  }
  touched_.clear();
  return sets_.intern(taken_);
}

void RuleSets::write(u32 value, std::span<u64> words) const {
  std::copy(always_.begin(), always_.end(), words.begin());
  for (const RuleWord& word : sets_.at(value)) words[word.word] |= word.bits;
}

namespace {

// By segment or service set: the rules that mention it.
using Mentions = std::vector<std::vector<RuleWord>>;

void mention(std::vector<RuleWord>& rules, u32 bit) {
  if (rules.empty() || rules.back().word != bit / 64) rules.push_back({bit / 64, 0});
  rules.back().bits |= u64{1} << bit % 64;
}

Mentions mentions_of(const Model& model, std::span<const u32> statements, std::vector<u32> Statement::* side,
                     bool Statement::* any, RuleSets& sets) {
  Mentions mentions(model.segments.size());
  for (u32 bit = 0; bit < statements.size(); ++bit) {
    if (statements[bit] == no_statement) continue;
    const Statement& statement = model.statements[statements[bit]];
    if (statement.*any) sets.always(bit);
    else
      for (const u32 segment : statement.*side) mention(mentions[segment], bit);
  }
  return mentions;
}

void fill_services(const Services& services, std::span<const u32> statements, RuleSets& sets) {
  Mentions mentions(services.points.size());
  for (u32 bit = 0; bit < statements.size(); ++bit)
    if (statements[bit] != no_statement) mention(mentions[services.set_of[statements[bit]]], bit);
  for (u32 service = 1; service < services.members.count(); ++service) {
    for (const u32 set : services.members.at(service)) sets.add(mentions[set]);
    sets.take();
  }
}

u16 zone_of(std::span<const u32> segments, const Mentions& mentions, RuleSets& sets) {
  for (const u32 segment : segments) sets.add(mentions[segment]);
  return static_cast<u16>(sets.take());
}

}  // namespace

Zones merge_zones(const Model& model, const Atoms& atoms, const Services& services,
                  std::span<const u32> statements) {
  const u32 rules = static_cast<u32>(statements.size());
  Zones zones{port_classes(model), {}, {}, {}, {}, RuleSets(rules), RuleSets(rules), RuleSets(rules)};
  const Mentions from = mentions_of(model, statements, &Statement::from, &Statement::from_any, zones.sources);
  const Mentions to = mentions_of(model, statements, &Statement::to, &Statement::to_any, zones.targets);
  std::vector<u16> source_row(atoms.count()), target_row(atoms.count());
  std::vector<u32> segments;
  for (const PortClassPlan& port : zones.classes) {
    for (u32 atom = 0; atom < atoms.count(); ++atom) {
      source_row[atom] = source_segments(model, atoms, port, atom, segments) ? zone_of(segments, from, zones.sources)
                                                                             : image::zone_spoofed;
      target_segments(model, atoms, port, atom, segments);
      target_row[atom] = zone_of(segments, to, zones.targets);
    }
    zones.source_row_of.push_back(zones.source_rows.intern(source_row));
    zones.target_row_of.push_back(zones.target_rows.intern(target_row));
  }
  fill_services(services, statements, zones.services);
  return zones;
}

}  // namespace weir::control
