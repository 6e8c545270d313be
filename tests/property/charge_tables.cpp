// Limits and bills against naive twins: buckets in exact arithmetic, one for each of whom a limit counts; cells that
// are too few and never give anybody more for that; many threads that share one cell and together get what one would;
// and lists interned by content against a plain map of them.
#include "dataplane/flow/bills.hpp"

#include <catch2/catch.hpp>

#include <atomic>
#include <map>
#include <random>
#include <thread>

using namespace weir;

namespace {

using Random = std::mt19937_64;
constexpr Tick began = 1'700'000'000'000'000;

struct Cells {
  explicit Cells(u32 count) : memory(count), cells(memory) {}
  std::vector<LimitCells::Cell> memory;
  LimitCells cells;
};

// A bucket of the burst's bytes that fills at the rate, in units of a byte times 8,000,000 (bits and microseconds).
struct Bucket {
  u128 level = 0;  // what is missing
  Tick at = 0;
  bool take(Tick now, u64 bits_per_s, u64 burst, u64 bytes) {
    const u128 filled = u128{now - at} * bits_per_s;
    level = level > filled ? level - filled : 0;
    at = now;
    if (level + u128{bytes} * 8'000'000 > u128{burst} * 8'000'000) return false;
    level += u128{bytes} * 8'000'000;
    return true;
  }
};

Draw draw_of(u32 purse) {
  Draw made{};
  made.purse = purse;
  return made;
}

}  // namespace

TEST_CASE("a limit of bytes lets pass what an exact bucket would, and never more") {
  Random random(1);
  u64 passed_by_both = 0, refused_alone = 0;
  for (u32 world = 0; world < 200; ++world) {
    const u64 rate = 8 + random() % (u64{1} << (4 + random() % 36)), burst = 2048 + random() % 1'000'000;
    const LimitRate limit = limit_rate(rate, burst, {}, {});
    Cells own(16);
    Tick now = random() % (u64{100} * 366 * 86'400'000'000);  // cells' time has gone round many times by then
    const u32 cell = own.cells.cell_of(random(), now);
    Bucket bucket{0, now};
    for (u32 i = 0; i < 2'000; ++i) {
      now += random() % (1 + (u64{2'000'000'000} * 8 / rate) % 10'000'000);
      const u64 bytes = 60 + random() % 1441;
      Bucket before = bucket;
      const bool exact = bucket.take(now, rate, burst, bytes);
      const bool would = own.cells.would_take(cell, limit, bytes, 1, now) == LimitCells::Answer::conforms;
      const bool passes = own.cells.take(cell, limit, bytes, 1, now) == LimitCells::Answer::conforms;
      REQUIRE(would == passes);
      REQUIRE((!passes || exact));
      passed_by_both += passes;
      refused_alone += exact && !passes;
      if (exact && !passes) before.take(now, rate, burst, 0), bucket = before;  // the twin follows what happened
    }
  }
  CHECK(passed_by_both > 50'000);
  CHECK(refused_alone * 200 < passed_by_both);  // rounding to the stricter side is seldom seen
}

TEST_CASE("with too few cells nobody finds more than was his") {
  Random random(2);
  const u64 burst = 10'000, rate = 8'000;  // a kilobyte a second
  const LimitRate limit = limit_rate(rate, burst, {}, {});
  Cells own(8);  // two sets, and a hundred who want one
  std::map<u64, Bucket> exact;
  u64 passed = 0;
  Tick now = began;
  for (u32 i = 0; i < 200'000; ++i) {
    now += random() % 5'000;
    const u64 key = 2 * (1 + random() % 100) * 0x9e37'79b9'7f4a'7c15;
    const bool passes =
        own.cells.take(own.cells.cell_of(key, now), limit, 500, 1, now) == LimitCells::Answer::conforms;
    Bucket& bucket = exact[key];
    const Bucket before = bucket;
    const bool may = bucket.take(now, rate, burst, 500);
    if (!passes) bucket = before;
    REQUIRE((!passes || may));
    passed += passes;
  }
  CHECK(passed > 1'000);
}

TEST_CASE("connections at once and new ones are counted exactly, whoever leaves") {
  Random random(3);
  LimitRate limit = limit_rate(0, 0, {}, {rate_units_per_second / 10, 4 * (rate_units_per_second / 10)});
  limit.connections = 5;
  Cells own(16);
  const u32 cell = own.cells.cell_of(77, began);
  u32 open = 0;
  std::vector<Tick> opened;
  Tick now = began;
  for (u32 i = 0; i < 20'000; ++i) {
    now += random() % 60'000;
    if (random() % 2 == 0 && open != 0) {
      own.cells.leave(cell);
      --open;
      continue;
    }
    const LimitCells::Answer answer = own.cells.open(cell, limit, now);
    if (open == 5) REQUIRE(answer == LimitCells::Answer::connections);
    if (answer == LimitCells::Answer::conforms) ++open, opened.push_back(now);
    REQUIRE(own.cells.connections(cell) == open);
  }
  for (std::size_t i = 5; i < opened.size(); ++i)  // five at once, then ten a second
    for (const std::size_t back : {std::size_t{5}, std::min<std::size_t>(i, 50)})
      REQUIRE(opened[i] - opened[i - back] + 1 >= (back - 5) * 100'000 + (back == 5 ? 99'000 : 0));
  CHECK(opened.size() > 1'000);
}

TEST_CASE("threads that share a cell get together what one would") {
  const LimitRate limit = limit_rate(8'000'000, 100'000, {}, {});  // a megabyte a second
  Cells own(16);
  const u32 cell = own.cells.cell_of(5, began);
  std::atomic<u64> passed{0};
  std::vector<std::thread> threads;
  for (u32 worker = 0; worker < 4; ++worker)
    threads.emplace_back([&] {
      for (u32 i = 0; i < 100'000; ++i)  // all see the same time go by: a second in all
        if (own.cells.take(cell, limit, 100, 1, began + i * 10) == LimitCells::Answer::conforms)
          passed.fetch_add(100, std::memory_order_relaxed);
    });
  for (std::thread& thread : threads) thread.join();
  // No thread's clock is ahead of a second, and the bucket never runs ahead of the latest.
  CHECK(passed.load() <= 1'100'000);
  CHECK(passed.load() >= 1'000'000);
}

TEST_CASE("bills are shared by content, kept while flows have them, and given back") {
  Random random(4);
  constexpr u32 capacity = 64;
  Cells own(16);
  std::vector<std::byte> memory(Bills::bytes_needed(capacity) + 64);
  std::byte* at = memory.data() + (64 - reinterpret_cast<std::uintptr_t>(memory.data()) % 64) % 64;
  Bills bills({at, Bills::bytes_needed(capacity)}, capacity, own.cells);
  std::map<u32, u32> flows_of;  // by content
  std::vector<std::pair<u32, u32>> flows;  // content, bill
  u64 refused = 0, shared = 0;
  for (u32 i = 0; i < 200'000; ++i) {
    if (random() % 2 == 0 && !flows.empty()) {
      std::swap(flows[random() % flows.size()], flows.back());
      const auto [content, bill] = flows.back();
      REQUIRE(bills[bill].draws(0)[0].purse == content + 1);
      bills.release(bill);
      flows.pop_back();
      if (--flows_of[content] == 0) flows_of.erase(content);
    } else {
      const u32 content = static_cast<u32>(random() % 100);
      Bill made{};
      for (u32 n = 0; n <= content % 7; ++n) made.add(0, draw_of(content + 1 + n));
      if (content % 3 == 0) made.add(1, draw_of(500));
      const u32 bill = bills.take(made);
      if (bill == bill_refused) {
        ++refused;
        REQUIRE((flows_of.size() == bills.capacity() && !flows_of.contains(content)));
        continue;
      }
      for (const auto& [other, number] : flows)
        if (number == bill) REQUIRE(other == content);
      shared += flows_of[content]++ != 0;
      flows.emplace_back(content, bill);
      if (flows.size() > 300) flows.pop_back(), bills.release(bill), --flows_of[content];
      if (flows_of[content] == 0) flows_of.erase(content);
    }
    REQUIRE(bills.live() == flows_of.size());
  }
  CHECK(bills.take(Bill{}) == no_bill);
  CHECK(shared > 10'000);
  CHECK(refused > 100);
}
