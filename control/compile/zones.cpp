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

// What is known of an address in these segments, as the number of a sequence: the class of the largest reserve, whether
// denials to it are answered and what it is charged as; its assets; its jobs.
class Marks {
 public:
  Marks(const Model& model, Sequences<u64>& facts)
      : facts_(facts), reserved_(reserved_segments(model)), shares_(model.segments.size()),
        rejects_(model.segments.size()), assets_(model.segments.size()), jobs_(model.segments.size()) {
    for (std::size_t i = 0; i < model.segments.size(); ++i) {
      shares_[i] = model.segments[i].reserve;
      rejects_[i] = model.segments[i].reject;
    }
    for (std::size_t i = 0; i < model.assets.size(); ++i)
      for (const u32 segment : model.assets[i].held) assets_[segment] |= u64{1} << i % 64;
    for (std::size_t i = 0; i < model.jobs.size(); ++i)
      for (const u32 segment : model.jobs[i].members) jobs_[segment] |= u64{1} << i % 64;
    const u64 nothing[] = {0, 0, 0};
    facts_.intern(nothing);
  }

  u64 of_target(std::span<const u32> segments, u32 charge) { return mark(segments, charge, 0); }
  u64 of_source(std::span<const u32> segments, u32 charge) {
    const bool rejects = std::any_of(segments.begin(), segments.end(), [&](u32 one) { return rejects_[one]; });
    return mark(segments, charge, rejects ? mark_reject : 0);
  }

 private:
  u64 mark(std::span<const u32> segments, u32 charge, u64 flags) {
    u64 reserve = 0;
    for (u64 index = 0; index < reserved_.size(); ++index) {
      if (std::find(segments.begin(), segments.end(), reserved_[index]) == segments.end()) continue;
      if (reserve == 0 || shares_[reserved_[index]] > shares_[reserved_[reserve - 1]]) reserve = index + 1;
    }
    u64 fact[] = {reserve | flags | u64{charge} << mark_charge_bits, 0, 0};
    for (const u32 segment : segments) {
      fact[1] |= assets_[segment];
      fact[2] |= jobs_[segment];
    }
    return facts_.intern(fact);
  }

  Sequences<u64>& facts_;
  std::vector<u32> reserved_, shares_;
  std::vector<bool> rejects_;
  std::vector<u64> assets_, jobs_;  // by segment
};

}  // namespace

std::vector<u32> reserved_segments(const Model& model) {
  std::vector<u32> reserved;
  for (u32 index = 0; index < model.segments.size(); ++index)
    if (model.segments[index].reserve != 0) reserved.push_back(index);
  return reserved;
}

std::vector<image::ZoneFacts> facts_of(const Zones& zones, const RuleSets& side) {
  std::vector<image::ZoneFacts> made;
  for (u32 zone = 0; zone < side.count(); ++zone) {
    const std::span<const u64> fact = zones.facts.at(static_cast<u32>(side.mark_of(zone)));
    made.push_back({static_cast<u8>(fact[0] & (mark_reject - 1)), (fact[0] & mark_reject) != 0,
                    static_cast<u16>(fact[0] >> mark_charge_bits), 0, fact[1], fact[2]});
  }
  return made;
}

Zones merge_zones(const Model& model, const Atoms& atoms, const Services& services,
                  std::span<const u32> statements, ChargeSides& charges) {
  const u32 rules = static_cast<u32>(statements.size());
  Zones zones{port_classes(model), {}, {}, {}, {}, RuleSets(rules), RuleSets(rules), RuleSets(rules), {}, {}};
  const Mentions from = mentions_of(model, statements, &Statement::from, &Statement::from_any, zones.sources);
  const Mentions to = mentions_of(model, statements, &Statement::to, &Statement::to_any, zones.targets);
  Marks marks(model, zones.facts);
  std::vector<u16> source_row(atoms.count()), target_row(atoms.count());
  std::vector<u32> segments;
  for (const PortClassPlan& port : zones.classes) {
    for (u32 atom = 0; atom < atoms.count(); ++atom) {
      if (!source_segments(model, atoms, port, atom, segments)) source_row[atom] = image::zone_spoofed;
      else
        source_row[atom] = zone_of(segments, from, zones.sources,
                                   marks.of_source(segments, charges.source(segments)));
      target_segments(model, atoms, port, atom, segments);
      target_row[atom] = zone_of(segments, to, zones.targets, marks.of_target(segments, charges.target(segments)));
    }
    zones.port_charge.push_back(static_cast<u16>(charges.source(port.attached)));
    zones.source_row_of.push_back(zones.source_rows.intern(source_row));
    zones.target_row_of.push_back(zones.target_rows.intern(target_row));
  }
  fill_services(services, statements, charges, zones.services);
  return zones;
}

}  // namespace weir::control
