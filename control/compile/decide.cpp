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
  std::vector<image::Decision> decisions{{~u64{0}, no_rule, 0, 0, 0, 0, 0, 0}};
  for (u32 rule = 0; rule < order.size(); ++rule) {
    const Statement& statement = model.statements[order[rule]];
    const bool expires = statement.expires_s && !statement.is_forbid;
    const u64 seconds = expires ? static_cast<u64>(std::max<std::int64_t>(0, *statement.expires_s)) : 0;
    const u64 tick = !expires || seconds > ~u64{0} / tick_second ? ~u64{0} : seconds * tick_second;
    decisions.push_back({tick, rule, 0, !statement.is_forbid, 0, statement.syn_proxy, statement.reject, 0});
    decisions.back().log = static_cast<u8>(statement.log) & 3;
  }
  return decisions;
}

class Matrix {
 public:
  Matrix(const Zones& zones, std::span<const u32> rules, DecisionTables& tables)
      : zones_(zones), rule_of_bit_(rules), tables_(tables) {
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
        bits_.clear();
        for (u32 word = 0; word < words; ++word)
          for (u64 bits = source[word] & targets[u64{to} * words + word]; bits != 0; bits &= bits - 1)
            bits_.push_back(word * 64 + static_cast<u32>(std::countr_zero(bits)));
        const u32 pair = pairs_.intern(bits_);
        if (pair == row_of_pair_.size() && !add_row()) return false;
        tables_.matrix_rows.push_back(static_cast<u16>(row_of_pair_[pair]));
      }
    }
    tables_.matrix_cells = rows_.pool();
    return true;
  }

 private:
  bool add_row() {
    std::sort(bits_.begin(), bits_.end(), [&](u32 a, u32 b) { return rule_of_bit_[a] < rule_of_bit_[b]; });
    for (u32 service = 0; service < row_.size(); ++service) row_[service] = decision_of(service);
    row_of_pair_.push_back(rows_.intern(row_));
    return rows_.count() <= 65536 && rows_.pool().size() <= matrix_cells_max &&
           tables_.decisions.size() <= decisions_max;
  }

  // The first rule of the pair that covers the service, and what follows while each one expires.
  u16 decision_of(u32 service) {
    const u64* covering = service_words_.data() + u64{service} * zones_.services.words_count();
    chain_.clear();
    for (const u32 bit : bits_) {
      if (!(covering[bit / 64] >> bit % 64 & 1)) continue;
      chain_.push_back(rule_of_bit_[bit]);
      if (tables_.decisions[chain_.back() + 1].expires == ~u64{0}) break;
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
  std::span<const u32> rule_of_bit_;
  DecisionTables& tables_;
  std::vector<u64> service_words_;
  std::vector<u32> bits_, chain_;   // bits of the present pair; rules of the present cell
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

class Vectors {
 public:
  Vectors(const Zones& zones, const Bits& bits, DecisionTables& tables)
      : zones_(zones), bits_(bits), tables_(tables) {}

  void build() {
    stored_.intern(std::vector<u64>{0});
    for (u32 zone = 0; zone < zones_.targets.count(); ++zone)
      put_groups(zones_.targets.own(zone), tables_.target_groups);
    for (u32 zone = 0; zone < zones_.sources.count(); ++zone) {
      put_groups(zones_.sources.own(zone), tables_.source_groups);
      put_list(zones_.sources.own(zone));
    }
    put_services();
    put_always();
    tables_.list_words = lists_.pool();
    tables_.rule_words = stored_.pool();
    u32 last = 0;  // what stands for no rule repeats its neighbour
    for (const u32 rule : bits_.rules) {
      if (rule != no_rule) last = rule;
      tables_.bit_rules.push_back(static_cast<u16>(last));
    }
  }

 private:
  // The words of rules that name a target.
  void put_groups(std::span<const RuleWord> own, std::vector<image::RuleGroup>& groups) {
    std::size_t at = 0;
    for (u64 first = 0; first < zones_.sources.words_count(); first += image::group_words) {
      u64 summary = 0;
      words_.clear();
      for (; at < own.size() && own[at].word < std::min<u64>(first + image::group_words, bits_.first_wide); ++at) {
        summary |= u64{1} << (own[at].word - first);
        words_.push_back(own[at].bits);
      }
      const u64 base = words_.empty() ? 1 : stored_.start(stored_.intern(words_));
      groups.push_back({summary, static_cast<u32>(base), 0});
    }
  }

  // A source's words of rules for every target.
  void put_list(std::span<const RuleWord> own) {
    const std::vector<u64>& always = zones_.sources.always_words();
    auto at = std::find_if(own.begin(), own.end(), [&](const RuleWord& word) { return word.word >= bits_.first_wide; });
    list_.clear();
    for (u32 word = bits_.first_wide; word < always.size(); ++word) {
      u64 bits = always[word];
      if (at != own.end() && at->word == word) bits |= (at++)->bits;
      if (bits != 0) list_.push_back({bits, word, 0});
    }
    if (list_.size() % 2 != 0) list_.push_back({0, list_.back().word, 0});
    const u64 first = list_.empty() ? 0 : lists_.start(lists_.intern(list_));
    tables_.source_lists.push_back({static_cast<u32>(first), static_cast<u32>(list_.size() / 2)});
  }

  void put_always() {
    tables_.always_words = zones_.sources.always_words();
    for (u64 word = 0; word < tables_.always_words.size(); ++word) {
      if (word % image::group_words == 0) tables_.always_summaries.push_back(0);
      if (tables_.always_words[word] != 0) tables_.always_summaries.back() |= u64{1} << word % image::group_words;
    }
  }

  void put_services() {
    const u32 words = zones_.services.words_count();
    std::vector<u64> set((words + image::chunk_words_count - 1) / image::chunk_words_count * image::chunk_words_count);
    Sequences<u64> chunks;
    for (u32 service = 0; service < zones_.services.count(); ++service) {
      zones_.services.write(service, set);
      for (std::size_t first = 0; first < set.size(); first += image::chunk_words_count)
        tables_.service_chunks.push_back(chunks.intern({set.data() + first, image::chunk_words_count}));
    }
    tables_.chunk_words = chunks.pool();
  }

  const Zones& zones_;
  const Bits& bits_;
  DecisionTables& tables_;
  std::vector<image::ListWord> list_;
  std::vector<u64> words_;
  Sequences<image::ListWord> lists_;
  Sequences<u64> stored_;
};

template <class... Vector>
std::size_t bytes_of(const Vector&... vectors) {
  return ((vectors.size() * sizeof(vectors[0])) + ...);
}

}  // namespace

std::size_t DecisionTables::bytes() const {
  return bytes_of(matrix_rows, matrix_cells, target_groups, source_groups, source_lists, list_words, rule_words,
                  always_words, always_summaries, service_chunks, chunk_words, bit_rules);
}

std::optional<DecisionTables> decide(const Model& model, const Zones& zones, std::span<const u32> order,
                                     const Bits& bits, DecisionForm wanted) {
  if (wanted != DecisionForm::vectors && matrix_fits(zones)) {
    DecisionTables tables;
    tables.form = image::Form::matrix;
    tables.decisions = decisions_of(model, order);
    if (Matrix(zones, bits.rules, tables).build()) return tables;
  }
  if (wanted == DecisionForm::matrix) return std::nullopt;
  DecisionTables tables;
  tables.form = image::Form::vectors;
  tables.decisions = decisions_of(model, order);
  Vectors(zones, bits, tables).build();
  return tables;
}

}  // namespace weir::control
