#include "dataplane/budget/account.hpp"

namespace weir {

u64 Account::available(BudgetTime now) {
  u64 least = budget_bytes_max;
  advance(now);
  for (u32 i = 0; i < rule_->windows_count; ++i) {
    const WindowRule& rule = rule_->windows[i];
    // Both ends of an interval are in it: what may have left at known_since is out of sight only after its whole
    // length.
    const bool unknown = !rule.is_lifetime() && state_->known_since != 0 && now <= state_->known_since + rule.length_us;
    const u64 taken = add_bytes(spent(i), state_->outstanding);
    least = std::min(least, unknown || taken >= rule.limit_bytes ? 0 : rule.limit_bytes - taken);
  }
  return least;
}

// Up to the burst, leases included. Before leases change, so that time in which the bucket was full counts for nothing.
void Account::fill_bucket(BudgetTime now) {
  const u64 leased = std::min<u64>(state_->bucket_outstanding, rule_->burst_bytes);  // the burst may have been larger
  const u64 room = (rule_->burst_bytes - leased) * token_units;
  u128 tokens = state_->bucket_tokens;
  if (now > state_->bucket_at) tokens += static_cast<u128>(now - state_->bucket_at) * rule_->throttle_bits_per_s;
  state_->bucket_tokens = tokens > room ? room : static_cast<u64>(tokens);
  state_->bucket_at = std::max(state_->bucket_at, now);
}

u64 Account::grant_throttled(BudgetTime now, u64 least, u64 most) {
  if (rule_->on_exceed != Exceed::throttle) return 0;
  fill_bucket(now);
  const u64 bytes = std::min(most, state_->bucket_tokens / token_units);
  if (bytes < least) return 0;
  state_->bucket_tokens -= bytes * token_units;
  state_->bucket_outstanding += bytes;
  return bytes;
}

void Account::settle_throttled(BudgetTime now, u64 spent, u64 returned) {
  WEIR_CHECK(spent <= state_->bucket_outstanding && returned <= state_->bucket_outstanding - spent);
  fill_bucket(now);
  state_->bucket_outstanding -= spent + returned;
  state_->bucket_tokens += returned * token_units;
  state_->bucket_total = add_bytes(state_->bucket_total, spent);
}

u8 Account::newly_over(u32 index, u8 told) const {
  u8 over = 0;
  const u128 part = static_cast<u128>(spent(index)) * 100;
  for (u32 j = 0; j < rule_->alerts_count; ++j)
    if (part >= static_cast<u128>(rule_->windows[index].limit_bytes) * rule_->alert_percent[j])
      over |= static_cast<u8>(1u << j);
  return over & static_cast<u8>(~told);
}

u64 Account::crossings(BudgetTime now) {
  if (rule_->alerts_count == 0) return 0;
  advance(now);
  u64 found = 0;
  for (u32 i = 0; i < rule_->windows_count; ++i) {
    if (rule_->windows[i].is_lifetime()) {
      const u8 over = newly_over(i, static_cast<u8>(state_->lifetime_alerted));
      state_->lifetime_alerted |= over;
      found |= u64{over} << 8 * i;
      continue;
    }
    WindowState& state = window_state(i);
    if (now - std::min(now, state.alerted_at) > rule_->windows[i].length_us) state.alerted = 0;
    const u8 over = newly_over(i, state.alerted);
    if (over == 0) continue;
    state.alerted |= over;
    state.alerted_at = now;
    found |= u64{over} << 8 * i;
  }
  return found;
}

// Adds to `slots` (of the child, by index from its oldest) what this account counted, each byte where it can have left
// at the latest.
void Account::pour_into(const Window& child, const WindowRule& child_rule, std::span<u64> slots) const {
  const auto place = [&](BudgetTime last_moment, u64 bytes) {
    const u64 slot = std::min(child.slot_of(last_moment), child.newest());
    if (slot >= child.oldest()) slots[slot - child.oldest()] = add_bytes(slots[slot - child.oldest()], bytes);
  };
  if (state_->outstanding != 0) place(child.end_of(child.newest()), state_->outstanding);
  // The shortest window that is long enough knows best; else the longest one, and the rest of the total before it.
  u32 best = rule_->windows_count;
  const auto better = [&](u64 length, u64 than) {
    const bool enough = length >= child_rule.length_us, was_enough = than >= child_rule.length_us;
    return enough != was_enough ? enough : enough ? length < than : length > than;
  };
  each([&](u32 i, Window) {
    if (best == rule_->windows_count || better(rule_->windows[i].length_us, rule_->windows[best].length_us)) best = i;
  });
  if (best == rule_->windows_count) return place(child.end_of(child.newest()), state_->total);
  const Window parent = window(best);
  u64 seen = 0;
  for (u64 slot = parent.oldest(); slot <= parent.newest(); ++slot) {
    const u64 bytes = parent.bytes_in(slot);
    seen = add_bytes(seen, bytes);
    if (bytes != 0) place(parent.end_of(slot) - 1, bytes);
  }
  const bool enough = rule_->windows[best].length_us >= child_rule.length_us;
  if (!enough && state_->total > seen && parent.oldest() != 0)
    place(parent.end_of(parent.oldest() - 1) - 1, state_->total - seen);
}

void Account::inherit(BudgetTime now, std::span<const Account> parents, Own own, std::span<u64> scratch) {
  advance(now);
  u64 total = own.adds ? state_->total : 0;
  for (const Account& parent : parents)
    total = add_bytes(total, add_bytes(parent.state().total, parent.state().outstanding));
  each([&](u32 index, Window window) {
    const std::span<u64> slots = scratch.first(window.newest() - window.oldest() + 1);
    std::fill(slots.begin(), slots.end(), 0);
    for (const Account& parent : parents) parent.pour_into(window, rule_->windows[index], slots);
    for (u64 slot = std::max(window.oldest(), window.slot_of(own.complete_before)); slot <= window.newest(); ++slot) {
      const u64 theirs = slots[slot - window.oldest()], mine = window.bytes_in(slot);
      window.raise(slot, std::min(own.adds ? add_bytes(theirs, mine) : theirs, add_bytes(mine, own.meanwhile_most)));
    }
  });
  state_->total = std::max(state_->total, std::min(total, add_bytes(state_->total, own.meanwhile_most)));
}

}  // namespace weir
