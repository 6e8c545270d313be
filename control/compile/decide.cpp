// A matrix is chosen while it is cheap to make and small enough to stay near the processor; vectors grow with what the
// rules say and not with the product of the zones.
#include "control/compile/decide.hpp"

#include "dataplane/base/limits.hpp"
#include "dataplane/policy/policy.hpp"

#include <algorithm>

namespace weir::control {

namespace {

constexpr u64 matrix_pairs_max = u64{1} << 21;
constexpr u64 matrix_steps_max = u64{1} << 26;  // pairs x words of rules
constexpr u64 matrix_cells_max = u64{1} << 24;

std::vector<u64> all_words(const RuleSets& sets) {
  const u64 words = sets.words_count();
  std::vector<u64> all(words * sets.count());
  for (u32 value = 0; value < sets.count(); ++value) sets.write(value, {all.data() + value * words, words});
  return all;
}

std::vector<image::Decision> decisions_of(const Model& model, std::span<const u32> order) {
  std::vector<image::Decision> decisions{{~u64{0}, no_rule, 0, 0, 0}};
  for (u32 rule = 0; rule < order.size(); ++rule) {
    const Statement& statement = model.statements[order[rule]];
    const bool expires = statement.expires_s && !statement.is_forbid;
    const u64 seconds = expires ? static_cast<u64>(std::max<std::int64_t>(0, *statement.expires_s)) : 0;
    const u64 tick = !expires || seconds > ~u64{0} / tick_second ? ~u64{0} : seconds * tick_second;
    decisions.push_back({tick, rule, 0, !statement.is_forbid, static_cast<u8>(statement.log)});
  }
  return decisions;
}

class Matrix {
 public:
  Matrix(const Zones& zones, DecisionTables& tables) : zones_(zones), tables_(tables) {
    service_words_ = all_words(zones.services);
    row_.resize(zones.services.count());
  }

  bool build() {
    const u32 words = zones_.sources.words_count();
    const std::vector<u64> targets = all_words(zones_.targets);
    std::vector<u64> source(words);
    for (u32 from = 0; from < zones_.sources.count(); ++from) {
      zones_.sources.write(from, source);
      for (u32 to = 0; to < zones_.targets.count(); ++to) {
        rules_.clear();
        for (u32 word = 0; word < words; ++word)
          for (u64 bits = source[word] & targets[u64{to} * words + word]; bits != 0; bits &= bits - 1)
            rules_.push_back(word * 64 + static_cast<u32>(std::countr_zero(bits)));
        const u32 pair = pairs_.intern(rules_);
        if (pair == row_of_pair_.size() && !add_row()) return false;
        tables_.matrix_rows.push_back(static_cast<u16>(row_of_pair_[pair]));
      }
    }
    tables_.matrix_cells = rows_.pool();
    return true;
  }

 private:
  bool add_row() {
    for (u32 service = 0; service < row_.size(); ++service) row_[service] = decision_of(service);
    row_of_pair_.push_back(rows_.intern(row_));
    return rows_.count() <= 65536 && rows_.pool().size() <= matrix_cells_max &&
           tables_.decisions.size() <= decisions_max;
  }

  // The first of rules_ that covers the service, and what follows while each one expires.
  u16 decision_of(u32 service) {
    const u64* covering = &service_words_[u64{service} * zones_.services.words_count()];
    chain_.clear();
    for (const u32 rule : rules_) {
      if (!(covering[rule / 64] >> rule % 64 & 1)) continue;
      chain_.push_back(rule);
      if (tables_.decisions[rule + 1].expires == ~u64{0}) break;
    }
    u16 next = 0;
    for (; !chain_.empty(); chain_.pop_back()) next = linked(chain_.back(), next);
    return next;
  }

  u16 linked(u32 rule, u16 next) {
    if (next == 0) return static_cast<u16>(rule + 1);
    const u64 key = u64{rule} << 16 | next;
    const u32 fresh = static_cast<u32>(tables_.decisions.size());
    const u32 known = links_.find_or_add(hash_step(0, key), fresh, [&](u32 at) {
      return tables_.decisions[at].rule == rule && tables_.decisions[at].next == next;
    });
    if (known == fresh) {
      tables_.decisions.push_back(tables_.decisions[rule + 1]);
      tables_.decisions.back().next = next;
    }
    return static_cast<u16>(known);
  }

  const Zones& zones_;
  DecisionTables& tables_;
  std::vector<u64> service_words_;
  std::vector<u32> rules_, chain_;  // rules of the present pair; of the present cell
  std::vector<u16> row_;
  Sequences<u32> pairs_;            // distinct sets of rules of pairs
  std::vector<u32> row_of_pair_;
  Sequences<u16> rows_;
  HashIndex links_;
};

bool matrix_fits(const Zones& zones) {
  const u64 pairs = u64{zones.sources.count()} * zones.targets.count();
  return pairs <= matrix_pairs_max && pairs * zones.sources.words_count() <= matrix_steps_max;
}

std::vector<image::RuleGroup> groups_of(const RuleSets& sets, Sequences<u64>& stored) {
  std::vector<image::RuleGroup> groups;
  std::vector<u64> words(sets.words_count());
  std::vector<u64> present;
  for (u32 value = 0; value < sets.count(); ++value) {
    sets.write(value, words);
    for (std::size_t first = 0; first < words.size(); first += 64) {
      present.clear();
      u64 summary = 0;
      for (std::size_t word = first; word < std::min(first + 64, words.size()); ++word) {
        if (words[word] == 0) continue;
        summary |= u64{1} << (word - first);
        present.push_back(words[word]);
      }
      groups.push_back({summary, static_cast<u32>(stored.start(stored.intern(present))), 0});
    }
  }
  return groups;
}

}  // namespace

std::size_t DecisionTables::bytes() const {
  return (matrix_rows.size() + matrix_cells.size()) * sizeof(u16) + rule_words.size() * sizeof(u64) +
         (source_rules.size() + target_rules.size() + service_rules.size()) * sizeof(image::RuleGroup);
}

std::optional<DecisionTables> decide(const Model& model, const Zones& zones, std::span<const u32> order,
                                     DecisionForm wanted) {
  if (wanted != DecisionForm::vectors && matrix_fits(zones)) {
    DecisionTables tables{image::Form::matrix, decisions_of(model, order), {}, {}, {}, {}, {}, {}};
    if (Matrix(zones, tables).build()) return tables;
  }
  if (wanted == DecisionForm::matrix) return std::nullopt;
  DecisionTables tables{image::Form::vectors, decisions_of(model, order), {}, {}, {}, {}, {}, {}};
  Sequences<u64> stored;
  tables.source_rules = groups_of(zones.sources, stored);
  tables.target_rules = groups_of(zones.targets, stored);
  tables.service_rules = groups_of(zones.services, stored);
  tables.rule_words = stored.pool();
  return tables;
}

}  // namespace weir::control
