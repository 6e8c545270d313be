// The flow table against a map: random insert, find, erase, age and clear, with real hashes and with hashes that all
// fall on one pair of buckets; then that what a table is asked to hold, it holds.
#include "dataplane/flow/table.hpp"
#include "tests/property/flow_keys.hpp"

#include <catch2/catch.hpp>

#include <unordered_map>
#include <vector>

using namespace weir;

namespace {

// What the table promises, said with a map and a loop.
struct Twin {
  struct Flow {
    u32 flow;
    Beat deadline;
  };
  std::unordered_map<u32, Flow> flows;    // by key number
  std::unordered_map<u32, u32> key_of;    // flow number to key number
  u32 fresh = 0, cursor = 0;

  void insert(u32 key, u32 flow, Beat deadline) {
    flows[key] = {flow, deadline};
    REQUIRE(key_of.emplace(flow, key).second);
    fresh = std::max(fresh, flow + 1);
  }
  void erase(u32 key) {
    key_of.erase(flows.at(key).flow);
    flows.erase(key);
  }
  u32 age(Beat now, u32 deadlines) {
    u32 erased = 0;
    for (u32 looks = std::min(deadlines, fresh); looks != 0; --looks) {
      if (cursor >= fresh) cursor = 0;
      const auto at = key_of.find(cursor++);
      if (at == key_of.end()) continue;
      const u16 since = static_cast<u16>(now - flows.at(at->second).deadline);
      if (since >= 0x8000) continue;
      erase(at->second);
      ++erased;
    }
    return erased;
  }
};

struct Play {
  Random random;
  HashKey secret;
  u32 capacity, keys;
  bool colliding;  // every IPv4 key has the same hash
  LentMemory memory;
  FlowTable table;
  Twin twin;
  Beat now = 0xf000;  // the clock goes over its end early on
  std::vector<u32> hints;    // by key number: what guess() once said, mostly stale

  Play(u64 seed, u32 capacity_in, bool colliding_in)
      : random(seed),
        secret(random_secret(random)),
        capacity(capacity_in),
        keys(3 * capacity_in + 20),
        colliding(colliding_in),
        memory(FlowTable::bytes_needed(capacity_in)),
        table(memory.span(), capacity_in),
        hints(keys, no_flow) {
    if (colliding) secret.words[1] = numbered_tail;
  }
  u32 below(u32 bound) { return static_cast<u32>(random() % bound); }
  bool is_ipv6(u32 number) const { return number % 2 != 0; }
  FlowKey key(u32 number) const { return numbered_key(number, is_ipv6(number)); }
  u64 hash(u32 number) const { return hash_of(key(number), secret); }
  u32 crowd() const {
    u32 count = 0;
    for (const auto& [number, flow] : twin.flows) count += !is_ipv6(number);
    return count;
  }

  void look_up(u32 number) {
    table.prefetch_bucket(hash(number));
    const u32 guess = table.guess(hash(number));
    const auto at = twin.flows.find(number);
    const u32 expected = at == twin.flows.end() ? no_flow : at->second.flow;
    for (u32 hint : {guess, no_flow, hints[number], below(capacity), below(keys)})
      REQUIRE(table.find(key(number), hash(number), hint) == expected);
    if (!colliding && expected != no_flow && below(64) != 0) CHECK(guess != no_flow);
    hints[number] = guess;
    if (expected == no_flow) return;
    REQUIRE(table.deadline(expected) == at->second.deadline);
    REQUIRE(table.expired(expected, now) == deadline_passed(at->second.deadline, now));
  }

  void insert(u32 number) {
    if (twin.flows.contains(number)) return;
    const bool near_end = static_cast<u16>(now + 4096) < 8192;
    const Beat deadline = near_end && below(8) == 0 ? Beat{0} : static_cast<Beat>(now + below(4096));
    const u32 flow = table.insert(key(number), hash(number), deadline);
    if (flow == no_flow) {
      const bool crowded = colliding && crowd() >= 8;
      REQUIRE((twin.flows.size() == capacity || crowded));
      return;
    }
    REQUIRE(flow < capacity);
    FlowRecord fresh{};
    fresh.key = key(number);
    fresh.deadline = deadline;
    REQUIRE(std::memcmp(&table.record(flow), &fresh, sizeof fresh) == 0);
    twin.insert(number, flow, deadline);
    FlowRecord& record = table.record(flow);
    // All but the key and the deadline is the caller's.
    constexpr std::size_t after = offsetof(FlowRecord, deadline) + sizeof(Beat);
    std::memset(reinterpret_cast<char*>(&record) + after, 0xa5, sizeof record - after);
    record.decision = static_cast<u16>(random());
  }

  void touch(u32 number) {
    const auto at = twin.flows.find(number);
    if (at == twin.flows.end()) return;
    at->second.deadline = static_cast<Beat>(now + 1 + below(2048));
    table.set_deadline(at->second.flow, at->second.deadline);
  }

  void erase(u32 number) {
    const auto at = twin.flows.find(number);
    if (at == twin.flows.end()) return;
    table.erase(at->second.flow, hash(number));
    twin.erase(number);
  }

  void step() {
    const u32 number = below(keys);
    switch (const u32 act = below(100)) {
      case 0 ... 34: insert(number); break;
      case 35 ... 59: look_up(number); break;
      case 60 ... 74: erase(number); break;
      case 75 ... 84: touch(number); break;
      default:
        now = static_cast<Beat>(now + below(64));
        const u32 deadlines = below(8) == 0 ? capacity + below(100) : below(40);
        REQUIRE(table.age(now, deadlines, secret) == twin.age(now, deadlines));
        if (act == 99 && below(40) == 0) {
          table.clear();
          twin = Twin{};
        }
    }
  }

  void check_all() {
    REQUIRE(table.live() == twin.flows.size());
    REQUIRE(table.capacity() == capacity);
    for (u32 number = 0; number < keys; ++number) look_up(number);
    for (u32 flow = 0; flow < capacity; ++flow) {
      const auto at = twin.key_of.find(flow);
      REQUIRE(table.is_live(flow) == (at != twin.key_of.end()));
      if (at != twin.key_of.end()) REQUIRE(table.record(flow).key == key(at->second));
    }
  }

  void run(u32 steps) {
    for (u32 i = 0; i < steps; ++i) {
      step();
      if (i % (steps / 20) == 0) check_all();
    }
    check_all();
  }
};

}  // namespace

TEST_CASE("the table does what a map does") {
  const u32 capacity = GENERATE(1u, 2u, 3u, 7u, 8u, 9u, 11u, 12u, 40u, 64u, 333u, 2000u);
  const bool colliding = GENERATE(false, true);
  const u64 seed = GENERATE(1u, 2u);
  INFO("capacity " << capacity << " colliding " << colliding << " seed " << seed);
  Play(seed, capacity, colliding).run(6000);
}

TEST_CASE("sixteen flows of one hash fit, a seventeenth does not, and the others still do") {
  Play play(7, 1000, true);
  for (u32 i = 0; i < 40; ++i) play.insert(2 * i);
  REQUIRE(play.twin.flows.size() == 16);
  for (u32 i = 0; i < 900; ++i) play.insert(2 * i + 1);
  REQUIRE(play.twin.flows.size() >= 913);  // one in 8,000 has just these two buckets
  play.check_all();
}

TEST_CASE("newcomers whose buckets others fill move them on") {
  Play play(8, 1000, true);
  for (u32 i = 0; i < 980; ++i) play.insert(2 * i + 1);
  for (u32 i = 0; i < 40; ++i) play.insert(2 * i);
  REQUIRE(play.crowd() == 16);
  play.check_all();
}

TEST_CASE("a table takes as many flows as it was asked for, and then says so") {
  for (u32 capacity = 1; capacity < 400; ++capacity) {
    Play play(capacity, capacity, false);
    for (u32 i = 0; i < capacity; ++i) REQUIRE(play.table.insert(play.key(i), play.hash(i), 5) != no_flow);
    REQUIRE(play.table.insert(play.key(capacity), play.hash(capacity), 5) == no_flow);
    const u32 leaver = play.below(capacity);
    const u32 flow = play.table.find(play.key(leaver), play.hash(leaver), no_flow);
    play.table.erase(flow, play.hash(leaver));
    REQUIRE(play.table.insert(play.key(capacity), play.hash(capacity), 5) == flow);
  }
}

TEST_CASE("a million flows fit, in at most 87 bytes each, and all are found and aged") {
  const u32 capacity = 1u << 20;
  REQUIRE(FlowTable::bytes_needed(capacity) <= std::size_t{87} * capacity);
  REQUIRE(FlowTable::bytes_needed(1u << 31) <= std::size_t{87} << 31);
  for (u32 tiny = 8; tiny < 5000; ++tiny) REQUIRE(FlowTable::bytes_needed(tiny) <= std::size_t{87} * tiny + 256);
  Play play(3, capacity, false);
  u32 failed = 0, lost = 0;
  const auto deadline = [](u32 i) { return static_cast<Beat>(1 + (i >> 9)); };  // the first half by 1 << 10
  for (u32 i = 0; i < capacity; ++i) failed += play.table.insert(play.key(i), play.hash(i), deadline(i)) == no_flow;
  for (u32 i = 0; i < capacity; ++i) {
    const u32 flow = play.table.find(play.key(i), play.hash(i), play.table.guess(play.hash(i)));
    lost += flow == no_flow || play.table.deadline(flow) != deadline(i);
  }
  REQUIRE(failed == 0);
  REQUIRE(lost == 0);
  REQUIRE(play.table.age(1 << 10, capacity, play.secret) == capacity / 2);
  REQUIRE(play.table.live() == capacity / 2);
  REQUIRE(play.table.find(play.key(0), play.hash(0), 0) == no_flow);
}
