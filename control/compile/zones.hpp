// Sets of rules, by the values of the three fields of a decision: source zone, target zone, service. Values that every
// rule treats alike are one.
#pragma once
#include "control/compile/charge_sides.hpp"
#include "control/compile/identity.hpp"
#include "control/compile/sequences.hpp"
#include "control/compile/services.hpp"

namespace weir::control {

// 64 bits from bit 64 * word; a bit stands for a rule.
struct RuleWord {
  u64 word;
  u64 bits;
};

// The distinct sets of rules of one field, by value. A set may carry a mark: what rules treat alike and something else
// does not then stays apart.
//
// Invariants: value 0 is the set of `always`, without a mark. Threads: one.
class RuleSets {
 public:
  explicit RuleSets(u32 rules);

  // Rules that are in every set.
  void always(u32 bit) { always_[bit / 64] |= u64{1} << bit % 64; }
  // Collecting a set: add() its parts, then take() its number.
  void add(std::span<const RuleWord> part);
  u32 take(u64 mark = 0);
  u64 mark_of(u32 value) const;

  u32 count() const { return sets_.count(); }
  u32 words_count() const { return static_cast<u32>(always_.size()); }
  // The words of a set that are not zero, ascending, without those of `always`.
  std::span<const RuleWord> own(u32 value) const;
  const std::vector<u64>& always_words() const { return always_; }
  // Writes the whole set of `value` over `words` (words_count() of them).
  void write(u32 value, std::span<u64> words) const;

 private:
  std::vector<u64> always_;
  std::vector<u64> collected_;
  std::vector<u32> touched_;
  std::vector<RuleWord> taken_;
  Sequences<RuleWord> sets_;  // a mark stands last, as a word behind those of rules
};

inline constexpr u32 no_statement = ~u32{0};

// The segments that have a reserve, by class - 1; ascending, so by name.
std::vector<u32> reserved_segments(const Model& model);

struct Zones {
  std::vector<PortClassPlan> classes;
  std::vector<u32> source_row_of, target_row_of;  // by class
  Sequences<u16> source_rows, target_rows;        // zone by atom
  RuleSets sources, targets, services;            // by zone, zone, service; services are marked by their charge service
  std::vector<u16> port_charge;                   // by class: what frames without addresses are charged as
  Sequences<u64> facts;                           // by mark of a zone: reserve and flags, assets, jobs
};

// By zone, of Zones::sources or Zones::targets.
std::vector<image::ZoneFacts> facts_of(const Zones& zones, const RuleSets& side);

// `statements`: model.statements by bit, no_statement where a bit stands for none. Zone numbers above 16 bits are cut:
// the caller looks at the counts.
Zones merge_zones(const Model& model, const Atoms& atoms, const Services& services, std::span<const u32> statements,
                  ChargeSides& charges);

}  // namespace weir::control
