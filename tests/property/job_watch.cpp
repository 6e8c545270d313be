// The watch of what members send each other, against a naive twin that keeps every packet of a window in a list; and
// that alarms are told once a window, of who passes the number. Random members, sizes and times.
#include "dataplane/rdma/alarms.hpp"
#include "dataplane/rdma/job_watch.hpp"

#include <catch2/catch.hpp>

#include <algorithm>
#include <map>
#include <random>
#include <vector>

using namespace weir;

namespace {

constexpr HashKey secret{{0x1234, 0x5678, 0x9abc, 0xdef1}};

template <class Table>
struct Held {
  std::vector<std::byte> memory = std::vector<std::byte>(Table::bytes_needed + 64);
  Table table{aligned(), secret};
  std::span<std::byte> aligned() {
    const auto at = reinterpret_cast<std::uintptr_t>(memory.data());
    return std::span(memory).subspan((64 - at % 64) % 64, Table::bytes_needed);
  }
};

Address host(u32 number) { return Address::ipv4(0x0a00'0000u + number); }

struct Naive {
  struct Sent {
    u32 by;
    u64 bytes;
  };
  struct Pair {
    bool is_met = false, is_shaped = false;
    Tick began = 0;
    std::vector<Sent> sent;
    std::vector<u32> habit;  // who sent one way while it was taught
    int last = -1;
  };
  std::map<std::pair<u32, u32>, Pair> pairs;

  JobWatch::Finding count(u32 from, u32 to, u32 bytes, const JobWatch::Terms& terms, Tick now) {
    Pair& pair = pairs[std::minmax(from, to)];
    if (!pair.is_met || now >= pair.began + terms.window_us) {
      pair.is_met = true;
      pair.is_shaped = false;
      pair.began = now;
      pair.sent.clear();
    }
    pair.sent.push_back({from, bytes});
    u64 forth = 0, back = 0;
    for (const Sent& one : pair.sent) (one.by == from ? forth : back) += one.bytes;
    if (pair.is_shaped || forth < terms.burst) return JobWatch::Finding::nothing;
    pair.is_shaped = true;
    if (back + 1 > forth / terms.ratio) return JobWatch::Finding::nothing;
    const int before = pair.last;
    pair.last = static_cast<int>(from);
    if (terms.teaches) pair.habit.push_back(from);
    if (std::find(pair.habit.begin(), pair.habit.end(), from) != pair.habit.end()) return JobWatch::Finding::nothing;
    return before == static_cast<int>(to) ? JobWatch::Finding::turned : JobWatch::Finding::burst;
  }
};

}  // namespace

TEST_CASE("the watch tells what its naive twin tells") {
  u64 found[3] = {};
  for (u32 seed = 1; seed <= 20; ++seed) {
    std::mt19937_64 random(seed);
    Held<JobWatch> held;
    Naive twin;
    Tick now = random() % 1'000'000;
    const Tick began = now;
    for (u32 packet = 0; packet < 20'000; ++packet) {
      const u32 members = 6, one = static_cast<u32>(random() % members);
      const u32 further = random() % 9 == 0 ? static_cast<u32>(random() % (members - 1)) : 0;
      const u32 from = one, to = (one + 1 + further) % members;
      const bool turns = (now / 1'000'000 + one + seed) % 4 == 0 || random() % 40 == 0;
      const JobWatch::Terms terms{50'000, 300'000, 10, now < began + 2'000'000};
      const u32 bytes = 64 + static_cast<u32>(random() % 4096);
      const u32 source = turns ? to : from, target = turns ? from : to;
      const auto told = held.table.count(host(source), host(target), 0, bytes, terms, now);
      REQUIRE(told == twin.count(source, target, bytes, terms, now));
      ++found[static_cast<u8>(told)];
      now += random() % 800;
    }
  }
  CHECK((found[1] > 20 && found[2] > 20));
}

TEST_CASE("a checkpoint toward a member is told, a ring that was there from the start is not") {
  Held<JobWatch> held;
  JobWatch::Terms terms{1'000'000, 1'000'000, 20, true};
  Tick now = 0;
  const auto send = [&](u32 from, u32 to, u32 times) {
    auto worst = JobWatch::Finding::nothing;
    for (u32 i = 0; i < times; ++i) {
      const auto told = held.table.count(host(from), host(to), 0, 10'000, terms, now += 1000);
      if (told != JobWatch::Finding::nothing) {
        CHECK(worst == JobWatch::Finding::nothing);
        worst = told;
      }
    }
    now += terms.window_us;
    return worst;
  };
  CHECK(send(1, 2, 200) == JobWatch::Finding::nothing);
  terms.teaches = false;
  CHECK(send(1, 2, 200) == JobWatch::Finding::nothing);
  CHECK(send(1, 3, 99) == JobWatch::Finding::nothing);
  CHECK(send(1, 3, 200) == JobWatch::Finding::burst);
  CHECK(send(1, 3, 200) == JobWatch::Finding::burst);
  CHECK(send(2, 1, 200) == JobWatch::Finding::turned);
}

TEST_CASE("more pairs than the watch has room for are forgotten, oldest first, and counted as they come") {
  Held<JobWatch> held;
  const JobWatch::Terms terms{1'000, 1'000'000'000, 2, false};
  u32 told = 0;
  for (u32 one = 0; one < 4 * JobWatch::ways * JobWatch::sets; ++one)
    told += held.table.count(host(one), host(~one), 7, 1'000, terms, one) == JobWatch::Finding::burst;
  CHECK(told == 4 * JobWatch::ways * JobWatch::sets);
  CHECK(held.table.count(host(1), host(~1u), 7, 999, terms, 1'000'000) == JobWatch::Finding::nothing);
}

TEST_CASE("who passes the number is told once a window, as a pair and as a source") {
  Held<Alarms> held;
  using Kind = Alarms::Kind;
  const u32 most = Alarms::most_of_pair[2];
  for (const Tick window : {Tick{5}, 5 + Alarms::window_us}) {
    u32 pairs = 0, sources = 0;
    for (u32 i = 0; i < 20 * most; ++i) {
      const Alarms::Told told = held.table.count(Kind::unknown, host(1), host(2 + i % 2), 0, window + i);
      CHECK((!told.pair || i / 2 == most));
      CHECK((!told.source || i == Alarms::source_factor * most));
      pairs += told.pair;
      sources += told.source;
    }
    CHECK((pairs == 2 && sources == 1));
  }
  for (u32 i = 0; i < 10 * Alarms::most_of_pair[3]; ++i) {
    const Alarms::Told told = held.table.count(Kind::requests, host(7), host(8), 0, i);
    CHECK((!told.pair && !told.source));
    held.table.forgive(Kind::requests, host(7), host(8), 0);
  }
}

TEST_CASE("the heaviest stay when many come by once") {
  Held<Alarms> held;
  for (u32 i = 0; i < 60; ++i) held.table.count(Alarms::Kind::unknown, host(1), host(2), 0, 1);
  for (u32 i = 0; i < 100'000; ++i) held.table.count(Alarms::Kind::unknown, host(100 + i), host(2), 0, 2);
  u32 seen = 0;
  held.table.each(3, [&](const Alarms::Cell& cell) {
    if (cell.source == host(1)) seen += cell.counts[2] == 60;
  });
  CHECK(seen == 2);
  bool told = false;
  for (u32 i = 0; i < 60; ++i) told = held.table.count(Alarms::Kind::unknown, host(1), host(2), 0, 4).pair || told;
  CHECK(told);
  u32 left = 0;
  held.table.each(4 + Alarms::window_us, [&](const Alarms::Cell&) { ++left; });
  CHECK(left == 0);
}
