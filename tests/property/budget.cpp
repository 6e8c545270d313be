// Rates, scans and the census of flows against naive twins: a leaky bucket in exact numbers, sets, a count of a map.
// WEIR_PROPERTY_SCALE multiplies how much is drawn (default 1).
#include "dataplane/budget/rate_table.hpp"
#include "dataplane/budget/scan_table.hpp"
#include "dataplane/flow/census.hpp"
#include "tests/property/naive_floods.hpp"

#include <catch2/catch.hpp>
#include <cstdlib>
#include <random>
#include <unordered_map>

using namespace weir;

namespace {

u32 scale() {
  const char* text = std::getenv("WEIR_PROPERTY_SCALE");
  return text == nullptr ? 1 : static_cast<u32>(std::atoi(text));
}

Rate random_rate(std::mt19937_64& random) {
  const u64 interval = 1 + random() % (u64{1} << random() % 44);
  return {interval, interval * (random() % 50)};
}

control::Frequency as_stated(const Rate& rate) { return {rate.interval, rate.tolerance}; }

// Sets without padding questions: aligned, zeroed.
template <class Element>
std::vector<Element> zeroed(std::size_t count) {
  return std::vector<Element>(count);
}

}  // namespace

TEST_CASE("a rate grants as the leaky bucket does, also when it changes") {
  std::mt19937_64 random(1);
  u64 granted = 0, refused = 0;
  for (u32 run = 0; run < 300 * scale(); ++run) {
    Rate rate = random_rate(random);
    u64 due = 0;
    naive::Floods::Bucket bucket;
    Tick now = random() % 2 ? 1'700'000'000'000'000 : 0;
    for (u32 i = 0; i < 300; ++i) {
      if (random() % 100 == 0) rate = random_rate(random);
      now += random() % 4 ? random() % (rate.interval / rate_units_per_tick + 2) : 0;
      const bool one = conforms(due, rate_time(now), rate);
      const bool other = bucket.take(as_stated(rate), now);
      if (one != other) FAIL("run " << run << ": they differ");
      ++(one ? granted : refused);
    }
  }
  CHECK((granted > 10'000 && refused > 10'000));
}

TEST_CASE("no time and no rate overflows") {
  const Rate slowest{rate_interval_max, rate_tolerance_max};
  for (const Tick now : {Tick{0}, Tick{1'700'000'000'000'000}, ~Tick{0} / 2, ~Tick{0}}) {
    u64 due = ~u64{0};
    u32 granted = 0;
    for (u32 i = 0; i < 100; ++i) granted += conforms(due, rate_time(now), slowest);
    CHECK(granted == 0);  // as far ahead as it may be
    due = 0;
    for (u32 i = 0; i < 100; ++i) granted += conforms(due, rate_time(now), slowest);
    CHECK(granted == 31);
  }
}

TEST_CASE("a rate table grants nobody more than his rate, whoever else comes by") {
  std::mt19937_64 random(2);
  for (u32 run = 0; run < 40 * scale(); ++run) {
    auto sets = zeroed<RateTable::Set>(4);
    RateTable table(sets);
    const Rate rate{1000 * rate_units_per_tick, (random() % 5) * 1000 * rate_units_per_tick};
    // From one key that fits beside others to a flood of names.
    const u64 names = 1 + random() % (1 + random() % 400);
    std::vector<u64> keys(names);
    for (u64& key : keys) key = random();
    std::unordered_map<u64, naive::Floods::Bucket> twin;
    Tick now = 1'000'000'000;
    u64 granted = 0, same = 0, asked = 0;
    for (u32 i = 0; i < 5000; ++i, ++asked) {
      now += random() % (names < 8 ? 600 : 60);
      const u64 key = random() % 3 ? keys[random() % names] : keys[0];
      const bool one = table.take(key, rate_time(now), rate);
      if (!one) {
        naive::Floods::Bucket would = twin[key];
        same += !would.take(as_stated(rate), now);
        continue;
      }
      if (!twin[key].take(as_stated(rate), now)) FAIL("run " << run << ": more than the rate");
      ++granted, ++same;
    }
    CHECK(granted != 0);
    if (names <= RateTable::ways) CHECK(same == asked);  // nothing was ever thrown out
  }
}

TEST_CASE("bits of a scan: what is expected, and never more than what was tried") {
  CHECK(scan_bits_of(0) == 0);
  CHECK(scan_bits_of(1) == 1);
  CHECK(scan_bits_of(2) == 2);
  CHECK(scan_bits_of(100) == 70);
  CHECK(scan_bits_of(400) < scan_bits);
  for (u32 count = 1; count < 400; ++count) CHECK(scan_bits_of(count) <= scan_bits_of(count + 1));
}

TEST_CASE("a scan is recognised near the number stated, and blocks for the time stated") {
  std::mt19937_64 random(3);
  for (const u32 stated : {2u, 5u, 20u, 50u, 100u, 200u, 400u}) {
    double sum = 0;
    const u32 runs = 200 * scale();
    for (u32 run = 0; run < runs; ++run) {
      auto cells = zeroed<ScanTable::Cell>(64);
      ScanTable table(cells);
      const ScanLimits limits{scan_bits_of(stated), 0, 10'000'000, 5'000'000};
      const u64 key = random(), target = random();
      u32 tried = 0;
      Tick now = 1'000'000'000;
      do ++tried;
      while (table.attempt(key, random(), target, now, limits) == ScanTable::Finding::nothing);
      REQUIRE(tried >= limits.ports_bits);
      CHECK(table.attempt(key, 1, target, now + 4'999'999, limits) == ScanTable::Finding::blocked);
      CHECK(table.attempt(key, 1, target, now + 5'000'000, limits) == ScanTable::Finding::nothing);
      sum += tried;
    }
    INFO(stated << ": on average " << sum / runs);
    CHECK(std::abs(sum / runs - stated) <= 0.06 * stated + 1);
  }
}

TEST_CASE("many sources cannot make a blocked one free while its other cell is not blocked too") {
  std::mt19937_64 random(4);
  auto cells = zeroed<ScanTable::Cell>(1024);
  ScanTable table(cells);
  const ScanLimits limits{2, 0, 10'000'000, 60'000'000};
  const Tick now = 1'000'000'000;
  table.attempt(77, 1, 1, now, limits);
  REQUIRE(table.attempt(77, 2, 1, now, limits) == ScanTable::Finding::scan);
  for (u32 i = 0; i < 100'000; ++i) table.attempt(random(), 1, 1, now + 1 + i, limits);
  CHECK(table.attempt(77, 3, 1, now + 100'002, limits) == ScanTable::Finding::blocked);
}

TEST_CASE("the census counts what lives, and toward a target never less") {
  std::mt19937_64 random(5);
  const HashKey secret{{random(), random(), random(), random()}};
  auto counters = zeroed<u32>(64);  // so few that targets share them
  FlowCensus census(counters, secret);
  std::vector<FlowRecord> live;
  const auto drawn = [&] {
    FlowRecord record{};
    const bool is_udp = random() % 3 == 0;
    const u32 scope = FlowKey::scope_of(is_udp ? FlowClass::udp : FlowClass::tcp, random() % 2, 0, 0);
    bool swapped = false;
    record.key = make_key(Address::ipv4(static_cast<u32>(random())), static_cast<u16>(random()),
                          Address::ipv4(static_cast<u32>(random() % 100)), 80, scope, swapped);
    record.opener_is_a = !swapped;
    return record;
  };
  const auto target_of = [](const FlowRecord& record) { return record.opener_is_a ? record.key.b : record.key.a; };
  for (u32 i = 0; i < 20'000 * scale(); ++i) {
    const u64 act = random() % 8;
    if (act < 4 || live.empty()) {
      live.push_back(drawn());
      census.enter(live.back());
    } else if (act < 6) {
      std::swap(live[random() % live.size()], live.back());
      census.leave(live.back());
      live.pop_back();
    } else if (act == 6) {
      FlowRecord& record = live[random() % live.size()];
      const u32 before = record.state;
      if (record.key.flow_class() == FlowClass::tcp) record.set_state(static_cast<u32>(random() % tcp_states_count));
      if (is_half_open(FlowClass::tcp, record.state) && !is_half_open(FlowClass::tcp, before)) record.set_state(before);
      census.move(record, before);
    } else if (random() % 500 == 0) {
      live.clear();
      census.clear();
    }
    if (i % 50 != 0) continue;
    u32 half_open = 0, udp = 0, toward = 0;
    const FlowRecord& asked = drawn();
    for (const FlowRecord& record : live) {
      udp += record.key.flow_class() == FlowClass::udp;
      const bool is_half = is_half_open(record.key.flow_class(), record.state);
      half_open += is_half;
      toward += is_half && target_of(record) == target_of(asked) && space_of(record.key) == space_of(asked.key);
    }
    REQUIRE((census.half_open() == half_open && census.udp() == udp));
    REQUIRE(census.half_open_toward(address_hash(target_of(asked), space_of(asked.key), secret)) >= toward);
  }
}
