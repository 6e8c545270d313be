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

u32 RuleSets::take(u64 mark) {
  std::sort(touched_.begin(), touched_.end());
  taken_.clear();
  for (const u32 word : touched_) {
    taken_.push_back({word, collected_[word]});
    collected_[word] = 0;
  }
  touched_.clear();
  if (mark != 0) taken_.push_back({words_count(), mark});
  return sets_.intern(taken_);
}

u64 RuleSets::mark_of(u32 value) const {
  const std::span<const RuleWord> set = sets_.at(value);
  return set.empty() || set.back().word != words_count() ? 0 : set.back().bits;
}

std::span<const RuleWord> RuleSets::own(u32 value) const {
  const std::span<const RuleWord> set = sets_.at(value);
  return set.first(set.size() - (mark_of(value) != 0));
}

void RuleSets::write(u32 value, std::span<u64> words) const {
  std::copy(always_.begin(), always_.end(), words.begin());
  for (const RuleWord& word : own(value)) words[word.word] |= word.bits;
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

void fill_services(const Services& services, std::span<const u32> statements, ChargeSides& charges, RuleSets& sets) {
  Mentions mentions(services.points.size());
  for (u32 bit = 0; bit < statements.size(); ++bit)
    if (statements[bit] != no_statement) mention(mentions[services.set_of[statements[bit]]], bit);
  for (u32 service = 1; service < services.members.count(); ++service) {
    for (const u32 set : services.members.at(service)) sets.add(mentions[set]);
    sets.take(charges.service(services.members.at(service)));
  }
}

constexpr u64 mark_reject = u64{1} << 8;  // above the reserve's class
constexpr u32 mark_charge_bits = 16;      // what it is charged as stands above these

u16 zone_of(std::span<const u32> segments, const Mentions& mentions, RuleSets& sets, u64 mark) {
  for (const u32 segment : segments) sets.add(mentions[segment]);
  return static_cast<u16>(sets.take(mark));
}

// Of an address in these segments: the class of the largest reserve, and whether denials to it are answered.
class Marks {
 public:
  explicit Marks(const Model& model) : model_(model), reserved_(reserved_segments(model)) {}

  u64 of_target(std::span<const u32> segments) const {
    u64 best = 0;
    for (u64 index = 0; index < reserved_.size(); ++index) {
      if (std::find(segments.begin(), segments.end(), reserved_[index]) == segments.end()) continue;
      if (best == 0 || share(index) > share(best - 1)) best = index + 1;
    }
    return best;
  }
  u64 of_source(std::span<const u32> segments) const {
    const bool rejects =
        std::any_of(segments.begin(), segments.end(), [&](u32 one) { return model_.segments[one].reject; });
    return of_target(segments) | (rejects ? mark_reject : 0);
  }

 private:
  u32 share(u64 index) const { return model_.segments[reserved_[index]].reserve; }
  const Model& model_;
  std::vector<u32> reserved_;
};

}  // namespace

std::vector<u32> reserved_segments(const Model& model) {
  std::vector<u32> reserved;
  for (u32 index = 0; index < model.segments.size(); ++index)
    if (model.segments[index].reserve != 0) reserved.push_back(index);
  return reserved;
}

std::vector<image::ZoneFacts> facts_of(const RuleSets& zones) {
  std::vector<image::ZoneFacts> made;
  for (u32 zone = 0; zone < zones.count(); ++zone) {
    const u64 mark = zones.mark_of(zone);
    made.push_back({static_cast<u8>(mark & (mark_reject - 1)), (mark & mark_reject) != 0,
                    static_cast<u16>(mark >> mark_charge_bits)});
  }
  return made;
}

Zones merge_zones(const Model& model, const Atoms& atoms, const Services& services,
                  std::span<const u32> statements, ChargeSides& charges) {
  const u32 rules = static_cast<u32>(statements.size());
  Zones zones{port_classes(model), {}, {}, {}, {}, RuleSets(rules), RuleSets(rules), RuleSets(rules), {}};
  const Mentions from = mentions_of(model, statements, &Statement::from, &Statement::from_any, zones.sources);
  const Mentions to = mentions_of(model, statements, &Statement::to, &Statement::to_any, zones.targets);
  const Marks marks(model);
  std::vector<u16> source_row(atoms.count()), target_row(atoms.count());
  std::vector<u32> segments;
  for (const PortClassPlan& port : zones.classes) {
    for (u32 atom = 0; atom < atoms.count(); ++atom) {
      if (!source_segments(model, atoms, port, atom, segments)) source_row[atom] = image::zone_spoofed;
      else
        source_row[atom] = zone_of(segments, from, zones.sources,
                                   marks.of_source(segments) | u64{charges.source(segments)} << mark_charge_bits);
      target_segments(model, atoms, port, atom, segments);
      target_row[atom] = zone_of(segments, to, zones.targets,
                                 marks.of_target(segments) | u64{charges.target(segments)} << mark_charge_bits);
    }
    zones.port_charge.push_back(static_cast<u16>(charges.source(port.attached)));
    zones.source_row_of.push_back(zones.source_rows.intern(source_row));
    zones.target_row_of.push_back(zones.target_rows.intern(target_row));
  }
  fill_services(services, statements, charges, zones.services);
  return zones;
}

}  // namespace weir::control
