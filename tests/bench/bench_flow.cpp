// What the flow table costs, beside DPDK's rte_hash on the same flows in the same order: P1, P2 and P6 of
// docs/performance.md, and a few figures without a goal. `bench_flow [rounds]`; as root it borrows 2 MiB pages.
#include "dataplane/flow/table.hpp"
#include "tests/bench/flow_rivals.hpp"
#include "tests/bench/lookups.hpp"
#include "tests/bench/pages.hpp"
#include "tests/bench/rounds.hpp"

#include <memory>
#include <numeric>
#include <random>
#include <vector>

using namespace weir;
using namespace weir::bench;

namespace {

constexpr u32 million = 1'000'000;
constexpr u32 table_flows = 1u << 20;
constexpr HashKey secret{{0x9ae16a3b2f90404f, 0xc3a5c85c97cb3127, 0xb492b66fbe98f273, 0x9ddfea08eb382d69}};

// The number-th of endless random IPv4 TCP flows between 10.0.0.0/8 and 10.16.0.0/12.
FlowKey flow_key(u64 number) {
  u64 bits = (number + 1) * 0x9e3779b97f4a7c15;
  bits = (bits ^ bits >> 30) * 0xbf58476d1ce4e5b9;
  bits = (bits ^ bits >> 27) * 0x94d049bb133111eb;
  bits ^= bits >> 31;
  const u32 source = static_cast<u32>(bits & 0xff'ffff) << 8 | 0x0a,
            target = static_cast<u32>(bits >> 32) << 12 | 0x100a;
  bool swapped;
  return make_key(Address::ipv4(source), static_cast<u16>(bits >> 24), Address::ipv4(target), 0xbb01,
                  FlowKey::scope_of(FlowClass::tcp, 0, 0, 0), swapped);
}

// What a packet brings to the table: the usual 5-tuple of 13 bytes, padded as DPDK's examples pad it, and a hash.
struct Lookup {
  u32 a, b;
  u16 a_number, b_number;
  u32 scope;
  u64 hash;
  FlowKey key() const { return {Address::ipv4(a), Address::ipv4(b), a_number, b_number, scope}; }
};
constexpr u32 tuple_bytes = 16;

Lookup lookup_of(u64 number) {
  const FlowKey key = flow_key(number);
  return {static_cast<u32>(key.a.low), static_cast<u32>(key.b.low), key.a_number, key.b_number, key.scope,
          hash_of(key, secret)};
}

[[noreturn]] void give_up(const char* why) {
  std::fprintf(stderr, "bench_flow: %s\n", why);
  std::exit(1);
}

// Every flow below `flows` once, in random order.
std::vector<u32> random_order(u32 flows, u32 seed) {
  std::vector<u32> order(flows);
  std::iota(order.begin(), order.end(), 0u);
  std::shuffle(order.begin(), order.end(), std::mt19937(seed));
  return order;
}

constexpr Beat far_deadline = 1 << 14;

struct Ours {
  Pages memory;
  FlowTable table;
  Ours(u32 capacity, bool huge) : memory(FlowTable::bytes_needed(capacity), huge), table(memory.span(), capacity) {}
  void fill(u32 flows) {
    for (u32 i = 0; i < flows; ++i) {
      const FlowKey key = flow_key(i);
      if (table.insert(key, hash_of(key, secret), far_deadline) == no_flow) give_up("a flow does not fit");
    }
  }
};

struct LookupRound {
  Pages memory;
  u32 count;
  u32 next = 0;
  LookupRound(u32 flows, u32 seed, bool huge, u32 first = 0)
      : memory(std::size_t{flows} * sizeof(Lookup), huge), count(flows) {
    Lookup* at = memory.as<Lookup>();
    for (u32 flow : random_order(flows, seed)) *at++ = lookup_of(first + flow);
  }
  // The next `some` lookups in turn: with several rounds, all are used.
  const Lookup* take(u32 some) {
    if (next + some > count) next = 0;
    next += some;
    return memory.as<Lookup>() + (next - some);
  }
};

// Cost of a lookup and a write to the record; with `deadlines`, also the deadline's check and renewal.
double touch_ns(Ours& ours, LookupRound& lookups, u32 count, bool deadlines) {
  const Lookup* first = lookups.take(count);
  u32 lost = 0;
  const double ns = timed_ns([&] {
    look_up(ours.table, first, count / burst, [&](u32 flow) {
      if (flow == no_flow || (deadlines && ours.table.expired(flow, 1))) {
        ++lost;
        return;
      }
      if (deadlines) ours.table.set_deadline(flow, far_deadline + 1);
      u64 packets;
      std::memcpy(&packets, ours.table.record(flow).end, sizeof packets);
      ++packets;
      std::memcpy(ours.table.record(flow).end, &packets, sizeof packets);
    });
  });
  if (lost != 0) give_up("a flow was not found");
  return ns / count;
}

// rte_hash with its records, filled with flows 0 .. flows-1. With whole keys it compares our 40 bytes, else the tuple.
struct Rival {
  Pages records;
  RteTable table;
  bool whole;
  Rival(const char* name, u32 entries, u32 flows, bool whole_in, bool huge)
      : records(std::size_t{64} * entries, huge),
        table(name, entries, whole_in ? sizeof(FlowKey) : tuple_bytes),
        whole(whole_in) {
    table.lend_records(records.as<std::byte>());
    for (u32 i = 0; i < flows; ++i) add(lookup_of(i));
  }
  void add(const Lookup& lookup) {
    const FlowKey key = lookup.key();
    const int position = table.add(whole ? static_cast<const void*>(&key) : &lookup, static_cast<u32>(lookup.hash));
    if (position < 0) give_up("rte_hash refuses a flow");
    FlowRecord& record = records.as<FlowRecord>()[position];
    record = FlowRecord{};
    record.key = key;
  }
  void remove(const Lookup& lookup) {
    const FlowKey key = lookup.key();
    table.remove(whole ? static_cast<const void*>(&key) : &lookup, static_cast<u32>(lookup.hash));
  }
  double touch_ns(const Lookup* lookups, u32 count, u32 bulk) {
    u32 found = 0;
    const double ns = timed_ns([&] {
      for (u32 at = 0; at + bulk <= count; at += bulk) {
        FlowKey keys[64];
        const void* pointers[64];
        u32 hashes[64];
        for (u32 i = 0; i < bulk; ++i) {
          if (whole) keys[i] = lookups[at + i].key();
          pointers[i] = whole ? static_cast<const void*>(&keys[i]) : &lookups[at + i];
          hashes[i] = static_cast<u32>(lookups[at + i].hash);
        }
        found += table.touch(pointers, hashes, bulk);
      }
    });
    if (found != count / bulk * bulk) give_up("rte_hash did not find a flow");
    return ns / (count / bulk * bulk);
  }
};

void compare_lookups(u32 rounds, u32 rte_entries, bool huge) {
  LookupRound lookups(million, 1, huge);
  Ours ours(table_flows, huge);
  ours.fill(million);
  Rival whole("whole", rte_entries, million, true, huge), tuple("tuple", rte_entries, million, false, huge);
  std::printf(
      "P1: lookup and record write, 1,000,000 flows in random order, hashes made before; rte_hash with room for %u\n",
      rte_entries);
  const Rounds result(
      {{"ours, three steps across bursts of 32", [&] { return touch_ns(ours, lookups, million, false); }},
       {"ours, with deadline checked and renewed", [&] { return touch_ns(ours, lookups, million, true); }},
       {"rte_hash lock-free, bulk of 32, 40-byte key",
        [&] { return whole.touch_ns(lookups.take(million), million, 32); }},
       {"rte_hash lock-free, bulk of 64, 40-byte key",
        [&] { return whole.touch_ns(lookups.take(million), million, 64); }},
       {"rte_hash lock-free, bulk of 32, 16-byte key",
        [&] { return tuple.touch_ns(lookups.take(million), million, 32); }},
       {"rte_hash lock-free, bulk of 64, 16-byte key",
        [&] { return tuple.touch_ns(lookups.take(million), million, 64); }}},
      rounds);
  result.print_costs();
  result.print_ratio("P1 rte_hash / ours, 40-byte key, bulk of 32", 2, 0, "gate >= 2.5, aim >= 3.5");
  result.print_ratio("   rte_hash / ours, 40-byte key, bulk of 64", 3, 0, "");
  result.print_ratio("   rte_hash / ours, 16-byte key, bulk of 32", 4, 0, "");
  result.print_ratio("   rte_hash / ours, 16-byte key, bulk of 64", 5, 0, "");
}

void compare_sizes(u32 rounds, bool huge) {
  constexpr u32 many = 8 * million;
  LookupRound few_lookups(million, 2, huge), many_lookups(many, 3, huge);
  Ours small(1u << 16, huge), few(table_flows, huge), eight(1u << 23, huge);
  LookupRound small_lookups(64000, 4, huge);
  small.fill(64000);
  few.fill(million);
  eight.fill(many);
  std::printf("P2: the same by number of flows\n");
  const Rounds result({{"64,000 flows",
                        [&] {
                          touch_ns(small, small_lookups, 64000, false);  // their lines come back to the cache
                          return touch_ns(small, small_lookups, 64000, false);
                        }},
                       {"1,000,000 flows", [&] { return touch_ns(few, few_lookups, million, false); }},
                       {"8,000,000 flows", [&] { return touch_ns(eight, many_lookups, million, false); }}},
                      rounds);
  result.print_costs();
  result.print_ratio("P2 at 8M / at 1M", 2, 1, "gate <= 1.4, aim <= 1.2");
  std::printf("  bytes per flow of capacity, all told: %.2f at 1M, %.2f at 8M\n",
              static_cast<double>(FlowTable::bytes_needed(1u << 20)) / (1u << 20),
              static_cast<double>(FlowTable::bytes_needed(1u << 23)) / (1u << 23));
}

// The flows of the next round, a million, made outside the measured time.
struct Births {
  Pages memory;
  u64 born = 0;
  explicit Births(bool huge) : memory(std::size_t{million} * sizeof(Lookup), huge) {}
  const Lookup* next() {
    for (u32 i = 0; i < million; ++i) memory.as<Lookup>()[i] = lookup_of(born + i);
    born += million;
    return memory.as<Lookup>();
  }
};

// A table in which a newcomer comes when another's time is up. 64 inserts are one beat.
struct Churn {
  Ours ours;
  Births births;
  u64 inserts = 0;
  u64 refused = 0, erased = 0, asked = 0;

  static constexpr u32 inserts_per_beat = 64;
  Beat now() const { return static_cast<Beat>(inserts / inserts_per_beat); }

  explicit Churn(bool huge) : ours(table_flows, huge), births(huge) {
    for (u32 round = 0; round < 4; ++round) round_ns();
    refused = erased = asked = 0;
  }
  void live_through(const Lookup* newcomers) {
    u32 at = 0;
    look_up(ours.table, newcomers, million / burst, [&](u32 flow) {
      if (at % burst == 0) erased += ours.table.age(now(), 64, secret);
      if (flow != no_flow) give_up("a newcomer is there already");
      const Lookup& lookup = newcomers[at++];
      // 350,000 to 1,050,000 inserts: with the wait for the cursor, nine tenths of the table are live.
      const u64 lifetime = 350'000 + ((lookup.hash >> 40 & 0xffff) * 700'000 >> 16);
      const Beat deadline = static_cast<Beat>((++inserts + lifetime) / inserts_per_beat);
      refused += ours.table.insert(lookup.key(), lookup.hash, deadline) == no_flow;
    });
    asked += million;
  }
  double round_ns() {
    const Lookup* newcomers = births.next();
    const double ns = timed_ns([&] { live_through(newcomers); });
    return ns / million;
  }
};

// The same with rte_hash: the oldest goes, a newcomer comes; deleting needs no search for what expired.
struct RivalChurn {
  Rival rival;
  Births going, coming;
  RivalChurn(const char* name, u32 entries, bool whole, bool huge)
      : rival(name, entries, million, whole, huge), going(huge), coming(huge) {
    coming.born = million;
  }
  double round_ns() {
    const Lookup *oldest = going.next(), *newcomers = coming.next();
    const double ns = timed_ns([&] {
      for (u32 i = 0; i < million; ++i) {
        rival.remove(oldest[i]);
        rival.add(newcomers[i]);
      }
    });
    return ns / million;
  }
};

void compare_churn(u32 rounds, u32 rte_entries, bool huge) {
  Churn ours(huge);
  RivalChurn whole("churn40", rte_entries, true, huge), tuple("churn16", rte_entries, false, huge);
  RivalChurn roomy("churn40-2", 2 * rte_entries, true, huge);
  std::printf("P6: one flow expires and one comes, about 1,000,000 live in tables for %u\n", table_flows);
  const Rounds result({{"ours, looked for and inserted; ageing 64 a burst of 32", [&] { return ours.round_ns(); }},
                       {"rte_hash delete, free and add, 40-byte key", [&] { return whole.round_ns(); }},
                       {"rte_hash delete, free and add, 16-byte key", [&] { return tuple.round_ns(); }},
                       {"rte_hash with twice the room, 40-byte key", [&] { return roomy.round_ns(); }}},
                      rounds);
  result.print_costs();
  result.print_ratio("P6 ours / rte_hash, 40-byte key", 0, 1, "gate <= 0.2, aim <= 0.1");
  result.print_ratio("   ours / rte_hash, 16-byte key", 0, 2, "");
  result.print_ratio("   ours / rte_hash with twice the room, 40-byte key", 0, 3, "");
  std::printf("  ours: %u live, %.3f %% refused, %.3f %% erased\n", ours.ours.table.live(),
              100.0 * static_cast<double>(ours.refused) / static_cast<double>(ours.asked),
              100.0 * static_cast<double>(ours.erased) / static_cast<double>(ours.asked));
}

void without_goal(u32 rounds, bool huge) {
  Ours ours(table_flows, huge);
  ours.fill(million);
  LookupRound strangers(million, 5, huge, 1u << 24);
  std::printf("without a goal, 1,000,000 flows\n");
  const Rounds result({{"look for flows that are not there",
                        [&] {
                          u32 found = 0;
                          const double ns = timed_ns([&] {
                            look_up(ours.table, strangers.take(million), million / burst,
                                    [&](u32 flow) { found += flow != no_flow; });
                          });
                          if (found != 0) give_up("a stranger was found");
                          return ns / million;
                        }},
                       {"ageing, per deadline, nothing expires",
                        [&] {
                          u32 erased = 0;
                          const double ns = timed_ns([&] {
                            for (u32 k = 0; k < million / 64; ++k) erased += ours.table.age(1, 64, secret);
                          });
                          if (erased != 0) give_up("a flow expired early");
                          return ns / (million / 64 * 64);
                        }}},
                      rounds);
  result.print_costs();
}

}  // namespace

int main(int count, char** words) {
  const u32 rounds = count > 1 ? static_cast<u32>(std::atoi(words[1])) : 9;
  std::setvbuf(stdout, nullptr, _IOLBF, 0);
  static const PageReserve reserve(std::size_t{2900} << 20);
  const bool huge = reserve.enough();
  std::printf("pages: %s for all contenders; cost is this thread's CPU time; median (least .. most) of %u rounds\n",
              huge ? "2 MiB" : "4 KiB (no 2 MiB pages to be had)", std::max(rounds, 7u));
  start_eal(huge, 900);
  compare_lookups(rounds, table_flows, huge);
  compare_churn(rounds, table_flows, huge);
  compare_sizes(rounds, huge);
  without_goal(rounds, huge);
  return 0;
}
