// How many bytes to lease at once: as many as last a few grants' time at the pace at which an account spends, never so
// many that what lies in purses is missed by others. It decides no limit: Account::grant does.
//
// Threads: one, the account keeper's.
#pragma once
#include "dataplane/budget/account.hpp"

namespace weir {

class LeaseSize {
 public:
  // What to ask Account::grant for at most, when a worker wants at least `least`. `available`: what is free, of an
  // account whose smallest limit is `limit`, shared by so many workers.
  u64 next(BudgetTime now, u64 least, u64 available, u64 limit, u32 workers) {
    const u64 since = now - std::min(now, asked_at_);
    if (since < quick_us) size_ = std::min(size_ * 2, budget_bytes_max);
    else if (since > slow_us) size_ = std::max(size_ / 2, u64{least_size});
    asked_at_ = now;
    // At most half of a percent of the limit in all purses, and of what is free at most a half.
    const u64 fair = std::min(limit / 256, available / 2) / std::max(workers, 1u);
    return std::max(least, std::min(size_, fair));
  }

 private:
  static constexpr u64 quick_us = 25'000, slow_us = 250'000;  // a commit may take some milliseconds
  static constexpr u32 least_size = 4096;
  BudgetTime asked_at_ = 0;
  u64 size_ = least_size;
};

// A part of a limit, in ten-thousandths, rounded down, and never falling when the limit rises. A reserve is an account
// of its own with its part, beside one with the part that is left (budget: the reserve first, then the other); a
// max_share is an account per host with its part, debited as well. So neither raises the limit.
constexpr u64 share_of(u64 limit, u32 share) { return static_cast<u64>(static_cast<u128>(limit) * share / 10'000); }

}  // namespace weir
