// Policies of the world, and their installation: what weir-control will do, in its simplest form.
#include "tests/property/ledger_world.hpp"

namespace weir::test {

AccountRule LedgerWorld::random_rule() {
  AccountRule rule;
  // Who opens empty knows nothing of accounts that were forgotten since: so these had windows as long as any.
  const u32 sliding = opens_empty_ ? 2 : 1 + static_cast<u32>(below(2));
  u64 length_us = window_us_ + (chance(20) && !opens_empty_ ? below(window_us_) : 0), limit = 2000 + below(12'000);
  for (u32 i = 0; i < sliding; ++i) {
    rule.windows[rule.windows_count++] = {limit, length_us, window_slots_min + static_cast<u32>(below(3) * 16)};
    length_us *= opens_empty_ ? 5 : 2 + below(8);
    limit += below(3 * limit);
  }
  if (has_lifetimes_) rule.windows[rule.windows_count++] = {limit + below(4 * limit), 0, 0};
  if (throttles_) {
    rule.on_exceed = Exceed::throttle;
    rule.burst_bytes = 1500;
    // Of the order of the limit in a window.
    rule.throttle_bits_per_s = 1 + below(limit) * 8'000'000 / window_us_;
  }
  return rule;
}

LedgerWorld::Budget LedgerWorld::random_budget(ClassSet covers) {
  Budget made{covers, nullptr, random_rule()};
  ledger::Statement told{"budget-" + std::to_string(below(1000)), made.promised};
  // So that the newest slots count - 1 are kept, and no more.
  if (mistake_ == Mistake::early_slot)
    for (u32 i = 0; i < told.rule.windows_count; ++i)
      if (!told.rule.windows[i].is_lifetime())
        told.rule.windows[i].length_us -= told.rule.windows[i].length_us / told.rule.windows[i].slots;
  made.told = std::make_shared<const ledger::Statement>(std::move(told));
  return made;
}

// One to three budgets, of classes together, apart, overlapping; what none covers leaves uncounted.
LedgerWorld::Policy LedgerWorld::random_policy() {
  BudgetSet chosen = 0;
  if (chance(30)) chosen = 1u << all_classes;
  else if (chance(40)) chosen = 1u << 0b001 | 1u << 0b110;
  else
    for (u64 i = 0, count = 1 + below(3); i < count; ++i) chosen |= 1u << (1 + below(all_classes));
  Policy made;
  for (ClassSet covers = 1; covers <= all_classes; ++covers)
    if ((chosen >> covers & 1) != 0) made.push_back(random_budget(covers));
  return made;
}

void LedgerWorld::change_limits(Policy& policy) {
  for (Budget& budget : policy) budget = random_budget(budget.covers);
}

ledger::Identity LedgerWorld::identity_of(ClassSet covers) {
  ledger::Identity made;
  made.bytes[0] = static_cast<u8>(covers);
  made.bytes[9] = 77;
  return made;
}

// As dataplane/ledger/books.hpp says it.
ledger::Opening LedgerWorld::opening_of(const Budget& budget, const ledger::Identity& identity) const {
  ledger::Opening made;
  ClassSet covered = 0;
  for (const bool retired : {false, true})
    for (ClassSet covers = 1; covers <= all_classes; ++covers) {
      const ledger::Book* book = ledger_->books().find(identity_of(covers));
      if (book == nullptr || book->is_retired != retired || book->identity == identity) continue;
      const ClassSet shared = covers & budget.covers;
      if (shared == 0 || (retired && (shared & ~covered) == 0)) continue;
      if (!retired) covered |= covers;
      made.parents.push_back(book->identity);
    }
  made.is_covered = (budget.covers & ~covered) == 0;
  made.is_empty = opens_empty_;
  return made;
}

// Leases come back first; then the accounts of the new policy are opened and the others retired, on the disk; then the
// policy is in force. Whether the ledger is open afterwards.
bool LedgerWorld::install(const Policy& policy) {
  for (u32 worker = 0; worker < workers; ++worker) report(worker, true);
  ledger_->advance(reading());
  for (const Message& message : messages_) {
    if (message.is_throttled) ledger_->settle_throttled(live_[message.live].number, message.spent, message.returned);
    else ledger_->settle(live_[message.live].number, message.spent, message.returned);
  }
  messages_.clear();
  std::vector<Live> next;
  for (const Budget& budget : policy) {
    const ledger::Identity identity = identity_of(budget.covers);
    ledger::Opening opening = opening_of(budget, identity);
    if (mistake_ == Mistake::no_inheritance) opening = {{}, false, true};
    next.push_back({budget, ledger_->account(identity, budget.told, opening), {}, {}});
  }
  for (ClassSet covers = 1; covers <= all_classes; ++covers) {
    const ledger::Book* book = ledger_->books().find(identity_of(covers));
    if (book == nullptr || book->is_retired) continue;
    bool named = false;
    for (const Live& one : next) named = named || one.budget.covers == covers;
    if (!named) ledger_->retire(*ledger_->books().number_of(book->identity));
  }
  live_.clear();
  if (!ledger_->commit(true)) {
    ++closings_;
    ledger_.reset();
    return false;
  }
  live_ = std::move(next);
  return true;
}

}  // namespace weir::test
