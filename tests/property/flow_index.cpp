// The index's own promises, by a walk over its buckets after every few changes, and the load at which it refuses.
#include "dataplane/flow/index.hpp"
#include "tests/property/flow_keys.hpp"

#include <catch2/catch.hpp>

#include <array>
#include <unordered_map>
#include <vector>

using namespace weir;

namespace {

u32 first_bucket(u64 hash, u32 count) { return static_cast<u32>((hash & 0xffff'ffff) * count >> 32); }
u16 tag_of(u64 hash) { return static_cast<u16>(hash >> 32) == 0 ? u16{1} : static_cast<u16>(hash >> 32); }

using Entries = std::unordered_map<u32, u64>;  // entry to hash

void walk(const std::vector<FlowBucket>& buckets, const Entries& entries) {
  const u32 count = static_cast<u32>(buckets.size());
  std::vector<std::array<u32, 16>> away(count);
  std::size_t seen = 0;
  for (u32 bucket = 0; bucket < count; ++bucket) {
    for (u32 slot = 0; slot < FlowBucket::slots_count; ++slot) {
      if (buckets[bucket].tags[slot] == 0) continue;
      const bool is_away = buckets[bucket].slots[slot] & FlowBucket::away_mark;
      const u64 hash = entries.at(buckets[bucket].slots[slot] & ~FlowBucket::away_mark);
      REQUIRE(buckets[bucket].tags[slot] == tag_of(hash));
      REQUIRE(is_away == (first_bucket(hash, count) != bucket));
      if (is_away) ++away[first_bucket(hash, count)][tag_of(hash) & 15];
      ++seen;
    }
  }
  REQUIRE(seen == entries.size());
  for (u32 bucket = 0; bucket < count; ++bucket)
    for (u32 nibble = 0; nibble < 16; ++nibble) REQUIRE(buckets[bucket].away[nibble] == away[bucket][nibble]);
}

u32 look_up(const FlowIndex& index, u64 hash, u32 entry) {
  return index.find(hash, [&](u32 candidate) { return candidate == entry; });
}

}  // namespace

TEST_CASE("every entry stands once, in one of its buckets, and is counted where it is away") {
  const u32 count = GENERATE(1u, 2u, 4u, 6u, 30u, 256u);
  const u64 hash_mask = GENERATE(~u64{0}, u64{0x0000'0001'ffff'ffff}, u64{0x0000'ffff'c000'0000}, u64{0x3'8000'0000});
  INFO("buckets " << count << " hash mask " << hash_mask);
  Random random(count + hash_mask);
  std::vector<FlowBucket> buckets(count);
  FlowIndex index(buckets.data(), count);
  Entries entries;
  std::vector<u32> order;
  for (u32 step = 0; step < 4000; ++step) {
    const bool filling = (step / 1000) % 2 == 0;
    if (random() % 8 < (filling ? 7 : 2)) {
      const u64 hash = random() & hash_mask;
      if (index.insert(hash, step)) {
        entries[step] = hash;
        order.push_back(step);
      }
    } else if (!order.empty()) {
      std::swap(order[random() % order.size()], order.back());
      index.erase(entries.at(order.back()), order.back());
      entries.erase(order.back());
      order.pop_back();
    }
    if (step % 50 != 0) continue;
    walk(buckets, entries);
    for (const auto& [entry, hash] : entries) REQUIRE(look_up(index, hash, entry) == entry);
    REQUIRE(look_up(index, random() & hash_mask, 1u << 30) == no_flow);
  }
  index.clear();
  walk(buckets, {});
}

TEST_CASE("a guess names an entry with the hash's tag, or nothing where nothing has it") {
  Random random(5);
  std::vector<FlowBucket> buckets(64);
  FlowIndex index(buckets.data(), 64);
  std::vector<u64> hashes;
  for (u64 hash = random(); index.insert(hash, static_cast<u32>(hashes.size())); hash = random())
    hashes.push_back(hash);
  for (u64 hash : hashes) {
    const u32 guess = index.guess(hash);
    REQUIRE(guess < hashes.size());
    REQUIRE(tag_of(hashes[guess]) == tag_of(hash));
  }
  u32 wrong = 0;
  for (u32 i = 0; i < 100'000; ++i) wrong += index.guess(random()) != no_flow;
  CHECK(wrong < 200);
}

TEST_CASE("the index refuses only above 93 % load") {
  double lowest = 1;
  for (u32 count : {64u, 1024u, 16384u, 20000u, 131072u}) {
    Random random(count);
    std::vector<FlowBucket> buckets(count);
    FlowIndex index(buckets.data(), count);
    Entries entries;
    for (u64 hash = random(); index.insert(hash, static_cast<u32>(entries.size())); hash = random())
      entries.emplace(static_cast<u32>(entries.size()), hash);
    const double load = static_cast<double>(entries.size()) / (8.0 * count);
    INFO("buckets " << count);
    if (count <= 1024) walk(buckets, entries);
    u32 lost = 0;
    for (const auto& [entry, hash] : entries) lost += look_up(index, hash, entry) != entry;
    CHECK(lost == 0);
    CHECK(load >= 0.93);
    lowest = std::min(lowest, load);
  }
  WARN("lowest load at the first refusal: " << lowest);
}

TEST_CASE("a count of what is away that ran over hides nothing") {
  Random random(9);
  std::vector<FlowBucket> buckets(4096);
  FlowIndex index(buckets.data(), 4096);
  const auto hash_of_entry = [](u32 entry) { return u64{entry} << 36 | u64{5} << 32 | 0x1234'5678; };
  for (u32 entry = 0; entry < 400; ++entry) REQUIRE(index.insert(hash_of_entry(entry), entry));
  REQUIRE(buckets[first_bucket(0x1234'5678, 4096)].away[5] == 255);
  for (u32 erased = 0; erased < 400; ++erased) {
    for (u32 entry = erased; entry < 400; ++entry) REQUIRE(look_up(index, hash_of_entry(entry), entry) == entry);
    index.erase(hash_of_entry(erased), erased);
    REQUIRE(look_up(index, hash_of_entry(erased), erased) == no_flow);
  }
}

TEST_CASE("vector comparisons equal their scalar twins") {
  Random random(6);
  for (u32 round = 0; round < 20'000; ++round) {
    alignas(16) u16 tags[8];
    for (u16& tag : tags) tag = static_cast<u16>(random() % 3 == 0 ? 0 : random() & 0x8003);
    const u16 wanted = static_cast<u16>(random() & 0x8003);
    REQUIRE(match_tags(tags, wanted) == match_tags_scalar(tags, wanted));
    Beat deadlines[look_lanes + 7];
    const Beat now = static_cast<Beat>(random());
    const u32 offset = static_cast<u32>(random() % 8);
    const int edges[] = {0, 1, 0xffff, now, now + 1, now - 1, now + 0x7fff, now + 0x8000, now + 0x8001};
    for (Beat& deadline : deadlines) deadline = static_cast<Beat>(random() % 2 ? edges[random() % 9] : random());
    REQUIRE(passed_lanes(deadlines + offset, now) == passed_lanes_scalar(deadlines + offset, now));
  }
}
