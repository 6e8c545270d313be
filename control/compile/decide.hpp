// The decision tables: (source zone, target zone, service) to decision, as a dense matrix while that is small, else as
// sets of rules per field value.
#pragma once
#include "control/compile/compile.hpp"
#include "control/compile/rules.hpp"
#include "control/compile/zones.hpp"

namespace weir::control {

struct DecisionTables {
  image::Form form = image::Form::matrix;
  std::vector<image::Decision> decisions;
  std::vector<u16> matrix_rows, matrix_cells;
  std::vector<image::RuleGroup> target_groups, source_groups;
  std::vector<image::RuleList> source_lists;
  std::vector<image::ListWord> list_words;
  std::vector<u64> rule_words, always_words, always_summaries;
  std::vector<u32> service_chunks;
  std::vector<u64> chunk_words;
  std::vector<u16> bit_rules;

  std::size_t bytes() const;  // of all but `decisions`
};

// `order`: statements by rule. Nothing when a matrix is wanted and does not fit.
std::optional<DecisionTables> decide(const Model& model, const Zones& zones, std::span<const u32> order,
                                     const Bits& bits, DecisionForm wanted);

}  // namespace weir::control
