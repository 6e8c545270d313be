// A worker's purse of one account: prepaid bytes that it may forward, debited before each packet leaves, by a
// subtraction and a comparison on a line that no other core writes. It asks for nothing itself: reports and wants go to
// the account keeper by a ring, grants come by one.
//
// Invariants: left <= taken; taken - left is what was spent and not yet reported. Threads: one, the worker's.
#pragma once
#include "dataplane/base/bytes.hpp"

#include <span>

namespace weir {

class Purse {
 public:
  struct Report {
    u64 spent = 0, returned = 0;
    bool is_empty() const { return (spent | returned) == 0; }
  };

  bool holds(u64 bytes) const { return left_ >= bytes; }
  u64 left() const { return left_; }

  // Debits a packet that is about to leave. False: it may not, and nothing was debited.
  bool spend(u64 bytes) {
    if (left_ < bytes) return false;
    left_ -= bytes;
    return true;
  }

  // A lease, which the keeper has recorded.
  void put(u64 bytes) {
    left_ += bytes;
    taken_ += bytes;
  }

  // What was spent since the last report. The rest stays.
  Report report() {
    const Report made{taken_ - left_, 0};
    taken_ = left_;
    return made;
  }
  // And everything else comes back.
  Report give_back() {
    const Report made{taken_ - left_, left_};
    taken_ = left_ = 0;
    return made;
  }
  // To be called at each beat: an idle purse goes back, so that its bytes are others' to spend.
  Report beat() { return taken_ == left_ ? give_back() : report(); }

 private:
  u64 left_ = 0, taken_ = 0;
};
static_assert(sizeof(Purse) == 16);

// Debits every purse, or none: a packet fits every budget that covers it.
inline bool spend_all(std::span<Purse* const> purses, u64 bytes) {
  for (const Purse* purse : purses)
    if (!purse->holds(bytes)) return false;
  for (Purse* purse : purses) purse->spend(bytes);
  return true;
}

}  // namespace weir
