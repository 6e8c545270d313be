// The daily round of the desk: what workers tell, and what they are given.
#include "dataplane/ledger/desk.hpp"

#include <algorithm>

namespace weir::ledger {
namespace {

constexpr u64 to_nobody = ~u64{0};  // cookie of bytes that have left already
constexpr u64 first_lease_bytes = 4096, limit_parts = 64;

u64 least_limit(const AccountRule& rule) {
  u64 least = budget_bytes_max;
  for (u32 i = 0; i < rule.windows_count; ++i) least = std::min(least, rule.windows[i].limit_bytes);
  return least;
}

u64 first_lease(const AccountRule& rule, u32 workers) {
  return std::min(first_lease_bytes, least_limit(rule) / limit_parts / std::max(workers, 1u));
}

std::string length_text(u64 length_us) {
  constexpr std::pair<u64, const char*> units[] = {{86'400'000'000, "d"}, {3'600'000'000, "h"}, {60'000'000, "min"}};
  if (length_us == 0) return "its lifetime";
  for (const auto& [unit, name] : units)
    if (length_us % unit == 0) return std::to_string(length_us / unit) + name;
  return std::to_string(length_us / 1'000'000) + "s";
}

}  // namespace

void Desk::hear(u32 worker, const PurseNews& news) {
  if (ledger_.closed() != nullptr && news.least == 0) return;
  if (news.kind == PurseNews::Kind::host) return hear_host(worker, news);
  WEIR_CHECK(news.number < purses_.size());
  const PurseEntry& entry = purses_[news.number];
  if (news.least != 0) wants_.push_back({worker, news.number, news.least, 0});
  if (ledger_.closed() != nullptr) return;
  if (entry.seat == nullptr) return count_for_heirs(news);
  if ((news.spent | news.returned) != 0) {
    if (entry.is_bucket) ledger_.settle_throttled(entry.number, news.spent, news.returned);
    else ledger_.settle(entry.number, news.spent, news.returned);
  }
  if (news.over != 0) count_over(entry, news.over);
  if (terms_.is_exact || (news.spent | news.over) == 0) return;
  if (settled_.empty() || settled_.back() != entry.number) settled_.push_back(entry.number);
}

// What is told late, when the account refuses already, is held against all of its parts: together they are the budget.
void Desk::count_over(const PurseEntry& entry, u64 bytes) {
  const bool is_late = ledger_.books().all()[entry.number].statement->rule.on_exceed != Exceed::alert;
  for (u32 part = 0; part < entry.seat->plan.parts.size(); ++part)
    if (const Number number = purses_[entry.first + part].number; is_late || number == entry.number)
      count_open(number, bytes);
}

// What an open purse let pass until its worker had the next policy, and its account was retired before.
void Desk::count_for_heirs(const PurseNews& news) {
  const auto heirs = heirs_.find(news.number);
  if (heirs == heirs_.end() || news.over == 0) return;
  for (const u64 id : heirs->second) {
    const auto known = known_.find(id);
    if (known == known_.end() || !known->second.is_live) continue;
    for (const Number number : std::vector(known->second.numbers))
      if (!ledger_.books().all()[number].is_retired) count_open(number, news.over);
  }
}

// Bytes that have left and were not leased, as open purses let them: leased and settled at once. Where the account
// has begun to refuse meanwhile, they have left all the same.
void Desk::count_open(Number number, u64 bytes) {
  const Book& book = ledger_.books().all()[number];
  const Identity identity = book.identity;
  const std::shared_ptr<const Statement> stated = book.statement;
  const bool refuses = stated->rule.on_exceed != Exceed::alert;
  if (refuses) {
    Statement open = *stated;
    open.rule.on_exceed = Exceed::alert;
    ledger_.account(identity, std::make_shared<const Statement>(std::move(open)), {});
  }
  ledger_.want(to_nobody, number, bytes, bytes);
  if (ledger_.closed() == nullptr) ledger_.settle(number, bytes, 0);
  if (refuses) ledger_.account(identity, stated, {});
}

void Desk::hear_host(u32 worker, const PurseNews& news) {
  const auto found = by_number_.find(news.number);
  if (found == by_number_.end() || found->second->is_leaving || ledger_.closed() != nullptr) return;
  const u32 first = first_of_host(*found->second, news.host);
  greetings_.push_back({worker, news.number, first, news.host});
  if (first == no_purse || terms_.is_exact) return;
  const u32 rest = first + static_cast<u32>(found->second->plan.parts.size()) - 1;
  if (const u64 most = first_lease(found->second->plan.parts.back()->rule, terms_.workers); most != 0)
    wants_.push_back({worker, rest, 1, most});
}

HostKey Desk::key_of(const Address& host) const {
  if (host.high == host_port_mark && host.low < port_names_.size()) return "port " + port_names_[host.low];
  return {reinterpret_cast<const char*>(&host), sizeof host};
}

// Its purses; none where there are as many hosts as there may be.
u32 Desk::first_of_host(Seat& seat, const Address& host) {
  const auto there = seat.hosts.find(host);
  if (there != seat.hosts.end()) return there->second.first;
  const HostKey key = key_of(host);
  const bool is_known = ledger_.books().find(seat.plan.identity(0, key)) != nullptr;
  const bool has_room = is_known || seat.hosts_known < seat.plan.hosts;
  const u32 first = has_room ? take_run(seat) : no_purse;
  if (first == no_purse) {
    if (!std::exchange(seat.is_full, true))
      notices_.push_back({Notice::Kind::host_refused, seat.plan.name,
                          "budget `" + seat.plan.name + "` has " + std::to_string(seat.hosts_known) +
                              " hosts and no place for more: what they send is dropped"});
    return no_purse;
  }
  Run run{first, open_parts(seat.plan, key, opening_of_host(seat, key))};
  std::vector<Number>& known = known_[seat.plan.id].numbers;
  if (!is_known) known.insert(known.end(), run.numbers.begin(), run.numbers.end());
  seat.hosts_known += !is_known;
  name_purses(seat, run);
  seat.hosts.emplace(host, std::move(run));
  return first;
}

u64 Desk::most_of(PurseEntry& entry, const Want& want) {
  if (terms_.is_exact) return want.least;
  if (want.most != 0) return want.most;
  Account account = ledger_.view(entry.number);
  const u64 available = account.available(ledger_.now());
  const u64 most =
      entry.size.next(ledger_.now(), want.least, available, least_limit(account.rule()), terms_.workers);
  // Beyond the windows all that the bucket has: it never has more than a frame.
  return available < want.least ? std::max<u64>(most, account.rule().burst_bytes) : most;
}

Done Desk::lend(const Give& give) {
  const std::vector<Want> wants = std::exchange(wants_, {});
  const std::vector<Greeting> greetings = std::exchange(greetings_, {});
  for (u64 i = 0; i < wants.size(); ++i) {
    PurseEntry& entry = purses_[wants[i].purse];
    if (entry.seat == nullptr || entry.seat->is_leaving || ledger_.closed() != nullptr) continue;
    if (ledger_.now() < entry.seat->lends_from) continue;
    if (ledger_.view(entry.number).rule().on_exceed == Exceed::alert) continue;
    ledger_.want(i, entry.number, wants[i].least, most_of(entry, wants[i]));
  }
  const auto committed = ledger_.commit();
  std::vector<Granted> answers(wants.size(), Granted{});
  if (committed)
    for (const Granted& granted : *committed)
      if (granted.cookie < answers.size()) answers[granted.cookie] = granted;
  if (committed)
    for (const Greeting& one : greetings)
      give(one.worker, {PurseGift::Kind::host, one.seat, one.first, one.host});
  for (u64 i = 0; i < wants.size(); ++i) {
    const auto& [worker, purse, least, most] = wants[i];
    const bool throttled = answers[i].is_throttled;
    if (throttled) give(worker, {PurseGift::Kind::lease, purse + 1, answers[i].bytes, {}});
    const u64 bytes = throttled ? 0 : answers[i].bytes;
    if (bytes != 0) purses_[purse].was_lent = true;
    if (bytes != 0 || most == 0) give(worker, {PurseGift::Kind::lease, purse, bytes, {}});
  }
  return committed ? Done{} : std::unexpected(committed.error());
}

Done Desk::float_all(const Give& give) {
  for (const auto& [id, seat] : seats_) {
    if (seat.is_leaving || seat.plan.cover.is_by_host || terms_.is_exact) continue;
    for (u32 part = 0; part < seat.plan.parts.size(); ++part) {
      const AccountRule& rule = seat.plan.parts[part]->rule;
      const u64 most = first_lease(rule, terms_.workers);
      if (purses_[seat.run.first + part].was_lent || rule.on_exceed == Exceed::alert || most == 0) continue;
      for (u32 worker = 0; worker < terms_.workers; ++worker)
        wants_.push_back({worker, seat.run.first + part, 1, most});
    }
  }
  return lend(give);
}

void Desk::each(const std::function<void(const Line&)>& visit) const {
  std::vector<const Seat*> seats;
  for (const auto& [id, seat] : seats_)
    if (!seat.is_leaving) seats.push_back(&seat);
  std::ranges::sort(seats, {}, [](const Seat* seat) { return std::pair(seat->plan.name, seat->plan.account); });
  const auto visit_run = [&](const Seat& seat, const Run& run, const std::optional<Address>& host) {
    for (u32 part = 0; part < run.numbers.size(); ++part)
      visit({seat.plan.parts[part]->name, host, run.numbers[part]});
  };
  for (const Seat* seat : seats) {
    if (!seat->plan.cover.is_by_host) visit_run(*seat, seat->run, std::nullopt);
    for (const auto& [host, run] : seat->hosts) visit_run(*seat, run, host);
  }
}

std::vector<Notice> Desk::notices() {
  std::ranges::sort(settled_);
  settled_.erase(std::ranges::unique(settled_).begin(), settled_.end());
  for (const Number number : settled_) {
    Account account = ledger_.view(number);
    const std::string& name = ledger_.books().all()[number].statement->name;
    const u64 crossed = account.crossings(ledger_.now());
    for (u32 bit = 0; bit < 8 * account.rule().windows_count; ++bit) {
      if ((crossed >> bit & 1) == 0) continue;
      const WindowRule& window = account.rule().windows[bit / 8];
      notices_.push_back({Notice::Kind::alert, name,
                          "budget `" + name + "` has spent " +
                              std::to_string(account.rule().alert_percent[bit % 8]) + "% of " +
                              std::to_string(window.limit_bytes) + " bytes in " + length_text(window.length_us)});
    }
  }
  settled_.clear();
  return std::exchange(notices_, {});
}

}  // namespace weir::ledger
