// What a place or a service is to budgets and limits, as numbers: places that none of them tells apart have one number.
#pragma once
#include "control/compile/sequences.hpp"
#include "control/compile/services.hpp"
#include "control/model/model.hpp"

#include <optional>
#include <span>
#include <vector>

namespace weir::control {

// One account of the image: a budget's own, or that of one segment of its `from`.
struct ChargeAccountPlan {
  u32 budget;
  std::optional<u32> segment;
};

// Keys name what singles a place out. Of sources: accounts, then limits, then reserves. Of targets: budgets that name
// it, then budgets without `to` that it is inside, limits, reserves. Of services: budgets, reserves, limits.
//
// Invariants: source 0 is charged by nobody, target 0 is in no segment, service 0 is named by nobody. Threads: one.
class ChargeSides {
 public:
  ChargeSides(const Model& model, const Services& services);

  // False: no place is told from another, and every number is 0.
  bool any() const { return any_; }
  u32 source(std::span<const u32> segments);
  u32 target(std::span<const u32> segments);
  u32 service(std::span<const u32> service_sets);

  const std::vector<ChargeAccountPlan>& accounts() const { return accounts_; }
  u32 reserves_first(u32 budget) const { return reserves_first_[budget]; }  // among all reserves
  u32 budgets() const { return budgets_; }
  u32 reserves() const { return reserves_; }
  u32 limits() const { return limits_; }
  const Sequences<u32>& sources() const { return source_keys_; }
  const Sequences<u32>& targets() const { return target_keys_; }
  const Sequences<u32>& service_numbers() const { return service_keys_; }

 private:
  void mention();
  u32 number(std::span<const u32> names, const std::vector<std::vector<u32>>& by_name, Sequences<u32>& keys);

  const Model& model_;
  bool any_;
  u32 budgets_, limits_, reserves_ = 0;
  std::vector<ChargeAccountPlan> accounts_;
  std::vector<u32> reserves_first_;
  std::vector<std::vector<u32>> of_source_, of_target_, of_set_;  // keys by segment, segment, service set
  std::vector<u32> collected_;
  Sequences<u32> source_keys_, target_keys_, service_keys_;
};

}  // namespace weir::control
