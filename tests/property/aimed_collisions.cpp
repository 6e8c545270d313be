// Who knows the hash but not the secret makes lookups no dearer. Cost is counted, not timed: the cache lines that a
// lookup reads, which are one or two buckets and each record whose tag is alike.
#include "dataplane/flow/index.hpp"
#include "tests/property/aimed_keys.hpp"

#include <catch2/catch.hpp>

#include <algorithm>
#include <numeric>

using namespace weir;

namespace {

constexpr u32 keys_count = 1 << 14;
constexpr u32 buckets_count = (keys_count * 10 / 56 + 1) & ~1u;  // as full as a full flow table

struct Cost {
  double lines, missing_lines;   // mean of a lookup that finds, and of one that does not
  u32 lines_most = 0, refused = 0;
  double away = 0;               // share of entries that stand in their second bucket
};

u32 lines_of(const FlowIndex& index, const std::vector<FlowBucket>& buckets, u64 hash, u32 entry, bool& is_away) {
  u32 records = 0;
  const u32 found = index.find(hash, [&](u32 candidate) { return ++records, candidate == entry; });
  const FlowBucket& first = buckets[(hash & 0xffff'ffff) * buckets.size() >> 32];
  is_away = std::find(std::begin(first.slots), std::end(first.slots), entry) == std::end(first.slots);
  const u32 tag = std::max(static_cast<u32>(hash >> 32 & 0xffff), 1u);
  const bool second_read = found == no_flow ? first.away[tag & 15] != 0 : is_away;
  return 1 + second_read + records;
}

Cost cost_of(const std::vector<FlowKey>& keys, const std::vector<FlowKey>& missing, const HashKey& secret) {
  std::vector<FlowBucket> buckets(buckets_count);
  FlowIndex index(buckets.data(), buckets_count);
  Cost cost{};
  std::vector<u32> inserted;
  for (u32 i = 0; i < keys.size(); ++i) {
    if (index.insert(hash_of(keys[i], secret), i)) inserted.push_back(i);
    else ++cost.refused;
  }
  u64 lines = 0, missing_lines = 0, away = 0;
  bool is_away;
  for (u32 i : inserted) {
    const u32 own = lines_of(index, buckets, hash_of(keys[i], secret), i, is_away);
    lines += own;
    away += is_away;
    cost.lines_most = std::max(cost.lines_most, own);
  }
  for (const FlowKey& key : missing) missing_lines += lines_of(index, buckets, hash_of(key, secret), no_flow, is_away);
  cost.lines = static_cast<double>(lines) / static_cast<double>(inserted.size());
  cost.away = static_cast<double>(away) / static_cast<double>(inserted.size());
  cost.missing_lines = static_cast<double>(missing_lines) / static_cast<double>(missing.size());
  return cost;
}

std::vector<FlowKey> first_keys(KeyFamily family, u32 from) {
  std::vector<FlowKey> keys;
  for (u32 i = 0; i < keys_count; ++i) keys.push_back(family(from + i));
  return keys;
}

void check_no_dearer(const Cost& cost, const Cost& even) {
  INFO("lines " << cost.lines << " against " << even.lines << ", of what is missing " << cost.missing_lines
                << " against " << even.missing_lines << ", most " << cost.lines_most << " against " << even.lines_most
                << ", away " << cost.away << " against " << even.away);
  CHECK(cost.refused == 0);
  CHECK(cost.lines <= 2 * even.lines);
  CHECK(cost.missing_lines <= 2 * even.missing_lines);
  CHECK(cost.lines_most <= 2 * even.lines_most);
  CHECK(cost.away <= 2 * even.away);
}

}  // namespace

TEST_CASE("keys in rows cost no more lines than scattered ones") {
  Random random(11);
  for (u32 round = 0; round < 2; ++round) {
    const HashKey secret = random_secret(random);
    Cost even[2];
    for (u32 ipv6 = 0; ipv6 < 2; ++ipv6)
      even[ipv6] = cost_of(first_keys(scattered_families[ipv6].key, 0),
                           first_keys(scattered_families[ipv6].key, keys_count), secret);
    for (const NamedFamily& family : row_families) {
      INFO(family.name << ", round " << round);
      check_no_dearer(cost_of(first_keys(family.key, 0), first_keys(family.key, keys_count), secret),
                      even[family.ipv6]);
    }
  }
}

TEST_CASE("keys aimed under a guessed secret collide under it and under no other") {
  Random random(12);
  const HashKey guessed = random_secret(random);
  for (const NamedFamily* family : {&scattered_families[0], &row_families[0], &row_families[3], &row_families[6]}) {
    std::vector<FlowKey> aimed = aimed_keys(family->key, guessed, 2 * keys_count);
    const std::vector<FlowKey> missing(aimed.begin() + keys_count, aimed.end());
    aimed.resize(keys_count);
    INFO(family->name);
    // That the aim is good: under the guess a tenth of the buckets is asked to take them all.
    CHECK(cost_of(aimed, missing, guessed).refused > keys_count / 2);
    for (u32 round = 0; round < 3; ++round) {
      const HashKey secret = random_secret(random);
      const KeyFamily even = scattered_families[family->ipv6].key;
      check_no_dearer(cost_of(aimed, missing, secret),
                      cost_of(first_keys(even, 0), first_keys(even, keys_count), secret));
    }
  }
}
