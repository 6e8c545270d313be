// Windows, accounts, throttles and budget time against their naive twin: a list of every byte and when it left. And
// what honest traffic gets of its limit, which a cap that is merely safe would not give. WEIR_PROPERTY_SCALE multiplies
// how much is drawn (default 1).
#include "dataplane/budget/lease_size.hpp"
#include "dataplane/budget/purse.hpp"

#include <catch2/catch.hpp>
#include <cstdio>
#include <cstdlib>
#include <deque>
#include <memory>
#include <random>
#include <vector>

using namespace weir;

namespace {

u32 scale() {
  const char* text = std::getenv("WEIR_PROPERTY_SCALE");
  return text == nullptr ? 1 : static_cast<u32>(std::atoi(text));
}

struct Left {
  BudgetTime at;
  u64 bytes;
};
using Log = std::deque<Left>;

// Both ends are in it.
u64 sum_since(const Log& log, BudgetTime from) {
  u64 sum = 0;
  for (auto it = log.rbegin(); it != log.rend() && it->at >= from; ++it) sum += it->bytes;
  return sum;
}

BudgetTime before(BudgetTime now, u64 length) { return now - std::min(now, length); }

struct OwnedAccount {
  explicit OwnedAccount(const AccountRule& with) : rule(with), memory(new u64[with.memory_words()]()) {}
  Account view() { return {rule, state, memory.get()}; }
  AccountRule rule;
  AccountState state{};
  std::unique_ptr<u64[]> memory;
};

AccountRule rule_of(std::initializer_list<WindowRule> windows) {
  AccountRule rule;
  for (const WindowRule& window : windows) rule.windows[rule.windows_count++] = window;
  return rule;
}

WindowRule random_window(std::mt19937_64& random) {
  const u32 slots = window_slots_min + static_cast<u32>(random() % 65);
  return {1 + random() % (u64{1} << random() % 50), slots + random() % (u64{1} << (7 + random() % 34)), slots};
}

BudgetTime random_step(std::mt19937_64& random, const WindowRule& window) {
  switch (random() % 8) {
    case 0: return 0;
    case 1: return random() % (2 * window.length_us);
    case 2: return window.length_us;
    case 3: return random() % 4 == 0 ? 5 * window.length_us : 1;
    default: return random() % (2 * window.slot_us());
  }
}

}  // namespace

TEST_CASE("a window counts at least what left in its length, and at most what left in a slot more") {
  std::mt19937_64 random(1);
  for (u32 run = 0; run < 300 * scale(); ++run) {
    const WindowRule rule = random_window(random);
    WindowState state{};
    std::vector<u16> slots(rule.slots);
    Window window(rule, state, slots.data());
    Log log;
    BudgetTime now = random() % 2 ? random() % (u64{1} << 42) : 0;
    u64 most_units = 0;
    for (u32 i = 0; i < 400; ++i) {
      now += random_step(random, rule);
      window.advance(now);
      const u64 bytes = random() % (random() % 20 == 0 ? 3 * rule.limit_bytes : rule.limit_bytes / 40 + 2);
      window.add(bytes);
      log.push_back({now, bytes});
      const u64 spent = window.spent(), least = sum_since(log, before(now, rule.length_us));
      if (spent < least) FAIL("run " << run << ": counts " << spent << " of " << least);
      most_units = std::max(most_units, u64{1} << state.shift);
      const u64 slot_began = now / rule.slot_us() * rule.slot_us();
      const u64 most = sum_since(log, before(slot_began, rule.slots * rule.slot_us()));
      if (spent > most + rule.slots * most_units)
        FAIL("run " << run << ": counts " << spent << " and " << most << " left");
    }
  }
}

TEST_CASE("grants keep every window, and the throttle its rate, whatever workers do with their leases") {
  std::mt19937_64 random(2);
  u64 through = 0;
  for (u32 run = 0; run < 200 * scale(); ++run) {
    AccountRule rule;
    for (u32 i = 0; i < 1 + random() % 3; ++i) rule.windows[rule.windows_count++] = random_window(random);
    rule.on_exceed = random() % 2 ? Exceed::throttle : Exceed::deny;
    rule.burst_bytes = 1500;
    rule.throttle_bits_per_s = 1 + random() % (u64{1} << random() % 40);
    OwnedAccount owned(rule);
    Account account = owned.view();
    account.state().bucket_at = 1;
    Purse purses[3], throttled[3];
    Log log, beyond;
    BudgetTime now = 1;
    for (u32 i = 0; i < 600; ++i) {
      now += random_step(random, rule.windows[random() % rule.windows_count]);
      const u64 w = random() % 3, bytes = 1 + random() % 1500;
      if (!purses[w].holds(bytes)) {
        const Purse::Report report = random() % 2 ? purses[w].report() : purses[w].give_back();
        account.settle(now, report.spent, report.returned);
        purses[w].put(account.grant(now, bytes, bytes + random() % 100'000));
      }
      if (!purses[w].holds(bytes) && !throttled[w].holds(bytes)) {
        const Purse::Report report = random() % 2 ? throttled[w].report() : throttled[w].give_back();
        account.settle_throttled(now, report.spent, report.returned);
        throttled[w].put(account.grant_throttled(now, bytes, 1500));
      }
      now += random() % 3 ? 0 : random_step(random, rule.windows[0]);
      if (purses[w].spend(bytes)) log.push_back({now, bytes});
      else if (throttled[w].spend(bytes)) beyond.push_back({now, bytes}), ++through;
      for (u32 j = 0; j < rule.windows_count; ++j) {
        const u64 length_us = rule.windows[j].length_us;
        if (sum_since(log, before(now, length_us)) > rule.windows[j].limit_bytes)
          FAIL("run " << run << ": window " << j);
        const u128 rated = static_cast<u128>(rule.throttle_bits_per_s) * length_us / 8'000'000 + 1 + 1500;
        if (sum_since(beyond, before(now, length_us)) > rated) FAIL("run " << run << ": throttle");
      }
    }
  }
  CHECK(through > 1000);
}

TEST_CASE("who inherits counts at least what its parents counted, whatever windows both have") {
  std::mt19937_64 random(3);
  for (u32 run = 0; run < 300 * scale(); ++run) {
    std::vector<OwnedAccount> owned;
    std::vector<Account> parents;
    Log log;
    BudgetTime now = 1;
    for (u32 i = 0; i < 1 + random() % 3; ++i)
      owned.emplace_back(rule_of({random_window(random), random_window(random)}));
    for (OwnedAccount& one : owned) parents.push_back(one.view());
    for (u32 i = 0; i < 200; ++i) {
      now += random_step(random, owned[0].rule.windows[random() % 2]);
      const u64 bytes = random() % 100'000;
      Account& parent = parents[random() % parents.size()];
      parent.state().outstanding += bytes;
      parent.settle(now, bytes, 0);
      log.push_back({now, bytes});
    }
    for (Account& parent : parents) parent.advance(now);
    OwnedAccount child(rule_of({random_window(random), random_window(random), {budget_bytes_max, 0, 0}}));
    std::vector<u64> scratch(window_slots_max + 1);
    child.view().inherit(now, parents, {}, scratch);
    CHECK(child.view().spent(2) == sum_since(log, 0));
    for (u32 later = 0; later < 20; ++later) {
      child.view().advance(now);
      for (u32 i = 0; i < 2; ++i)
        CHECK(child.view().spent(i) >= sum_since(log, before(now, child.rule.windows[i].length_us)));
      now += random_step(random, child.rule.windows[0]);
    }
  }
}

TEST_CASE("who comes back from retirement counts nothing twice that it counted itself") {
  OwnedAccount mine(rule_of({{60'000, 64'000, 64}})), other(rule_of({{60'000, 64'000, 64}}));
  std::vector<u64> scratch(window_slots_max + 1);
  Account account = mine.view(), heir = other.view();
  account.state().outstanding = 700;
  account.settle(10'000, 700, 0);
  account.advance(20'500);  // here the heir takes over
  heir.inherit(20'500, std::span(&account, 1), {}, scratch);
  heir.state().outstanding = 50;
  heir.settle(30'000, 50, 0);
  account.inherit(30'000, std::span(&heir, 1), {20'500, false}, scratch);
  CHECK(account.spent(0) == 750);
  CHECK(account.state().total == 750);
}

TEST_CASE("a threshold is told once in a window's length") {
  AccountRule rule = rule_of({{1000, 64'000, 64}, {5000, 0, 0}});
  rule.alert_percent = {50, 80};
  rule.alerts_count = 2;
  OwnedAccount owned(rule);
  Account account = owned.view();
  const auto spend = [&](BudgetTime now, u64 bytes) {
    CHECK(account.grant(now, bytes, bytes) == bytes);
    account.settle(now, bytes, 0);
    return account.crossings(now);
  };
  CHECK(spend(1000, 499) == 0);
  CHECK(spend(1000, 1) == 0b01);
  CHECK(spend(1001, 200) == 0);
  CHECK(spend(1001, 100) == 0b10);
  CHECK(account.crossings(60'000) == 0);
  CHECK(account.crossings(70'000) == 0);  // all of it has expired
  CHECK(spend(70'000, 900) == 0b11);
  CHECK(spend(140'000, 900) == 0b01'0000'0011);  // and half of the lifetime's
  CHECK(account.crossings(141'000) == 0);
}

TEST_CASE("what is not known to have left closes the window until it cannot matter") {
  OwnedAccount owned(rule_of({{1000, 64'000, 64}, {9000, 640'000, 64}}));
  Account account = owned.view();
  account.state().known_since = 500;
  CHECK(account.grant(64'500, 1, 10) == 0);
  CHECK(account.grant(640'500, 1, 10) == 0);
  CHECK(account.grant(640'501, 1, 10) == 10);
}

TEST_CASE("no clock adds time: back, forward and between boots") {
  std::mt19937_64 random(4);
  for (u32 run = 0; run < 200 * scale(); ++run) {
    u64 real = 1'000'000'000'000, boot = 1;
    std::int64_t lie = 0, back = 0;
    const bool steady_lies = random() % 2;
    const auto reading = [&] {
      const u64 liar = real + static_cast<u64>(lie), honest = real - static_cast<u64>(back);
      return ClockReading{{boot, 0}, steady_lies ? honest : liar, steady_lies ? liar : honest};
    };
    BudgetClock clock(0, reading());
    const u64 began = real;
    u64 lost = 0, told = 0;
    for (u32 i = 0; i < 1000; ++i) {
      const u64 step = random() % (random() % 10 ? 5'000 : 3'000'000);
      real += step;
      if (random() % 50 == 0)
        lie = static_cast<std::int64_t>(random() % 1'000'000'000'000) - 500'000'000'000, lost += 4'000'000;
      if (random() % 90 == 0) back += 1000, lost += 4'000'000;
      if (random() % 200 == 0) ++boot, lost += step;
      const BudgetTime now = clock.advance(reading());
      if (now < told || now > real - began) FAIL("run " << run << ": " << now << " of " << real - began);
      told = now;
    }
    CHECK(told + lost >= real - began);  // and it does not stand still either
  }
}

TEST_CASE("steady honest traffic gets 0.98 of its limit over ten windows") {
  struct Row {
    u64 limit, length_us;
    u32 slots, workers;
    double load;  // of the limit's own rate
  };
  for (const Row& row : {Row{20'000'000, 1'000'000, 64, 4, 1.0}, Row{50'000'000, 60'000'000, 64, 2, 1.0},
                         Row{50'000'000, 3'600'000'000, 64, 4, 1.0}, Row{50'000'000, 3'600'000'000, 128, 8, 1.0},
                         Row{30'000'001, 86'400'000'000, 64, 4, 1.5}, Row{100'000'000, 10'000'000, 128, 4, 4.0}}) {
    OwnedAccount owned(rule_of({{row.limit, row.length_us, row.slots}}));
    Account account = owned.view();
    std::vector<Purse> purses(row.workers);
    std::vector<LeaseSize> sizes(row.workers);
    const double gap_us = 1500.0 * static_cast<double>(row.length_us) / static_cast<double>(row.limit) / row.load;
    const u64 beat_us = std::max<u64>(1000, row.length_us / 1000);
    u64 sent = 0, next_beat = 0;
    std::mt19937_64 random(5);
    for (double at = 1; at < 10.0 * static_cast<double>(row.length_us); at += gap_us) {
      const BudgetTime now = static_cast<BudgetTime>(at);
      if (now >= next_beat) {
        for (Purse& purse : purses) {
          const Purse::Report report = purse.beat();
          account.settle(now, report.spent, report.returned);
        }
        next_beat = now + beat_us;
      }
      const u64 w = random() % row.workers;
      if (!purses[w].holds(1500)) {
        const Purse::Report report = purses[w].report();
        account.settle(now, report.spent, 0);
        const u64 most = sizes[w].next(now, 1500, account.available(now), row.limit, row.workers);
        purses[w].put(account.grant(now, 1500, most));
      }
      if (purses[w].spend(1500)) sent += 1500;
    }
    const double got = static_cast<double>(sent) / static_cast<double>(row.limit) / 10;
    INFO("limit " << row.limit << " in " << row.length_us << " us, " << row.slots << " slots, " << row.workers
                  << " workers, load " << row.load << ": " << got);
    std::printf("limit %llu in %llu us, %u slots, %u workers, load %.1f: %.4f of it\n",
                static_cast<unsigned long long>(row.limit), static_cast<unsigned long long>(row.length_us), row.slots,
                row.workers, row.load, got);
    CHECK(got >= 0.98);
  }
}

TEST_CASE("an account of a host is small") {
  const u64 hour = 3'600'000'000;
  const AccountRule three = rule_of({{1, hour, 64}, {1, 24 * hour, 64}, {1, 720 * hour, 64}, {1, 0, 0}});
  const AccountRule four = rule_of({{1, hour / 60, 64}, {1, hour, 64}, {1, 24 * hour, 64}, {1, 720 * hour, 64}});
  CHECK(three.memory_words() * 8 + sizeof(AccountState) == 544);
  CHECK(four.memory_words() * 8 + sizeof(AccountState) == 704);
}
