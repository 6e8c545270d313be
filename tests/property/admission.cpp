// What a full table promises, against a naive count of everything: whom a newcomer may displace and whom never, that
// reserves stay what they are, and which idle times a filling table shortens.
#include "dataplane/flow/table.hpp"
#include "tests/property/flow_keys.hpp"

#include <catch2/catch.hpp>

#include <map>
#include <vector>

using namespace weir;

namespace {

constexpr u32 whole = 10'000;

u32 idle_of(const FlowRecord& record) {
  static const IdleTimes idle;
  return idle.of_flow(record);
}

struct Play {
  Random random;
  HashKey secret;
  u32 capacity;
  LentMemory memory;
  FlowTable table;
  std::vector<u16> share = std::vector<u16>(classes_count);
  std::map<u32, u32> key_of;  // live flow to the number of its key
  u32 next_key = 0;
  Beat now = 60'000;
  u64 taken[5] = {}, refused = 0, kept_free = 0;  // by rank

  Play(u64 seed, u32 capacity_in)
      : random(seed),
        secret(random_secret(random)),
        capacity(capacity_in),
        memory(FlowTable::bytes_needed(capacity_in)),
        table(memory.span(), capacity_in) {
    for (u32 k = 1, left = whole; k < 5; ++k, left -= share[k - 1]) share[k] = static_cast<u16>(below(left / 2));
    table.shares().set(share, whole, capacity);
  }
  u32 below(u32 bound) { return bound == 0 ? 0 : static_cast<u32>(random() % bound); }
  u32 any() { return std::next(key_of.begin(), below(static_cast<u32>(key_of.size())))->first; }
  FlowKey key(u32 number) const { return numbered_key(number, number % 2 != 0); }
  u64 hash(u32 number) const { return hash_of(key(number), secret); }
  u32 reserve(u32 k) const { return static_cast<u32>(u64{capacity} * share[k] / whole); }
  u32 live(u32 k) const {
    u32 count = 0;
    for (const auto& [flow, number] : key_of) count += class_of(table.standing(flow)) == k;
    return count;
  }
  // What is owed to other classes, by counting.
  u32 owed_to_others(u32 k) const {
    u32 owed = 0;
    for (u32 other = 1; other < classes_count; ++other)
      if (other != k && live(other) < reserve(other)) owed += reserve(other) - live(other);
    return owed;
  }

  static u32 idle(const FlowTable& table, u32 flow, Beat now) {
    if (deadline_passed(table.deadline(flow), now)) return idle_of(table.record(flow));
    return idle_of(table.record(flow)) - static_cast<u16>(table.deadline(flow) - now);
  }
  // Whether a newcomer of class k may displace the flow.
  bool may_go(u32 flow, u32 k) const {
    const u32 other = class_of(table.standing(flow));
    if (rank_of(table.standing(flow)) == Rank::both_ways)
      return other == 0 && idle(table, flow, now) >= idle_of(table.record(flow)) / 4;
    return other == k || live(other) > reserve(other);
  }

  void arrive(u32 k) {
    const bool free_for_it = key_of.size() + owed_to_others(k) < capacity;
    REQUIRE(table.has_room(k) == free_for_it);
    if (k != 0 && live(k) < reserve(k)) REQUIRE(free_for_it);  // its share is there for it
    if (!free_for_it) {
      kept_free += key_of.size() < capacity;
      if (!displace(k)) return;
      REQUIRE((table.has_room(k) || key_of.size() + owed_to_others(k) < capacity));
    }
    const Rank rank = below(2) ? Rank::half_open : Rank::one_way;
    const u32 number = next_key++;
    const u32 flow = table.insert(key(number), hash(number), 0, standing_of(k, rank));
    if (flow == no_flow) return;  // crowded
    table.record(flow).set_state(0);
    table.record(flow).epoch = 1;
    table.set_deadline(flow, static_cast<Beat>(now + idle_of(table.record(flow))));
    key_of[flow] = number;
  }

  bool displace(u32 k) {
    u32 lower = 0, may = 0, heard_both_ways = 0;
    for (const auto& [flow, number] : key_of) {
      const bool both = rank_of(table.standing(flow)) == Rank::both_ways;
      may += may_go(flow, k);
      lower += may_go(flow, k) && !both;
      heard_both_ways += both;
    }
    const u32 victim = table.victim(k, now);
    if (victim == no_flow) {
      REQUIRE(lower == 0);
      if (heard_both_ways <= 8) REQUIRE(may == 0);  // it looks at sixteen, some of them twice
      ++refused;
      return false;
    }
    REQUIRE(key_of.contains(victim));
    REQUIRE(may_go(victim, k));
    const Rank rank = rank_of(table.standing(victim));
    if (rank == Rank::both_ways) REQUIRE(lower == 0);
    ++taken[static_cast<u32>(rank)];
    table.erase(victim, hash(key_of.at(victim)));
    key_of.erase(victim);
    return true;
  }

  // A flow's state moves on, or it hears a packet, or ends.
  void live_on() {
    if (key_of.empty()) return;
    const u32 flow = any();
    if (below(8) == 0) {
      table.erase(flow, hash(key_of.at(flow)));
      key_of.erase(flow);
      return;
    }
    FlowRecord& record = table.record(flow);
    const bool tcp = record.key.flow_class() == FlowClass::tcp;
    if (below(2)) record.set_state(tcp ? (below(3) ? u32(TcpState::established) : below(tcp_states_count)) : 1);
    table.set_standing(flow, standing_of(class_of(table.standing(flow)), rank_of(record)));
    table.set_deadline(flow, static_cast<Beat>(now + idle_of(record)));
  }

  // All handshakes complete, and some flows fall silent.
  void settle() {
    for (const auto& [flow, number] : key_of) {
      FlowRecord& record = table.record(flow);
      record.set_state(static_cast<u32>(TcpState::established));
      table.set_standing(flow, standing_of(class_of(table.standing(flow)), rank_of(record)));
      table.set_deadline(flow, static_cast<Beat>(now + 1 + below(idle_of(record))));
    }
  }

  void check() const {
    REQUIRE(table.live() == key_of.size());
    for (u32 k = 0; k < classes_count; ++k) REQUIRE(table.shares().live(k) == live(k));
    REQUIRE(table.shares().withheld() == owed_to_others(0));
    REQUIRE(capacity - table.live() >= table.shares().withheld());
  }

  void run(u32 steps) {
    for (u32 i = 0; i < steps; ++i) {
      if (below(250) == 0) now = static_cast<Beat>(now + below(5000));
      if (below(200) == 0) settle();
      below(2) != 0 ? arrive(below(6) * below(2)) : live_on();
      for (const auto& [flow, number] : std::map(key_of))
        if (deadline_passed(table.deadline(flow), now)) table.erase(flow, hash(number)), key_of.erase(flow);
      check();
    }
  }
};

}  // namespace

TEST_CASE("nobody displaces whom it may not, and a reserve is there for whom it is for") {
  u64 taken[5] = {}, refused = 0, kept_free = 0;
  for (u64 seed = 0; seed < 60; ++seed) {
    Play play(seed, 1 + static_cast<u32>(seed * 7 % 97));
    play.run(1500);
    for (u32 rank = 0; rank < 5; ++rank) taken[rank] += play.taken[rank];
    refused += play.refused, kept_free += play.kept_free;
  }
  for (const Rank rank : {Rank::over, Rank::half_open, Rank::one_way, Rank::both_ways}) {
    INFO("rank " << static_cast<u32>(rank));
    CHECK(taken[static_cast<u32>(rank)] > 50);
  }
  CHECK(refused > 50);
  CHECK(kept_free > 50);
}

TEST_CASE("sixteen standings at a time are those one at a time") {
  Random random(5);
  for (u32 i = 0; i < 100'000; ++i) {
    u8 standings[standing_lanes];
    Takeable takeable;
    for (u8& standing : standings) standing = static_cast<u8>(random() % 5 | (random() % 16) << 4);
    for (u8& may : takeable.of_class) may = random() % 2 ? 0xff : 0;
    REQUIRE(takeable_lanes(standings, takeable) == takeable_lanes_scalar(standings, takeable));
  }
}

TEST_CASE("idle times shrink with the room that is left, but not those of a reserve's flows heard both ways") {
  const u32 capacity = GENERATE(1u, 7u, 100u, 1000u);
  Play play(capacity, capacity);
  play.share.assign(classes_count, 0);
  play.table.shares().set(play.share, whole, capacity);
  play.table.shorten_when_filling();
  FlowTable& table = play.table;
  u64 cut = 0, spared = 0, in_full = 0;
  for (u32 i = 0; i < capacity; ++i) {
    play.arrive(i % 2);
    const u32 flow = play.any();
    table.record(flow).set_state(play.below(2));
    table.set_standing(flow, standing_of(i % 2, play.below(2) ? Rank::both_ways : Rank::half_open));
    const u32 left = 1 + play.below(idle_of(table.record(flow)));
    table.set_deadline(flow, static_cast<Beat>(play.now + left));
    // In beats: what is left of the whole once the table's fill has been taken off.
    const double fill = static_cast<double>(table.live()) / capacity, gone = fill <= 0.6 ? 0 : (fill - 0.6) / 0.6;
    const bool is_spared = i % 2 != 0 && rank_of(table.standing(flow)) == Rank::both_ways;
    const double edge = is_spared ? 0 : idle_of(table.record(flow)) * gone;
    const bool over = table.expired(flow, play.now);
    if (left < edge - 1) REQUIRE(over);
    if (left > edge) REQUIRE(!over);
    cut += over, spared += is_spared, in_full += !over;
  }
  if (capacity == 1000) CHECK((cut > 50 && spared > 100 && in_full > 100));
  // Ageing takes exactly those, though what it sees first are the deadlines of before.
  u32 due = 0;
  for (;;) {
    due = 0;
    for (u32 flow = 0; flow < table.used(); ++flow) due += table.is_live(flow) && table.expired(flow, play.now);
    const u32 before = table.live(), gone = table.age(play.now, capacity, play.secret);
    REQUIRE(gone <= due);
    REQUIRE(table.live() == before - gone);
    if (gone == 0) break;
  }
  REQUIRE(due == 0);
}
