// How fast the flows that nobody sends packets of are judged again after a policy change: epochs, and a walk over the
// flow table's records paced by time. Pure arithmetic: it sees no record and no policy, the pipeline does what it says.
//
// A new epoch begins when cached decisions must be asked again: a policy flip, or an allow that expires. From then on
// the walk owes every record that was in use; it goes on from where it is, once round, at a rate that ends after three
// quarters of the deadline. What is late is made up with larger steps; past the deadline all that is left is due.
//
// Invariants: once left() is 0, no live record carries the mark of an earlier epoch. At most epochs - 2 epochs begin
// without that having been so once; begin() then asks that all records be judged before any packet is. So marks come
// round (there are epochs - 1 of them) only when no record carries the old one. Threads: one.
#pragma once
#include "dataplane/base/tick.hpp"
#include "dataplane/flow/record.hpp"

#include <algorithm>

namespace weir {

class Sweep {
 public:
  // Records whose decisions are asked together.
  static constexpr u32 group_records = 32;
  // The most records of a step: a burst of packets makes one step, and waits for it.
  static constexpr u32 step_records_max = 512;
  static constexpr Tick never = ~Tick{0};

  // The mark that flows judged now carry: 1 .. epochs - 1, or 0 before the first begin().
  u32 epoch() const { return epoch_; }

  // A new epoch at `now`, with records 0 .. used-1 to look at until now + deadline. True when all of them must be
  // judged before the next packet, whatever their marks say: then the caller does so and calls finish().
  bool begin(Tick now, u32 used, Tick deadline) {
    epoch_ = epoch_ == epochs - 1 ? epoch_stale + 1 : epoch_ + 1;
    began_ = now;
    pace_ = std::max<Tick>(deadline / 4 * 3, 1);
    deadline_ = deadline;
    used_ = left_ = used;
    if (cursor_ >= used) cursor_ = 0;
    return left_ == 0 ? (unmet_ = 0, false) : ++unmet_ == epochs - 1;
  }

  // Records that are still to be looked at, the next of them, and since when they have been owed.
  u32 left() const { return left_; }
  u32 cursor() const { return cursor_; }
  Tick began() const { return began_; }

  // How many to look at now.
  u32 step(Tick now) const {
    const Tick elapsed = now - began_;
    if (elapsed >= deadline_) return left_;
    const u64 wanted = elapsed >= pace_ ? used_ : u64{used_} * elapsed / pace_;
    const u64 done = used_ - left_;
    return wanted <= done ? 0 : static_cast<u32>(std::min<u64>(wanted - done, step_records_max));
  }
  // When the next step is worth taking: later than `now`, so that packets of one time share one step.
  Tick next(Tick now) const {
    if (left_ == 0) return never;
    const u64 then = std::min<u64>(u64{used_} - left_ + group_records, used_);
    return std::max(began_ + (then * pace_ + used_ - 1) / used_, now + 1);
  }
  // From cursor() on, how many records may be looked at in one go.
  u32 stretch(u32 count) const { return std::min({count, group_records, left_, used_ - cursor_}); }
  // They have been.
  void advance(u32 count) {
    cursor_ += count;
    if (cursor_ == used_) cursor_ = 0;
    left_ -= count;
    if (left_ == 0) unmet_ = 0;
  }
  // No record is in use any more.
  void clear() { left_ = unmet_ = cursor_ = 0; }

 private:
  u32 epoch_ = epoch_stale;
  u32 unmet_ = 0;  // epochs begun since left_ was 0
  u32 used_ = 0, left_ = 0, cursor_ = 0;
  Tick began_ = 0, pace_ = 1, deadline_ = 0;
};

}  // namespace weir
