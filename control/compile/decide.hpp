// The decision tables: (source zone, target zone, service) to decision, as a dense matrix while that is small, else as
// sets of rules per field value.
#pragma once
#include "control/compile/compile.hpp"
#include "control/compile/zones.hpp"

namespace weir::control {

struct DecisionTables {
  image::Form form;
  std::vector<image::Decision> decisions;
  std::vector<u16> matrix_rows, matrix_cells;
  std::vector<image::RuleGroup> source_rules, target_rules, service_rules;
  std::vector<u64> rule_words;

  std::size_t bytes() const;
};

// Nothing when a matrix is wanted and does not fit.
std::optional<DecisionTables> decide(const Model& model, const Zones& zones, std::span<const u32> order,
                                     DecisionForm wanted);

}  // namespace weir::control
