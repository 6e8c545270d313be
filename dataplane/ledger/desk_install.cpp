// The desk when policies change: what is opened, kept, retired, and from whom the new inherits.
#include "dataplane/ledger/desk.hpp"

#include <algorithm>
#include <unordered_set>

namespace weir::ledger {
namespace {

constexpr u64 told_within_us = 1'000'000;  // ten rounds of a till

}  // namespace

Desk::Desk(Ledger& ledger, const DeskTerms& terms) : ledger_(ledger), terms_(terms) { look_around(); }

// What the ledger knows, by plan.
void Desk::look_around() {
  known_.clear();
  const auto& books = ledger_.books().all();
  for (Number number = 0; number < books.size(); ++number) {
    if (books[number].statement == nullptr) continue;
    Known& known = known_[books[number].identity.plan()];
    known.numbers.push_back(number);
    known.is_live |= !books[number].is_retired;
  }
  for (auto& [id, known] : known_) {
    const auto words = ledger_.books().descriptions().find(id);
    if (words == ledger_.books().descriptions().end()) continue;
    if (auto cover = cover_of(words->second)) known.cover = std::move(*cover);
  }
  for (auto& [id, seat] : seats_) seat.hosts_known = (known_[id].numbers.size() - 1) / seat.plan.parts.size();
}

bool Desk::is_open(u64 id) const {
  const auto known = known_.find(id);
  return known != known_.end() && known->second.is_live;
}

bool Desk::is_replaced(const Seat& seat, std::span<const AccountPlan> plans) const {
  for (const AccountPlan& plan : plans) {
    if (plan.id == seat.plan.id)
      for (std::size_t part = 0; part < plan.parts.size(); ++part)
        if (is_stricter(plan.parts[part]->rule, seat.plan.parts[part]->rule)) return true;
    if (!is_open(plan.id) && plan.cover.meets(seat.plan.cover)) return true;
  }
  return false;
}

void Desk::purses_of(const Seat& seat, std::vector<u32>& to) const {
  const auto add = [&](const Run& run) {
    for (u32 i = 0; i < seat.plan.purses(); ++i) to.push_back(run.first + i);
  };
  if (!seat.plan.cover.is_by_host) add(seat.run);
  for (const auto& [host, run] : seat.hosts) add(run);
}

std::vector<u32> Desk::to_come_back(const Policy& policy, Tick wall_now) const {
  const std::vector<AccountPlan> plans = account_plans(policy, wall_now);
  std::vector<u32> purses;
  for (const auto& [id, seat] : seats_)
    if (is_replaced(seat, plans)) purses_of(seat, purses);
  return purses;
}

std::vector<u32> Desk::leaving() const {
  std::vector<u32> purses;
  for (const auto& [id, seat] : seats_)
    if (seat.is_leaving) purses_of(seat, purses);
  return purses;
}

bool Desk::are_back(std::span<const u32> purses) const {
  return std::ranges::all_of(purses, [&](u32 purse) {
    if (purses_[purse].seat == nullptr) return true;
    const AccountState& state = ledger_.books().all()[purses_[purse].number].state;
    return (state.outstanding | state.bucket_outstanding) == 0;
  });
}

// Bytes of hosts are in the accounts of each of them, and what they took over at first in the one of the seat.
void Desk::add_parents(Opening& opening, AccountPlan& plan, u64 id, const Known& parent) const {
  const auto& books = ledger_.books().all();
  if (!plan.cover.is_by_host || parent.cover.is_by_host == 0) {
    for (const Number number : parent.numbers) opening.parents.push_back(books[number].identity);
    return;
  }
  AccountPlan of_parent;
  of_parent.id = id;
  opening.parents.push_back(of_parent.identity(part_of_seat));
  plan.cover.host_parents.push_back(id);
  for (const u64 older : parent.cover.host_parents)
    if (known_.contains(older) && older != plan.id) plan.cover.host_parents.push_back(older);
}

// One live account that counts all of it knows all; else every live one that counts some of it, and the retired ones,
// unless the live ones count all of it together.
Opening Desk::opening_of(AccountPlan& plan) const {
  Opening made;
  made.is_empty = plan.opens_empty || terms_.begins_empty;
  const auto counts_some = [&](u64 id, const Known& known) {
    return id != plan.id && (known.cover.is_share == 0 || plan.cover.is_by_host != 0) &&
           plan.cover.meets(known.cover);
  };
  std::vector<const AccountCover*> live;
  const std::pair<const u64, Known>* best = nullptr;
  for (const auto& one : known_) {
    const AccountCover& cover = one.second.cover;
    if (!one.second.is_live || !counts_some(one.first, one.second)) continue;
    live.push_back(&cover);
    const bool is_better = best == nullptr || (cover.is_by_host == plan.cover.is_by_host &&
                                               best->second.cover.is_by_host != plan.cover.is_by_host);
    if (is_better && covers_all(cover, plan.cover)) best = &one;
  }
  made.is_covered = best != nullptr || cover_all_of(plan.cover, live);
  for (const auto& one : known_)
    if (best != nullptr ? &one == best
                        : (one.second.is_live || !made.is_covered) && counts_some(one.first, one.second))
      add_parents(made, plan, one.first, one.second);
  return made;
}

// A host that speaks first: what stood for it until now, and what was its own under other policies.
Opening Desk::opening_of_host(const Seat& seat, const HostKey& host) const {
  Opening made;
  made.is_covered = true;
  made.parents.push_back(seat.plan.identity(part_of_seat));
  std::unordered_set<u64> taken;
  for (const u64 id : seat.plan.cover.host_parents) {
    const auto known = known_.find(id);
    if (taken.contains(id) || known == known_.end()) continue;
    AccountPlan older;
    older.id = id;
    bool is_there = false;
    for (u32 i = 0; i < known->second.cover.parts; ++i) {
      const Identity identity = older.identity(i, host);
      if (ledger_.books().find(identity) == nullptr) continue;
      made.parents.push_back(identity);
      is_there = true;
    }
    taken.insert(id);
    if (is_there) taken.insert(known->second.cover.host_parents.begin(), known->second.cover.host_parents.end());
  }
  return made;
}

u32 Desk::take_run(const Seat& seat) {
  const u32 count = seat.plan.purses();
  if (auto& free = free_[count]; !free.empty()) {
    const u32 first = free.back();
    free.pop_back();
    return first;
  }
  if (purses_.size() + count > Till::purses_max) return no_purse;
  purses_.resize(purses_.size() + count);
  return static_cast<u32>(purses_.size()) - count;
}

void Desk::name_purses(Seat& seat, const Run& run) {
  for (u32 i = 0; i < seat.plan.purses(); ++i) {
    const bool is_bucket = i == run.numbers.size();
    purses_[run.first + i] = {&seat, is_bucket ? run.numbers.back() : run.numbers[i], run.first, is_bucket, false, {}};
  }
}

void Desk::leave_run(const Run& run, u32 purses) {
  if (run.first == no_purse) return;
  for (u32 i = 0; i < purses; ++i) purses_[run.first + i] = {};
  resting_[purses].push_back(run.first);
}

void Desk::restate(Number number, const std::shared_ptr<const Statement>& statement) {
  const Book& book = ledger_.books().all()[number];
  if (*book.statement == *statement) return;
  const Identity identity = book.identity;
  ledger_.account(identity, statement, {});
}

// An account that goes on, under what may be other limits.
void Desk::keep(Seat& seat, AccountPlan plan, AccountPlan after) {
  plan.cover.host_parents = seat.plan.cover.host_parents;
  seat.plan = std::move(plan);
  seat.after = std::move(after);
  seat.is_leaving = seat.is_full = false;
  if (seat.plan.cover.is_by_host) restate(seat.run.numbers[0], seat.plan.whole);
  else restate_run(seat.run, seat.plan);
  for (const auto& [host, run] : seat.hosts) restate_run(run, seat.plan);
}

// Where a part has spent more than it may from now on, the rest is held against the other parts: together they are the
// budget.
void Desk::restate_run(const Run& run, const AccountPlan& plan) {
  std::vector<u64> excess(run.numbers.size());
  for (u32 part = 0; part < run.numbers.size(); ++part) {
    const AccountRule before = ledger_.books().all()[run.numbers[part]].statement->rule;
    restate(run.numbers[part], plan.parts[part]);
    const Account account = ledger_.view(run.numbers[part]);
    if (account.rule().on_exceed != Exceed::alert && is_stricter(account.rule(), before))
      for (u32 i = 0; i < account.rule().windows_count; ++i)
        excess[part] = std::max(excess[part], account.spent(i) - std::min(account.spent(i), plan.limit(part, i)));
  }
  for (u32 part = 0; part < run.numbers.size(); ++part)
    for (u32 other = 0; other < run.numbers.size(); ++other)
      if (other != part && excess[part] != 0) count_open(run.numbers[other], excess[part]);
}

// Those of an earlier process go on.
std::vector<Number> Desk::open_parts(const AccountPlan& plan, const HostKey& host, const Opening& opening) {
  Run run;
  for (u32 part = 0; part < plan.parts.size(); ++part) {
    const Identity identity = plan.identity(part, host);
    const Book* book = ledger_.books().find(identity);
    run.numbers.push_back(book != nullptr && !book->is_retired ? *ledger_.books().number_of(identity)
                                                               : ledger_.account(identity, plan.parts[part], opening));
  }
  restate_run(run, plan);
  return run.numbers;
}

Done Desk::open(AccountPlan plan, AccountPlan after, const Opening& opening) {
  const u64 id = plan.id;
  const bool was_open = is_open(id);
  if (was_open) plan.cover.host_parents = known_[id].cover.host_parents;
  else ledger_.describe(id, bytes_of(plan.cover));
  Seat& seat = seats_[id];
  seat.plan = std::move(plan);
  seat.after = std::move(after);
  seat.opened_at = was_open ? 0 : ledger_.now();
  if (seat.plan.cover.is_by_host) {
    seat.run.numbers = {ledger_.account(seat.plan.identity(part_of_seat), seat.plan.whole, opening)};
    seat.number = ++last_seat_;
    by_number_[seat.number] = &seat;
    return {};
  }
  seat.run.numbers = open_parts(seat.plan, {}, opening);
  seat.run.first = take_run(seat);
  if (seat.run.first == no_purse) return std::unexpected(Error{"too many purses: start again"});
  name_purses(seat, seat.run);
  return {};
}

void Desk::retire(u64 id) {
  Known& known = known_[id];
  for (const Number number : known.numbers)
    if (!ledger_.books().all()[number].is_retired) ledger_.retire(number);
  known.is_live = false;
  const auto found = seats_.find(id);
  if (found == seats_.end()) return;
  const Seat& seat = found->second;
  std::vector<u64> heirs;
  for (const auto& [heir, other] : seats_)
    if (other.opened_at != 0 && other.plan.cover.meets(seat.plan.cover)) heirs.push_back(heir);
  std::vector<u32> purses;
  purses_of(seat, purses);
  if (!heirs.empty())
    for (const u32 purse : purses) heirs_[purse] = heirs;
  leave_run(seat.run, seat.plan.purses());
  for (const auto& [host, run] : seat.hosts) leave_run(run, seat.plan.purses());
  std::erase_if(greetings_, [&](const Greeting& one) { return one.seat == seat.number; });
  by_number_.erase(seat.number);
  seats_.erase(found);
}

std::expected<std::span<const AccountSeat>, Error> Desk::prepare(const Policy& policy,
                                                                 std::span<const std::string> port_names,
                                                                 Tick wall_now) {
  if (ledger_.closed() != nullptr) return std::unexpected(*ledger_.closed());
  look_around();  // the ledger forgets what is long over
  port_names_.assign(port_names.begin(), port_names.end());
  std::vector<AccountPlan> plans = account_plans(policy, wall_now), after = account_plans(policy, ~Tick{0});
  std::vector<u64> replaced;
  for (const auto& [id, seat] : seats_) {
    if (!is_replaced(seat, plans)) continue;
    std::vector<u32> purses;
    purses_of(seat, purses);
    if (!are_back(purses)) return std::unexpected(Error{"leases of budget " + seat.plan.name + " are still out"});
    replaced.push_back(id);
  }
  for (const auto& [purses, runs] : std::exchange(resting_, {}))
    free_[purses].insert(free_[purses].end(), runs.begin(), runs.end());
  heirs_.clear();
  std::vector<Opening> openings(plans.size());
  for (std::size_t i = 0; i < plans.size(); ++i)
    if (!is_open(plans[i].id)) openings[i] = opening_of(plans[i]);
  std::vector<AccountSeat>& seats = image_seats_[newest_seats_ ^= 1];
  seats.assign(policy.view().accounts.size(), {});
  std::unordered_set<u64> named;
  Done done;
  for (std::size_t i = 0; i < plans.size() && done; ++i) {
    const u64 id = plans[i].id;
    const u32 account = plans[i].account;
    named.insert(id);
    if (const auto there = seats_.find(id); there != seats_.end())
      keep(there->second, std::move(plans[i]), std::move(after[i]));
    else done = open(std::move(plans[i]), std::move(after[i]), openings[i]);
    const Seat& seat = seats_.at(id);
    if (seat.plan.cover.is_share) seats[account].share_seat = seat.number;
    else seats[account].seat = seat.number, seats[account].first = seat.run.first;
  }
  end_or_leave(named, replaced);
  if (!done) return std::unexpected(done.error());
  if (const auto committed = ledger_.commit(true); !committed) return std::unexpected(committed.error());
  look_around();
  return seats;
}

// Whom the policy does not name: retired with this commit where others inherit from them, or nobody holds their purses.
void Desk::end_or_leave(const std::unordered_set<u64>& named, std::span<const u64> replaced) {
  std::vector<u64> ended;
  for (const auto& [id, known] : known_) {
    if (!known.is_live || named.contains(id)) continue;
    const auto seat = seats_.find(id);
    if (seat == seats_.end() || std::ranges::find(replaced, id) != replaced.end()) ended.push_back(id);
    else seat->second.is_leaving = true;
  }
  for (const u64 id : ended) retire(id);
}

Done Desk::retire_leaving() {
  if (!are_back(leaving())) return std::unexpected(Error{"leases of accounts that end are still out"});
  std::vector<u64> ended;
  for (auto& [id, seat] : seats_) {
    if (seat.is_leaving) ended.push_back(id);
    const BudgetTime opened_at = std::exchange(seat.opened_at, 0);
    if (opened_at == 0) continue;
    // Until the last worker used the policy, what it covers left uncounted.
    for (const Number number : known_[id].numbers) {
      AccountState& state = ledger_.view(number).state();
      if (state.known_since != opened_at) continue;
      state.known_since = ledger_.now();
      const Book& book = ledger_.books().all()[number];
      ledger_.account(Identity(book.identity), std::shared_ptr(book.statement), {});
    }
  }
  for (const u64 id : ended) retire(id);
  if (const auto committed = ledger_.commit(true); !committed) return std::unexpected(committed.error());
  return {};
}

Tick Desk::next_change() const {
  Tick next = ~Tick{0};
  for (const auto& [id, seat] : seats_)
    if (seat.plan.begins_to_refuse != 0) next = std::min(next, seat.plan.begins_to_refuse);
  return next;
}

Done Desk::change(Tick wall_now) {
  for (auto& [id, seat] : seats_) {
    if (seat.plan.begins_to_refuse == 0 || wall_now < seat.plan.begins_to_refuse || seat.is_leaving) continue;
    AccountPlan after = seat.after;
    keep(seat, after, after);
    seat.lends_from = terms_.is_exact ? 0 : ledger_.now() + told_within_us;
  }
  if (const auto committed = ledger_.commit(true); !committed) return std::unexpected(committed.error());
  return {};
}

}  // namespace weir::ledger
