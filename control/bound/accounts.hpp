// The accounts of a policy's budgets, limits, segment rates and links, and which of them count a packet. It decides
// only upward: what it cannot tell is not counted on.
#pragma once
#include "control/bound/network.hpp"

namespace weir::control {

class Accounts {
 public:
  Accounts(const Model& model, const Places& places);

  // Those that every packet from a place to another counts on, whatever its service; appended to `found`.
  void of_source(u32 from, std::vector<u32>& found) const;
  // Whether a budget covers packets between them, by addresses alone; its accounts.
  bool budget_covers(u32 budget, u32 from, u32 to) const;
  void of_budget(u32 budget, u32 from, std::vector<u32>& found) const;
  // Whether a limit holds for connections that `dialler` opens.
  bool limit_covers(u32 limit, u32 dialler, u32 target) const;
  std::optional<u32> of_limit(u32 limit) const { return limit_account_[limit]; }
  u32 of_links() const { return link_account_; }

  std::vector<Account> take() { return std::move(accounts_); }

 private:
  std::optional<u32> add(Account account);
  void add_budget(u32 index);
  void add_limit(u32 index);

  const Model& model_;
  const Places& places_;
  std::vector<Account> accounts_;
  struct OfBudget {
    std::optional<u32> whole;
    std::vector<std::optional<u32>> by_segment;  // along Budget::from
  };
  std::vector<OfBudget> of_budget_;
  std::vector<std::optional<u32>> limit_account_, rate_account_;
  u32 link_account_ = 0;
};

}  // namespace weir::control
