// A row is made from what its source and target have in common: lists for every service, and lists of the services that
// some statement names. Only targets whose row differs from their source's own are listed.
#include "control/compile/charges.hpp"

#include <algorithm>

namespace weir::control {

namespace {

class Rows {
 public:
  Rows(const Model& model, const ChargeSides& sides, Contents& contents)
      : model_(model), sides_(sides), contents_(contents), columns_(sides.service_numbers().count()) {
    charges_.intern(std::vector<u32>{0});
    contents_.charges.push_back({0, 0, 0, 0});
    targets_of_.resize(2 * sides.budgets() + sides.limits() + sides.reserves());
    for (u32 target = 1; target < sides.targets().count(); ++target)
      for (const u32 key : sides.targets().at(target)) targets_of_[key].push_back(target);
    services_of_.resize(sides.budgets() + sides.reserves() + sides.limits());
    for (u32 service = 0; service < columns_; ++service)
      for (const u32 key : sides.service_numbers().at(service)) services_of_[key].push_back(service);
    for (u32 l = 0; l < sides.limits(); ++l)
      if (model.limits[l].from_any) wild_limits_.push_back(l);
  }

  bool build() {
    for (u32 source = 0; source < sides_.sources().count(); ++source) {
      take(source);
      const u32 first = static_cast<u32>(contents_.charge_targets.size());
      const u32 otherwise = row(otherwise_);
      for (const u32 target : relevant_) {
        const u32 own = row(target);
        if (own != otherwise) contents_.charge_targets.push_back({target, own});
        if (rows_.pool().size() > charge_cells_max) return false;
      }
      const u32 count = static_cast<u32>(contents_.charge_targets.size()) - first;
      contents_.charge_sources.push_back({first, count, otherwise});
    }
    contents_.charge_rows = rows_.pool();
    return true;
  }

 private:
  static constexpr u32 otherwise_ = ~u32{0};  // a target that no statement of the source singles out

  // The source's keys, sorted by what they are, and the targets that may differ.
  void take(u32 source) {
    accounts_.clear(), limits_ = wild_limits_, reserves_.clear(), relevant_ = {image::charge_nowhere};
    const u32 accounts = static_cast<u32>(sides_.accounts().size());
    for (const u32 key : sides_.sources().at(source)) {
      if (key < accounts) accounts_.push_back(key);
      else if (key < accounts + sides_.limits()) limits_.push_back(key - accounts);
      else reserves_.push_back(key - accounts - sides_.limits());
    }
    std::sort(limits_.begin(), limits_.end());
    const auto add = [&](u32 key) {
      relevant_.insert(relevant_.end(), targets_of_[key].begin(), targets_of_[key].end());
    };
    for (const u32 account : accounts_) {
      const u32 b = sides_.accounts()[account].budget;
      add(model_.budgets[b].to_any ? sides_.budgets() + b : b);
      for (u32 r = 0; r < model_.budgets[b].reserves.size(); ++r)
        add(2 * sides_.budgets() + sides_.limits() + sides_.reserves_first(b) + r);
    }
    for (const u32 l : limits_)
      if (!model_.limits[l].to_any) add(2 * sides_.budgets() + l);
    std::sort(relevant_.begin(), relevant_.end());
    relevant_.erase(std::unique(relevant_.begin(), relevant_.end()), relevant_.end());
  }

  bool target_has(u32 target, u32 key) const {
    if (target == otherwise_ || target == image::charge_nowhere) return false;
    const auto keys = sides_.targets().at(target);
    return std::binary_search(keys.begin(), keys.end(), key);
  }

  // Reserves of a budget that the source or the target opens; those that services open are added by service.
  u32 reserves_of(u32 b, u32 target) const {
    u32 bits = 0;
    for (u32 r = 0; r < model_.budgets[b].reserves.size(); ++r) {
      const u32 at = sides_.reserves_first(b) + r;
      if (std::binary_search(reserves_.begin(), reserves_.end(), at) ||
          target_has(target, 2 * sides_.budgets() + sides_.limits() + at))
        bits |= u32{1} << r;
    }
    return bits;
  }

  struct Cell {
    std::vector<u32> accounts;  // account, reserves, account, ...
    std::vector<u32> limits;
  };

  void add_account(std::vector<Cell>& cells, u32 account, u32 target) {
    const u32 b = sides_.accounts()[account].budget;
    const Budget& budget = model_.budgets[b];
    const bool nowhere = target == image::charge_nowhere;
    const bool there = nowhere || (budget.to_any ? !target_has(target, sides_.budgets() + b) : target_has(target, b));
    if (!there) return;
    const u32 bits = reserves_of(b, target);
    const auto add = [&](Cell& cell) { cell.accounts.insert(cell.accounts.end(), {account, bits}); };
    if (nowhere || budget.any_service) std::for_each(cells.begin(), cells.end(), add);
    else
      for (const u32 service : services_of_[b]) add(cells[service]);
    for (u32 r = 0; r < budget.reserves.size(); ++r)
      for (const u32 service : services_of_[sides_.budgets() + sides_.reserves_first(b) + r])
        if (auto& list = cells[service].accounts; list.size() >= 2 && list[list.size() - 2] == account)
          list.back() |= u32{1} << r;
  }

  u32 row(u32 target) {
    std::vector<Cell> cells(columns_);
    for (const u32 account : accounts_) add_account(cells, account, target);
    for (const u32 l : limits_) {
      const Limit& limit = model_.limits[l];
      if (!limit.to_any && !target_has(target, 2 * sides_.budgets() + l)) continue;
      for (u32 service = 0; limit.any_service && service < columns_; ++service) cells[service].limits.push_back(l);
      if (!limit.any_service)
        for (const u32 service : services_of_[sides_.budgets() + sides_.reserves() + l])
          cells[service].limits.push_back(l);
    }
    std::vector<u32> numbers;
    for (const Cell& cell : cells) numbers.push_back(charge(cell));
    return rows_.intern(numbers);
  }

  u32 charge(const Cell& cell) {
    key_.assign(1, static_cast<u32>(cell.accounts.size()));
    key_.insert(key_.end(), cell.accounts.begin(), cell.accounts.end());
    key_.insert(key_.end(), cell.limits.begin(), cell.limits.end());
    const u32 number = charges_.intern(key_);
    if (number < contents_.charges.size()) return number;
    contents_.charges.push_back(
        {static_cast<u32>(contents_.charge_accounts.size()), static_cast<u32>(cell.accounts.size() / 2),
         static_cast<u32>(contents_.charge_limits.size()), static_cast<u32>(cell.limits.size())});
    for (u32 i = 0; i < cell.accounts.size(); i += 2)
      contents_.charge_accounts.push_back({cell.accounts[i], cell.accounts[i + 1]});
    contents_.charge_limits.insert(contents_.charge_limits.end(), cell.limits.begin(), cell.limits.end());
    return number;
  }

  const Model& model_;
  const ChargeSides& sides_;
  Contents& contents_;
  u32 columns_;
  std::vector<std::vector<u32>> targets_of_, services_of_;  // by key
  std::vector<u32> wild_limits_;  // without `from`
  std::vector<u32> accounts_, limits_, reserves_, relevant_;  // of the present source
  std::vector<u32> key_;
  Sequences<u32> charges_, rows_;
};

}  // namespace

bool put_charges(const Model& model, const ChargeSides& sides, Contents& contents) {
  contents.meta[0].charge_services_count = sides.service_numbers().count();
  return Rows(model, sides, contents).build();
}

}  // namespace weir::control
