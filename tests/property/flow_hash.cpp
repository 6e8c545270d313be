// The hash of flow keys: the same for both directions, and even and unpredictable on the keys that a cluster really
// has, which are neighbours of each other in address and port.
#include "dataplane/packet/key.hpp"
#include "dataplane/pipeline/burst.hpp"
#include "tests/property/flow_keys.hpp"

#include <catch2/catch.hpp>

#include <array>
#include <cmath>
#include <functional>
#include <vector>

using namespace weir;

namespace {

constexpr u32 keys_count = 1 << 16;
constexpr u32 scope = FlowKey::scope_of(FlowClass::udp, 1, 0, 0);

u16 port(u32 number) { return swap(static_cast<u16>(number)); }
Address v4(u32 host) { return Address::ipv4(swap(host)); }
Address v6(u64 high, u64 low) { return {swap(high), swap(low)}; }

FlowKey key_of(const Address& source, u32 source_port, const Address& target, u32 target_port, u32 in_scope = scope) {
  bool swapped;
  return make_key(source, port(source_port), target, port(target_port), in_scope, swapped);
}

struct Family {
  const char* name;
  std::function<FlowKey(u32)> key;
};

const Family families[] = {
    {"v4 neighbouring sources", [](u32 i) { return key_of(v4(0x0a000000 + i), 4000, v4(0x0a400001), 443); }},
    {"v4 ports of one pair", [](u32 i) { return key_of(v4(0x0a000001), i, v4(0x0a000002), 4791); }},
    {"v4 all to all, one port",
     [](u32 i) { return key_of(v4(0x0a000000 + i / 256), 4791, v4(0x0a010000 + i % 256), 4791); }},
    {"v4 both ports", [](u32 i) { return key_of(v4(0x0a000001), i / 256, v4(0x0a000002), 256 + i % 256); }},
    {"v4 high bits", [](u32 i) { return key_of(v4(i << 16), 1, v4(0x0a000002), 2); }},
    {"v4 echo identifiers", [](u32 i) { return key_of(v4(0x0a000001), i, v4(0x0a000002), i); }},
    {"v4 VLANs",
     [](u32 i) {
       return key_of(v4(0x0a000001), 1, v4(0x0a000002), 2, FlowKey::scope_of(FlowClass::tcp, i >> 12, i & 0xfff, 7));
     }},
    {"v6 neighbouring hosts", [](u32 i) { return key_of(v6(0xfd00ull << 48, i), 4000, v6(0xfd01ull << 48, 1), 443); }},
    {"v6 neighbouring networks",
     [](u32 i) { return key_of(v6(0xfd00ull << 48 | i, 1), 4000, v6(0xfd01ull << 48, 1), 443); }},
    {"v6 ports of one pair", [](u32 i) { return key_of(v6(0xfd00ull << 48, 1), i, v6(0xfd00ull << 48, 2), 4791); }},
    {"v6 all to all",
     [](u32 i) { return key_of(v6(0xfd00ull << 48, i / 256), 9, v6(0xfd00ull << 48, 4096 + i % 256), 9); }},
};

FlowKey queue_pair_of(const Address& source, const Address& target, u32 qp) {
  bool swapped;
  return make_rdma_key(source, target, qp, FlowKey::scope_of(FlowClass::rdma, 1, 0, 0), swapped);
}

const Family pairs_of_one[] = {
    {"v4 queue pairs", [](u32 i) { return queue_pair_of(v4(0x0a000001), v4(0x0a000002), i + 1); }},
    {"v4 queue pairs, two ways",
     [](u32 i) { return queue_pair_of(v4(0x0a000001 + i % 2), v4(0x0a000002 - i % 2), 256 + i / 2); }},
    {"v6 queue pairs",
     [](u32 i) { return queue_pair_of(v6(0xfd00ull << 48, 2), v6(0xfd00ull << 48, 1), i << 8 | 0x35); }},
};

const Family queue_pairs_of_many[] = {
    {"v4 all to all, one queue pair",
     [](u32 i) { return queue_pair_of(v4(0x0a000000 + i / 256), v4(0x0a010000 + i % 256), 17); }},
    {"v6 all to all, one queue pair",
     [](u32 i) { return queue_pair_of(v6(0xfd00ull << 48, i / 256), v6(0xfd00ull << 48, 4096 + i % 256), 17); }},
};

// Squared deviation of the counts from even, in standard deviations of what chance gives.
double unevenness(const std::vector<u32>& counts, double keys) {
  const double expected = keys / static_cast<double>(counts.size());
  double sum = 0;
  for (u32 count : counts) sum += (count - expected) * (count - expected) / expected;
  const double freedom = static_cast<double>(counts.size() - 1);
  return (sum - freedom) / std::sqrt(2 * freedom);
}

FlowKey random_key(Random& random, bool ipv6) {
  const auto number = [&] { return static_cast<u32>(random()); };
  return ipv6 ? key_of(v6(random(), random()), number(), v6(random(), random()), number())
              : key_of(v4(number()), number(), v4(number()), number());
}

}  // namespace

TEST_CASE("both directions have one key and one hash") {
  Random random(1);
  const HashKey secret = random_secret(random);
  for (u32 i = 0; i < 20'000; ++i) {
    const u32 bits = static_cast<u32>(random());
    const Address one = i % 2 ? v4(static_cast<u32>(random())) : v6(random(), random());
    const Address two = i % 5 == 0 ? one : i % 2 ? v4(static_cast<u32>(random())) : v6(random(), random());
    const FlowKey there = key_of(one, bits & 0xffff, two, bits >> 16);
    const FlowKey back = key_of(two, bits >> 16, one, bits & 0xffff);
    REQUIRE(there == back);
    REQUIRE(hash_of(there, secret) == hash_of(back, secret));
  }
}

TEST_CASE("neighbouring keys fall evenly on buckets, tags and workers") {
  Random random(2);
  for (u32 round = 0; round < 4; ++round) {
    const HashKey secret = random_secret(random);
    for (const Family& family : families) {
      std::vector<u32> buckets(1 << 12), tags(1 << 12), both(1 << 12), workers(7);
      for (u32 i = 0; i < keys_count; ++i) {
        const u64 hash = hash_of(family.key(i), secret);
        ++buckets[hash >> 20 & 0xfff];
        ++tags[hash >> 32 & 0xfff];
        ++both[(hash >> 26 & 0x3f) << 6 | (hash >> 42 & 0x3f)];
        ++workers[owner_of(hash, 7)];
      }
      INFO(family.name << ", round " << round);
      CHECK(unevenness(buckets, keys_count) < 6);
      CHECK(unevenness(tags, keys_count) < 6);
      CHECK(unevenness(both, keys_count) < 6);
      CHECK(unevenness(workers, keys_count) < 6);
    }
  }
}

TEST_CASE("an RDMA key says which end has which queue pair") {
  Random random(5);
  for (u32 i = 0; i < 10'000; ++i) {
    const bool ipv6 = i % 2 != 0;
    const Address one = ipv6 ? v6(random(), random()) : v4(static_cast<u32>(random()));
    const Address two = ipv6 ? v6(i % 4 == 1 ? swap(one.high) : random(), random()) : v4(static_cast<u32>(random()));
    if (one == two) continue;
    const u32 qp = static_cast<u32>(random()) & 0xff'ffff;
    bool there_swapped, back_swapped, ports_swapped;
    const u32 in_scope = FlowKey::scope_of(FlowClass::rdma, 1, 7, 8);
    const FlowKey there = make_rdma_key(one, two, qp, in_scope, there_swapped);
    const FlowKey back = make_rdma_key(two, one, qp, in_scope, back_swapped);
    const FlowKey ports = make_key(one, 1, two, 2, in_scope, ports_swapped);
    REQUIRE(there_swapped == ports_swapped);
    REQUIRE(back_swapped != there_swapped);
    REQUIRE((there.a == ports.a && there.b == ports.b && back.a == ports.a && back.b == ports.b));
    REQUIRE((qp_of(there) == qp && qp_of(back) == qp));
    REQUIRE(target_is_a(there) == (there.a == two));
    REQUIRE(target_is_a(back) == (back.a == one));
    REQUIRE(there.flow_class() == FlowClass::rdma);
  }
}

TEST_CASE("all queue pairs of two hosts have one worker, and fall evenly on buckets and tags") {
  Random random(6);
  for (u32 round = 0; round < 4; ++round) {
    const HashKey secret = random_secret(random);
    for (const Family& family : pairs_of_one) {
      std::vector<u32> buckets(1 << 12), tags(1 << 12), both(1 << 12);
      const u64 worker = hash_of(family.key(0), secret) >> 48;
      for (u32 i = 0; i < keys_count; ++i) {
        const u64 hash = hash_of(family.key(i), secret);
        REQUIRE(hash >> 48 == worker);
        ++buckets[hash >> 20 & 0xfff];
        ++tags[hash >> 32 & 0xfff];
        ++both[(hash >> 26 & 0x3f) << 6 | (hash >> 42 & 0x3f)];
      }
      INFO(family.name << ", round " << round);
      CHECK(unevenness(buckets, keys_count) < 6);
      CHECK(unevenness(tags, keys_count) < 6);
      CHECK(unevenness(both, keys_count) < 6);
    }
    for (const Family& family : queue_pairs_of_many) {
      std::vector<u32> workers(7);
      for (u32 i = 0; i < keys_count; ++i) ++workers[owner_of(hash_of(family.key(i), secret), 7)];
      INFO(family.name << ", round " << round);
      CHECK(unevenness(workers, keys_count) < 6);
    }
  }
}

TEST_CASE("each bit of a key turns each bit of the hash about every second time") {
  Random random(3);
  constexpr u32 samples = 3000;
  for (bool ipv6 : {false, true}) {
    // Bit by bit of the canonical words, without putting the endpoints in order again.
    const u32 bits = 8 * sizeof(FlowKey);
    double least = 1, most = 0;
    for (u32 bit = 0; bit < bits; ++bit) {
      const u32 word = bit / 64;
      if (!ipv6 && (word == 0 || word == 2 || (bit % 64 >= 32 && word < 4))) continue;  // constant in IPv4
      std::array<u32, 64> turned{};
      for (u32 sample = 0; sample < samples; ++sample) {
        const HashKey secret = random_secret(random);
        FlowKey key = random_key(random, ipv6);
        const u64 before = hash_of(key, secret);
        u64 words[5];
        std::memcpy(words, &key, sizeof key);
        words[word] ^= u64{1} << bit % 64;
        std::memcpy(static_cast<void*>(&key), words, sizeof key);
        const u64 change = before ^ hash_of(key, secret);
        for (u32 out = 0; out < 64; ++out) turned[out] += change >> out & 1;
      }
      for (u32 count : turned) {
        least = std::min(least, count / double{samples});
        most = std::max(most, count / double{samples});
      }
    }
    INFO((ipv6 ? "v6" : "v4") << ": least " << least << ", most " << most);
    CHECK(least > 0.44);
    CHECK(most < 0.56);
  }
}

TEST_CASE("keys that share a bucket and tag under one secret do not under another") {
  Random random(4);
  const HashKey known = random_secret(random), other = random_secret(random);
  for (u32 aimed_at : {0u, 8u}) {  // neighbouring v4 sources, neighbouring v6 networks; aimed at 12 bits
    std::vector<u32> counts(1 << 6);
    u32 aimed = 0;
    for (u32 i = 0; i < 1u << 24 && aimed < 4096; ++i) {
      const FlowKey key = families[aimed_at].key(i);
      if ((hash_of(key, known) >> 20 & 0xfff) != 0x123) continue;
      ++counts[hash_of(key, other) >> 26 & 0x3f];
      ++aimed;
    }
    REQUIRE(aimed == 4096);
    CHECK(unevenness(counts, aimed) < 6);
  }
}
