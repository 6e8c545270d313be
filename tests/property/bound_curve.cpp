// What an account lets pass in an interval, against every schedule: in small discrete worlds all thieves are tried, in
// larger ones random and greedy thieves. WEIR_PROPERTY_SCALE multiplies the number of random accounts.
#include "control/bound/curve.hpp"
#include "control/bound/show.hpp"

#include <algorithm>
#include <catch2/catch.hpp>
#include <cstdlib>
#include <deque>
#include <map>
#include <random>

namespace weir::control {
namespace {

u64 scale() {
  const char* const text = std::getenv("WEIR_PROPERTY_SCALE");
  return text == nullptr ? 1 : std::max(1L, std::atol(text));
}

// The most that any schedule sends in `slots` slots, by trying every amount in every slot. A window of length w holds
// any w slots in a row.
class EveryThief {
 public:
  explicit EveryThief(const std::vector<CurveWindow>& windows) : windows_(windows) {
    for (const CurveWindow& one : windows) {
      longest_ = std::max(longest_, one.length_s);
      if (one.length_s > 0) largest_ = std::min(largest_, one.bytes);
    }
  }
  u64 most(u64 slots) { return best(slots, {}); }

 private:
  u64 best(u64 slots, const std::vector<u64>& past) {
    if (slots == 0) return 0;
    const auto known = known_.find({slots, past});
    if (known != known_.end()) return known->second;
    u64 most = 0;
    for (u64 amount = 0; amount <= largest_; ++amount) {
      std::vector<u64> now = past;
      now.push_back(amount);
      if (!fits(now)) break;
      if (now.size() >= longest_) now.erase(now.begin());
      most = std::max(most, amount + best(slots - 1, now));
    }
    known_[{slots, past}] = most;
    return most;
  }
  bool fits(const std::vector<u64>& sent) const {
    return std::all_of(windows_.begin(), windows_.end(), [&](const CurveWindow& one) {
      u64 sum = 0;
      for (u64 back = 0; back < one.length_s && back < sent.size(); ++back) sum += sent[sent.size() - 1 - back];
      return one.length_s == 0 || sum <= one.bytes;
    });
  }

  const std::vector<CurveWindow>& windows_;
  u64 longest_ = 0, largest_ = ~u64{0};
  std::map<std::pair<u64, std::vector<u64>>, u64> known_;
};

std::vector<CurveWindow> random_windows(std::mt19937_64& draw, u64 bytes_max, u64 length_max) {
  std::vector<CurveWindow> windows;
  for (u64 left = 1 + draw() % 3; left > 0; --left)
    windows.push_back({draw() % (bytes_max + 1), 1 + draw() % length_max});
  return windows;
}

// The same minimum by dynamic programming over every length.
Bytes cheapest_cover(const std::vector<CurveWindow>& windows, u64 length_s) {
  std::vector<Bytes> cost(length_s + 1, 0);
  for (u64 at = 1; at <= length_s; ++at) {
    cost[at] = unlimited;
    for (const CurveWindow& one : windows)
      cost[at] = std::min(cost[at], one.bytes + cost[at > one.length_s ? at - one.length_s : 0]);
  }
  return cost[length_s];
}

// Offers at every tick of a second and is served as windows and a token bucket of `once` bytes allow.
class Thief {
 public:
  Thief(const Curve& curve) : curve_(curve), tokens_(curve.once_bytes * ticks * 8) {}
  static constexpr u64 ticks = 4;

  u64 send(u64 tick, u64 wanted) {
    u64 allowed = wanted;
    for (const CurveWindow& one : curve_.windows) {
      u64 spent = 0;
      for (const auto& [at, amount] : sent_)
        if (one.length_s == 0 || tick - at < one.length_s * ticks) spent += amount;
      allowed = std::min(allowed, one.bytes - std::min(one.bytes, spent));
    }
    if (allowed > 0) sent_.push_back({tick, allowed});
    u64 beyond = 0;
    if (curve_.has_bucket) {
      tokens_ = std::min(tokens_ + (tick - last_) * curve_.bits_per_s, curve_.once_bytes * ticks * 8);
      last_ = tick;
      beyond = std::min(wanted - allowed, tokens_ / (ticks * 8));
      tokens_ -= beyond * ticks * 8;
    }
    return allowed + beyond;
  }

 private:
  const Curve& curve_;
  std::deque<std::pair<u64, u64>> sent_;
  u64 tokens_, last_ = 0;
};

}  // namespace

TEST_CASE("no schedule sends more than the curve, and one sends as much") {
  std::mt19937_64 draw(20260601);
  u64 compared = 0;
  for (u64 round = 0; round < 300 * scale(); ++round) {
    const std::vector<CurveWindow> windows = random_windows(draw, 4, 5);
    EveryThief thief(windows);
    for (u64 length_s = 1; length_s <= 11; ++length_s, ++compared)
      REQUIRE(thief.most(length_s) == most_of_windows(windows, length_s));
  }
  REQUIRE(compared == 3300 * scale());
}

TEST_CASE("the cover is the cheapest of all") {
  std::mt19937_64 draw(7);
  for (u64 round = 0; round < 400 * scale(); ++round) {
    const std::vector<CurveWindow> windows = random_windows(draw, 1'000'000, 1 + draw() % 97);
    for (int asked = 0; asked < 5; ++asked) {
      const u64 length_s = 1 + draw() % 3'000;
      REQUIRE(most_of_windows(windows, length_s) == cheapest_cover(windows, length_s));
    }
  }
}

TEST_CASE("a search that is cut short errs upward") {
  // Lengths without a common divisor and bytes that are nearly their multiples: no branch is hopeless early.
  const std::vector<CurveWindow> windows{
      {9'973'001, 9'973}, {9'967'002, 9'967}, {9'949'001, 9'949}, {9'941'003, 9'941}};
  for (const u64 length_s : {u64{100'000}, u64{999'983}, u64{2'592'000}}) {
    const Bytes exact = cheapest_cover(windows, length_s), found = most_of_windows(windows, length_s);
    CHECK(found >= exact);
    CHECK(found <= exact + exact / 100);
  }
}

TEST_CASE("greedy and random thieves get no more in any interval") {
  std::mt19937_64 draw(41);
  for (u64 round = 0; round < 150 * scale(); ++round) {
    Curve curve{random_windows(draw, 5'000, 40), draw() % 2 == 0, 1 + draw() % 4'000, 1 + draw() % 200};
    if (draw() % 4 == 0) curve.windows.push_back({draw() % 20'000, 0});
    Thief thief(curve);
    const u64 end = 200 * Thief::ticks, greed = 1 + draw() % 4;
    std::vector<u64> total{0};
    for (u64 tick = 0; tick < end; ++tick)
      total.push_back(total.back() + (draw() % greed == 0 ? thief.send(tick, draw() % 6'000) : 0));
    for (u64 length_s = 1; length_s <= 200; length_s += 1 + length_s / 8) {
      const Bytes most = curve.most(length_s);
      for (u64 from = 0; from + length_s * Thief::ticks <= end; ++from)
        if (total[from + length_s * Thief::ticks] - total[from] > most) FAIL("sent more than " << show_bytes(most));
    }
    REQUIRE(total.back() <= curve.most(ever));
  }
}

TEST_CASE("what windows say in words") {
  const std::vector<CurveWindow> sample{{20'000'000'000, 3'600}, {150'000'000'000, 86'400}};
  CHECK(most_of_windows(sample, 3'600) == 20'000'000'000);
  CHECK(most_of_windows(sample, 3'601) == 40'000'000'000);
  CHECK(most_of_windows(sample, 86'400) == 150'000'000'000);
  CHECK(most_of_windows(sample, 86'401) == 170'000'000'000);  // a day, and an hour that begins the next
  CHECK(most_of_windows(sample, ever) == unlimited);
  CHECK(most_of_windows({{5, 0}, {3, 10}}, ever) == 5);
  CHECK(most_of_windows({{5, 0}, {3, 10}}, 10) == 3);
  CHECK(Curve{{}, false, 0, 0}.most(1) == unlimited);
  CHECK(Curve{{}, true, 8, 100}.most(10) == 110);
  CHECK(Curve{{{50, 5}}, true, 9, 100}.most(10) == 100 + 12 + 100);
  CHECK(times(unlimited - 1, 2) == unlimited);
  CHECK(plus(unlimited - 1, 1) == unlimited);
  CHECK(times(Bytes{1} << 70, u64{1} << 63) == unlimited);
}

TEST_CASE("figures are rounded to the safe side") {
  CHECK(show_bytes(999) == "999 B");
  CHECK(show_bytes(1'000) == "1 kB");
  CHECK(show_bytes(1'001) == "1.01 kB");
  CHECK(show_bytes(1'100) == "1.1 kB");
  CHECK(show_bytes(9'999) == "10 kB");
  CHECK(show_bytes(214'560'000'001) == "214.6 GB");
  CHECK(show_bytes(unlimited) == "unlimited");
  CHECK(show_time(u64{0}) == "0 s");
  CHECK(show_time(119) == "1 min 59 s");
  CHECK(show_time(86'400) == "1 d");
  CHECK(show_time(7 * 86'400 + 3'599) == "7 d");
  CHECK(show_time(7 * 86'400 - 1) == "6 d 23 h");
  CHECK(show_time(200 * 86'400 - 1) == "199 d");
  CHECK(show_time(Shortest{0, true, false}) == "never");
}

}  // namespace weir::control
