#include "tests/property/ledger_world.hpp"

#include <algorithm>

namespace weir::test {
namespace {

constexpr u64 year_us = u64{365} * 86'400 * 1'000'000;
constexpr u64 bit_us = 8'000'000;

}  // namespace

LedgerWorld::LedgerWorld(u64 seed, Mistake mistake)
    : random_(seed), mistake_(mistake), disk_(seed * 2 + 1), anchor_disk_(seed * 2 + 2) {
  has_anchor_ = chance(50) || mistake == Mistake::no_anchor;
  steady_lies_ = chance(50);
  has_lifetimes_ = chance(25);
  opens_empty_ = chance(25);
  throttles_ = !has_lifetimes_ && chance(25);
  window_us_ = 128 + below(u64{1} << (7 + below(16)));
  disk_.lie_about_sync(mistake == Mistake::sync_lies);
  policy_ = random_policy();
}

void LedgerWorld::run(u32 steps) {
  try {
    begin(true);
    install(policy_);
  } catch (const Crash&) {
  }
  for (u32 i = 0; i < steps; ++i) {
    try {
      step();
    } catch (const Crash&) {
      program_ends(chance(70));
    }
  }
}

void LedgerWorld::step() {
  if (chance(4)) disk_.crash_after(below(12));
  if (chance(1)) disk_.fill_up(below(600));
  if (chance(1)) anchor_disk_.crash_after(below(10));
  if (chance(2)) return program_ends(chance(50));
  if (chance(3)) step_clocks();
  if (!ledger_) return start();
  if (chance(2)) older_ = disk_.copy();
  if (chance(4)) {
    Policy next = policy_;
    if (chance(50)) next = random_policy();
    else change_limits(next);
    policy_ = next;
    policy_since_us_ = real_us_;
    ++policy_number_;
    install(policy_);
    return;
  }
  pass_time();
  traffic();
  for (u32 worker = 0; worker < workers; ++worker)
    if (chance(60)) report(worker, chance(10));
  if (chance(80)) keeper_cycle();
}

// Much of it at once, and often: whoever is greedy finds the cracks.
void LedgerWorld::traffic() {
  const u32 packets = static_cast<u32>(below(20));
  const u32 worker = static_cast<u32>(below(workers));
  const u32 packet_class = static_cast<u32>(below(classes));
  if (mistake_ == Mistake::debit_after_forward) {
    for (u32 i = 0; i < packets; ++i) forward_then_debit(worker, packet_class, 60 + below(1440));
    return;
  }
  for (u32 i = 0; i < packets; ++i) send(worker, packet_class, 60 + below(1440));
}

// All budgets or none; each from its purse, or beyond the windows from its throttle's.
void LedgerWorld::send(u32 worker, u32 packet_class, u64 bytes) {
  std::vector<Purse*> purses;
  BudgetSet throttles = 0;
  bool may = ledger_.has_value();
  for (std::size_t i = 0; i < live_.size(); ++i) {
    if ((live_[i].budget.covers >> packet_class & 1) == 0) continue;
    Purse& purse = live_[i].purses[worker];
    Purse& throttled = live_[i].throttled[worker];
    if (purse.holds(bytes)) {
      purses.push_back(&purse);
    } else if (throttled.holds(bytes)) {
      purses.push_back(&throttled);
      throttles |= 1u << live_[i].budget.covers;
    } else {
      may = false;
      const Purse::Report report = purse.report();
      messages_.push_back({i, worker, report.spent, 0, bytes, false});
    }
  }
  if (may && spend_all(purses, bytes)) leave(packet_class, bytes, throttles);
}

// As one might: there is something left, so it may go; what it took is taken afterwards.
void LedgerWorld::forward_then_debit(u32 worker, u32 packet_class, u64 bytes) {
  bool may = ledger_.has_value();
  for (const Live& one : live_)
    if ((one.budget.covers >> packet_class & 1) != 0) may = may && one.purses[worker].left() != 0;
  if (!may) return send(worker, packet_class, bytes);
  leave(packet_class, bytes, 0);
  for (Live& one : live_)
    if ((one.budget.covers >> packet_class & 1) != 0)
      one.purses[worker].spend(std::min(bytes, one.purses[worker].left()));
}

void LedgerWorld::leave(u32 packet_class, u64 bytes, BudgetSet throttled) {
  BudgetSet counted = 0;
  for (const Live& one : live_)
    if ((one.budget.covers >> packet_class & 1) != 0) counted |= 1u << one.budget.covers;
  left_[packet_class].push_back({real_us_, bytes, policy_number_, counted, throttled});
  forwarded_ += bytes;
  for (const Live& one : live_)
    if ((one.budget.covers >> packet_class & 1) != 0) check(one.budget, (throttled >> one.budget.covers & 1) != 0);
}

// In every window that ends now, of a budget that just paid. An interval that ends when nothing leaves holds no more
// than the one that ended when the last packet left. What the throttle paid is for the throttle: since the policy
// changed.
void LedgerWorld::check(const Budget& budget, bool throttled) const {
  const AccountRule& rule = budget.promised;
  for (u32 i = 0; i < rule.windows_count; ++i) {
    u64 length_us = rule.windows[i].length_us, most = rule.windows[i].limit_bytes, sum = 0;
    if (throttled) {
      length_us = std::min(length_us, real_us_ - policy_since_us_);
      most = static_cast<u64>(static_cast<u128>(rule.throttle_bits_per_s) * length_us / bit_us) + 1 + rule.burst_bytes;
    }
    for (u32 c = 0; c < classes; ++c)
      for (auto it = left_[c].rbegin(); (budget.covers >> c & 1) != 0 && it != left_[c].rend(); ++it) {
        const bool is_lifetime = rule.windows[i].is_lifetime();
        if ((!is_lifetime && real_us_ - it->at > length_us) || (throttled && it->policy != policy_number_)) break;
        const bool in_force = (it->counted >> budget.covers & 1) != 0;
        const bool by_throttle = in_force ? (it->throttled >> budget.covers & 1) != 0 : it->throttled != 0;
        const bool counts = it->counted != 0 || (!is_lifetime && !opens_empty_);
        if (by_throttle == throttled && counts) sum += it->bytes;
      }
    if (sum > most)
      throw Overshoot{std::to_string(sum) + " bytes left in " + std::to_string(length_us) + " us, and " +
                      std::to_string(most) + (throttled ? " may beyond the windows" : " may")};
  }
}

void LedgerWorld::report(u32 worker, bool all) {
  for (std::size_t i = 0; i < live_.size(); ++i) {
    Purse& purse = live_[i].purses[worker];
    Purse& throttled = live_[i].throttled[worker];
    const Purse::Report spent = all ? purse.give_back() : chance(50) ? purse.beat() : purse.report();
    if (!spent.is_empty()) messages_.push_back({i, worker, spent.spent, spent.returned, 0, false});
    const Purse::Report beyond = all ? throttled.give_back() : throttled.report();
    if (!beyond.is_empty()) messages_.push_back({i, worker, beyond.spent, beyond.returned, 0, true});
  }
}

// First the reports, then the time, then what they settle, then leases, which no worker has before they are written.
void LedgerWorld::keeper_cycle() {
  std::vector<Message> taken;
  taken.swap(messages_);
  if (mistake_ != Mistake::early_settlement) ledger_->advance(reading());
  for (const Message& message : taken) {
    Live& live = live_[message.live];
    if (message.is_throttled) ledger_->settle_throttled(live.number, message.spent, message.returned);
    else ledger_->settle(live.number, message.spent, message.returned);
  }
  if (mistake_ == Mistake::early_settlement) ledger_->advance(reading());
  for (std::size_t i = 0; i < taken.size(); ++i) {
    if (taken[i].wanted == 0) continue;
    Live& live = live_[taken[i].live];
    const u64 before = ledger_->view(live.number).state().outstanding;
    ledger_->want(i, live.number, taken[i].wanted, taken[i].wanted + below(4000));
    const u64 after = ledger_->view(live.number).state().outstanding;
    if (mistake_ == Mistake::no_write_ahead && after != before) {
      give(live, taken[i].worker, after - before, false);
      traffic();
    }
  }
  const auto granted = ledger_->commit(chance(20));
  if (!granted) {
    ++closings_;
    ledger_.reset();
    return;
  }
  for (const ledger::Granted& one : *granted)
    if (one.bytes != 0 && (mistake_ != Mistake::no_write_ahead || one.is_throttled))
      give(live_[taken[one.cookie].live], taken[one.cookie].worker, one.bytes, one.is_throttled);
}

void LedgerWorld::give(Live& live, u32 worker, u64 bytes, bool is_throttled) {
  (is_throttled ? live.throttled : live.purses)[worker].put(bytes);
}

// Mostly within slots, and often to where slots of some window expire.
void LedgerWorld::pass_time() {
  u64 length_us = window_us_, slots = window_slots_min;
  if (!live_.empty()) {
    const AccountRule& rule = live_[below(live_.size())].budget.promised;
    const WindowRule& window = rule.windows[below(rule.windows_count)];
    if (!window.is_lifetime()) length_us = window.length_us, slots = window.slots;
  }
  const u64 slot_us = length_us / slots + 1;
  switch (below(10)) {
    case 0: real_us_ += below(length_us * 2); break;
    case 1:
    case 2: real_us_ += length_us - std::min(length_us, below(3 * slot_us)); break;
    case 3: real_us_ += below(8 * slot_us); break;
    case 4: real_us_ += chance(5) ? below(3 * year_us) : 1; break;
    default: real_us_ += below(slot_us);
  }
}

// One of the two clocks is wrong, in any direction; the other is right or goes back. The wall clock does as it likes.
void LedgerWorld::step_clocks() {
  const auto any = [&] {
    return static_cast<std::int64_t>(below(6 * year_us)) - static_cast<std::int64_t>(3 * year_us);
  };
  wall_step_us_ += any();
  std::int64_t& liar = steady_lies_ ? steady_step_us_ : boottime_step_us_;
  std::int64_t& other = steady_lies_ ? boottime_step_us_ : steady_step_us_;
  if (chance(50)) liar += chance(50) ? any() : static_cast<std::int64_t>(below(2 * window_us_));
  if (chance(10)) other -= static_cast<std::int64_t>(below(window_us_));
}

ledger::Reading LedgerWorld::reading() const {
  const auto at = [&](u64 since, std::int64_t step) {
    return static_cast<u64>(static_cast<std::int64_t>(real_us_ - since + 8 * year_us) + step);
  };
  ledger::Reading made;
  made.wall_us = at(0, wall_step_us_);
  made.clock = {{boot_, ~boot_}, at(boot_began_us_, boottime_step_us_), at(boot_began_us_, steady_step_us_)};
  if (mistake_ == Mistake::wall_clock) made.clock = {{1, 1}, made.wall_us, made.wall_us};
  return made;
}

ledger::Settings LedgerWorld::settings() {
  ledger::Settings made;
  made.storage = disk_.storage();
  made.key.bytes[0] = 1;
  made.compact_over_bytes = 4000;
  if (has_anchor_ && mistake_ != Mistake::no_anchor)
    made.anchor = ledger::anchor_in(anchor_disk_.storage(), "head", made.key);
  return made;
}

void LedgerWorld::program_ends(bool power_fails) {
  ++crashes_;
  ledger_.reset();
  live_.clear();
  messages_.clear();
  disk_.keep_running();
  anchor_disk_.keep_running();
  disk_.fill_up(~u64{0});
  if (!power_fails) return;
  disk_.power_failure();
  anchor_disk_.power_failure();
  real_us_ += chance(50) ? below(100) : chance(10) ? below(year_us) : below(3 * window_us_);
  boot_began_us_ = real_us_;
  ++boot_;
  boottime_step_us_ = steady_step_us_ = 0;
  if (has_anchor_ && older_ && chance(20)) put_older_back();
}

void LedgerWorld::put_older_back() { disk_.restore(*older_); }

void LedgerWorld::start() {
  live_.clear();
  messages_.clear();
  disk_.fill_up(~u64{0});
  auto opened = ledger::Ledger::open(settings(), reading());
  if (opened) {
    ledger_.emplace(std::move(*opened));
    ++openings_;
  } else {
    refusals_of_old_ += opened.error().sentence.find("older copy") != std::string::npos;
    begin(false);
  }
  if (ledger_) install(policy_);
}

void LedgerWorld::begin(bool is_first) {
  auto begun = ledger::Ledger::begin(settings(), reading(), is_first, "the schedule says so");
  if (begun) ledger_.emplace(std::move(*begun));
}

}  // namespace weir::test
