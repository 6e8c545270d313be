// Keys are collected per segment once; a place's are the union of those of its segments.
#include "control/compile/charge_sides.hpp"

#include <algorithm>

namespace weir::control {

namespace {

constexpr u32 key_nowhere = ~u32{0};

}  // namespace

ChargeSides::ChargeSides(const Model& model, const Services& services)
    : model_(model),
      any_(!model.budgets.empty() || !model.limits.empty()),
      budgets_(static_cast<u32>(model.budgets.size())),
      limits_(static_cast<u32>(model.limits.size())),
      of_source_(model.segments.size()),
      of_target_(model.segments.size()),
      of_set_(services.points.size()) {
  source_keys_.intern({});
  service_keys_.intern({});
  target_keys_.intern(std::vector<u32>{key_nowhere});
  for (u32 b = 0; b < budgets_; ++b) {
    const Budget& budget = model.budgets[b];
    reserves_first_.push_back(reserves_);
    reserves_ += static_cast<u32>(budget.reserves.size());
    if (budget.scope == Budget::Scope::fleet) accounts_.push_back({b, std::nullopt});
    else
      for (const u32 segment : budget.from) accounts_.push_back({b, segment});
  }
  mention();
  for (u32 key = 0; key < services.charge_set_of.size(); ++key)
    if (services.charge_set_of[key] != no_service_set) of_set_[services.charge_set_of[key]].push_back(key);
}

void ChargeSides::mention() {
  const u32 accounts = static_cast<u32>(accounts_.size());
  for (u32 a = 0; a < accounts; ++a) {
    if (accounts_[a].segment) of_source_[*accounts_[a].segment].push_back(a);
    else
      for (const u32 segment : model_.budgets[accounts_[a].budget].from) of_source_[segment].push_back(a);
  }
  for (u32 b = 0; b < budgets_; ++b) {
    const Budget& budget = model_.budgets[b];
    for (const u32 segment : budget.to) of_target_[segment].push_back(b);
    if (budget.to_any)
      for (const u32 segment : budget.from) of_target_[segment].push_back(budgets_ + b);
    for (u32 r = 0; r < budget.reserves.size(); ++r) {
      if (!budget.reserves[r].segment) continue;
      of_source_[*budget.reserves[r].segment].push_back(accounts + limits_ + reserves_first_[b] + r);
      of_target_[*budget.reserves[r].segment].push_back(2 * budgets_ + limits_ + reserves_first_[b] + r);
    }
  }
  for (u32 l = 0; l < limits_; ++l) {
    for (const u32 segment : model_.limits[l].from) of_source_[segment].push_back(accounts + l);
    for (const u32 segment : model_.limits[l].to) of_target_[segment].push_back(2 * budgets_ + l);
  }
}

u32 ChargeSides::number(std::span<const u32> names, const std::vector<std::vector<u32>>& by_name,
                        Sequences<u32>& keys) {
  collected_.clear();
  for (const u32 name : names) collected_.insert(collected_.end(), by_name[name].begin(), by_name[name].end());
  std::sort(collected_.begin(), collected_.end());
  collected_.erase(std::unique(collected_.begin(), collected_.end()), collected_.end());
  return keys.intern(collected_);
}

u32 ChargeSides::source(std::span<const u32> segments) { return number(segments, of_source_, source_keys_); }

u32 ChargeSides::target(std::span<const u32> segments) {
  return segments.empty() || !any_ ? 0 : number(segments, of_target_, target_keys_);
}

u32 ChargeSides::service(std::span<const u32> service_sets) { return number(service_sets, of_set_, service_keys_); }

}  // namespace weir::control
