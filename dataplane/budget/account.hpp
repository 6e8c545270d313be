// One account of a budget: what left, in every window at once, and what is leased to workers. It grants leases such
// that in ANY interval of a window's length at most the limit is forwarded, by all workers together; docs/ledger.md has
// the proof. It keeps nothing on disk: who grants records the lease before a worker sees it (dataplane/ledger).
//
// A lease counts in every window from its grant until it is settled; when settled, what was spent counts as spent at
// that moment, the latest at which it can have left, and what was not is free again.
//
// Invariants: for accounts that deny or throttle, a grant leaves spent + outstanding <= limit in every window; bucket
// tokens + bucket leases never exceed the burst. Threads: one, the account keeper's. Memory is lent.
#pragma once
#include "dataplane/budget/window.hpp"

#include <array>

namespace weir {

inline constexpr u32 account_windows_max = budget_windows_max, account_alerts_max = budget_alerts_max;

enum class Exceed : u8 { deny, throttle, alert };

// Shared by all accounts of a statement.
struct AccountRule {
  std::array<WindowRule, account_windows_max> windows{};
  u32 windows_count = 0;
  Exceed on_exceed = Exceed::deny;
  u64 throttle_bits_per_s = 0;
  u32 burst_bytes = 0;  // of the throttle: one MTU
  std::array<u8, account_alerts_max> alert_percent{};
  u32 alerts_count = 0;

  // 64-bit words that an account's windows take: the states, then all slots. No lifetime is among them.
  u32 memory_words() const { return words_before(windows_count); }
  u32 words_before(u32 index) const {
    u32 words = 0;
    for (u32 i = 0; i < index; ++i)
      if (!windows[i].is_lifetime()) words += static_cast<u32>(sizeof(WindowState) / 8) + (windows[i].slots + 3) / 4;
    return words;
  }
  u64 longest_us() const {
    u64 longest = 0;
    for (u32 i = 0; i < windows_count; ++i) longest = std::max(longest, windows[i].length_us);
    return longest;
  }
  bool has_lifetime() const {
    for (u32 i = 0; i < windows_count; ++i)
      if (windows[i].is_lifetime()) return true;
    return false;
  }
  bool is_sound() const {
    if (windows_count == 0 || windows_count > account_windows_max || alerts_count > account_alerts_max) return false;
    for (u32 i = 0; i < windows_count; ++i)
      if (!windows[i].is_sound()) return false;
    return on_exceed != Exceed::throttle || (!has_lifetime() && burst_bytes != 0);
  }
  bool operator==(const AccountRule&) const = default;
};

struct AccountState {
  u64 total;  // ever spent, what was inherited included
  u64 outstanding;  // leased and not settled
  // What left before this time is not known, so windows that reach back to it are closed. 0: all is known.
  BudgetTime known_since;
  u64 bucket_tokens;  // of the throttle, in 1 / 8,000,000 byte
  BudgetTime bucket_at;
  u64 bucket_outstanding;  // bytes
  u64 bucket_total;  // ever spent beyond the windows: for the record, not for any limit
  u64 lifetime_alerted;  // thresholds of the lifetime that were reported, a bit each
};

class Account {
 public:
  // `memory`: rule.memory_words() words, zeroed at first; `state` too.
  Account(const AccountRule& rule, AccountState& state, u64* memory) : rule_(&rule), state_(&state), memory_(memory) {}

  const AccountRule& rule() const { return *rule_; }
  const AccountState& state() const { return *state_; }
  AccountState& state() { return *state_; }

  // A view of the window with this index; not of a lifetime.
  Window window(u32 index) const {
    WindowState& state = window_state(index);
    return {rule_->windows[index], state, reinterpret_cast<u16*>(&state + 1)};
  }

  void advance(BudgetTime now) {
    each([&](u32, Window window) { window.advance(now); });
  }

  u64 spent(u32 index) const { return rule_->windows[index].is_lifetime() ? state_->total : window(index).spent(); }

  // What a new lease may hold at most. Windows are advanced to now.
  u64 available(BudgetTime now);

  // A lease of at most `most` bytes, or none (0) when not even `least` are there: less than a packet is of no use.
  u64 grant(BudgetTime now, u64 least, u64 most) {
    const u64 bytes = rule_->on_exceed == Exceed::alert ? std::max(least, most) : std::min(most, available(now));
    if (bytes < least) return 0;
    state_->outstanding = add_bytes(state_->outstanding, bytes);
    return bytes;
  }

  // Of the outstanding bytes so many were spent, by now at the latest, and so many came back. `now` was read after the
  // worker's report was.
  void settle(BudgetTime now, u64 spent, u64 returned) {
    WEIR_CHECK(spent <= state_->outstanding && returned <= state_->outstanding - spent);
    state_->outstanding -= spent + returned;
    count(now, spent);
  }

  // The workers are gone and nobody knows what they spent.
  void lose(BudgetTime now) {
    settle(now, state_->outstanding, 0);
    state_->bucket_outstanding = state_->bucket_tokens = 0;
    state_->bucket_at = now;
  }

  // Beyond the windows, through the bucket. It begins empty, also after a restart, so nothing of it needs a disk.
  u64 grant_throttled(BudgetTime now, u64 least, u64 most);
  void settle_throttled(BudgetTime now, u64 spent, u64 returned);

  // Thresholds that are crossed, each told at most once in a window's length: bit 8 * window + threshold.
  u64 crossings(BudgetTime now);

  // What an account has counted itself, when it inherits.
  struct Own {
    BudgetTime complete_before = 0;  // until then it was in force and counted all; 0: never
    bool adds = false;  // the parents need not have counted what it did: the sum, not the larger
    u64 meanwhile_most = budget_bytes_max;  // what can have left since then
  };
  // Takes over what `parents` counted of the same traffic, slot by slot: the sum of what they hold, since what they
  // cover may be apart, or what it holds itself where that is more. A window longer than all of a parent's takes the
  // rest of the parent's total as spent when the parent's longest began; leased bytes count as spent now. `scratch`:
  // window_slots_max + 1 words. Everybody is advanced to `now`.
  void inherit(BudgetTime now, std::span<const Account> parents, Own own, std::span<u64> scratch);

 private:
  static constexpr u64 token_units = 8'000'000;  // bits times microseconds in a second

  u32 words_before(u32 index) const { return rule_->words_before(index); }
  template <class Visit>
  void each(Visit&& visit) const {
    for (u32 i = 0; i < rule_->windows_count; ++i)
      if (!rule_->windows[i].is_lifetime()) visit(i, window(i));
  }
  void count(BudgetTime now, u64 bytes) {
    each([&](u32, Window window) {
      window.advance(now);
      window.add(bytes);
    });
    state_->total = add_bytes(state_->total, bytes);
  }
  void pour_into(const Window& child, const WindowRule& child_rule, std::span<u64> slots) const;
  void fill_bucket(BudgetTime now);
  u8 newly_over(u32 index, u8 told) const;
  WindowState& window_state(u32 index) const { return *reinterpret_cast<WindowState*>(memory_ + words_before(index)); }

  const AccountRule* rule_;
  AccountState* state_;
  u64* memory_;
};

}  // namespace weir
