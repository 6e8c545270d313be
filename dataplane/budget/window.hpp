// Bytes of one sliding window, in slots of time. A slot expires only when wholly older than the window, so that what is
// counted is never less than what left in any interval of the window's length that ends now.
//
// Compact: past slots are 16 bits of a unit that fits the limit, rounded up; the newest slot is exact. 32 bytes and two
// a slot: 160 bytes with 64 slots. Rounding costs at most slots / 32768 of the limit, and never lifts it.
//
// Invariants: past_units is the sum of the slots; slot k of time is at slots[k % count] while newest - count <= k <
// newest.
// Threads: one. Memory is lent.
#pragma once
#include "dataplane/base/check.hpp"
#include "dataplane/base/limits.hpp"
#include "dataplane/budget/budget_clock.hpp"

#include <span>

namespace weir {

inline constexpr u32 window_slots_min = 64, window_slots_max = 1024;
inline constexpr u64 window_length_us_max = u64{366} * 86'400 * 1'000'000;

// No limit and no sum of counted bytes is larger than budget_bytes_max: sums of two stay within 64 bits.
inline u64 add_bytes(u64 a, u64 b) {
  return a >= budget_bytes_max - std::min(b, budget_bytes_max) ? budget_bytes_max : a + b;
}

struct WindowRule {
  u64 limit_bytes = 0;
  u64 length_us = 0;  // 0: lifetime, which has no slots and is the account's total
  u32 slots = 0;
  bool is_lifetime() const { return length_us == 0; }
  bool operator==(const WindowRule&) const = default;
  u64 slot_us() const { return (length_us + slots - 1) / slots; }
  bool is_sound() const {
    if (limit_bytes > budget_bytes_max) return false;
    return is_lifetime() ? slots == 0
                         : slots >= window_slots_min && slots <= window_slots_max && length_us >= slots &&
                               length_us <= window_length_us_max;
  }
};

struct WindowState {
  u64 newest_bytes;
  u64 newest;  // which slot of time
  u64 alerted_at;
  u32 past_units;
  u8 shift;  // a unit is 2^shift bytes
  u8 alerted;  // thresholds that were reported, a bit each
};
static_assert(sizeof(WindowState) == 32);

class Window {
 public:
  // `state` and `slots` zeroed at first. Not for a lifetime.
  Window(const WindowRule& rule, WindowState& state, u16* slots)
      : slot_us_(rule.slot_us()), limit_(rule.limit_bytes), count_(rule.slots), state_(&state), slots_(slots) {}

  u64 slot_of(BudgetTime at) const { return at / slot_us_; }
  BudgetTime end_of(u64 slot) const { return (slot + 1) * slot_us_; }
  u64 newest() const { return state_->newest; }
  u64 oldest() const { return state_->newest > count_ ? state_->newest - count_ : 0; }

  // Forgets slots wholly older than the window. A time before the newest slot changes nothing.
  void advance(BudgetTime now) {
    const u64 slot = slot_of(now), last = state_->newest;
    if (slot <= last) return;
    const u64 bytes = state_->newest_bytes;
    const u64 passed = std::min<u64>(slot - last, u64{count_} + 1);
    if (passed > count_) forget_all();
    // Slot s takes the place of slot s - count, which has expired by now.
    else
      for (u64 s = last; s < last + passed; ++s) replace(s, 0);
    state_->newest = slot;
    state_->newest_bytes = 0;
    if (state_->past_units == 0) state_->shift = fitting_shift();
    if (passed <= count_ && bytes != 0) replace(last, units_of(bytes));
  }

  // Counts bytes of now, or of any earlier time.
  void add(u64 bytes) { state_->newest_bytes = add_bytes(state_->newest_bytes, bytes); }

  u64 spent() const {
    const u128 past = static_cast<u128>(state_->past_units) << state_->shift;
    return past >= budget_bytes_max ? budget_bytes_max : add_bytes(static_cast<u64>(past), state_->newest_bytes);
  }

  // What is counted in a slot of time; 0 for one that has expired or is to come.
  u64 bytes_in(u64 slot) const {
    if (slot == state_->newest) return state_->newest_bytes;
    if (slot > state_->newest || slot + count_ < state_->newest) return 0;
    return u64{slots_[slot % count_]} << state_->shift;
  }

  BudgetTime alerted_at() const { return state_->alerted_at; }
  u8 alerted() const { return state_->alerted; }
  void set_alerted(BudgetTime at, u8 bits) { state_->alerted_at = at, state_->alerted = bits; }

  // Counts at least this in a slot that has not expired.
  void raise(u64 slot, u64 bytes) {
    if (slot > state_->newest || slot + count_ < state_->newest || bytes <= bytes_in(slot)) return;
    if (slot == state_->newest) state_->newest_bytes = std::min(bytes, budget_bytes_max);
    else replace(slot, units_of(bytes));
  }

 private:
  void forget_all() {
    std::memset(slots_, 0, count_ * sizeof *slots_);
    state_->past_units = 0;
  }

  void replace(u64 slot, u16 units) {
    u16& place = slots_[slot % count_];
    state_->past_units += units;
    state_->past_units -= place;
    place = units;
  }

  // Rounded up; the unit grows until it fits, and what is there with it, rounded up too.
  u16 units_of(u64 bytes) {
    while ((std::min(bytes, budget_bytes_max) + (u64{1} << state_->shift) - 1) >> state_->shift > 0xffff) coarsen();
    return static_cast<u16>((std::min(bytes, budget_bytes_max) + (u64{1} << state_->shift) - 1) >> state_->shift);
  }

  void coarsen() {
    ++state_->shift;
    state_->past_units = 0;
    for (u32 i = 0; i < count_; ++i) {
      slots_[i] = static_cast<u16>((slots_[i] + 1) >> 1);
      state_->past_units += slots_[i];
    }
  }

  u8 fitting_shift() const {
    u8 shift = 0;
    while (limit_ >> shift > 0xffff) ++shift;
    return shift;
  }

  u64 slot_us_, limit_;
  u32 count_;
  WindowState* state_;
  u16* slots_;
};

}  // namespace weir
