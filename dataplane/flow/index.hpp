// From a 64-bit hash to record numbers: buckets of one cache line, two bucket choices per hash. It knows no keys and
// owns no memory; whoever asks compares the records it names. FlowTable puts records and deadlines beside it.
//
// An entry lives in the first bucket of its hash while that has room, else in the second ("away"), and the first
// bucket counts what is away by four bits of the tag: the second is read only where something with like tag spilled.
// When both are full, entries move between their own two buckets to make room. The second choice follows from
// the first and the tag alone (and the first from the second), so a move needs no hash and no record.
//
// Bits of the hash: 0..31 choose the bucket, 32..47 are the tag; the highest are left to the choice of the worker.
//
// Invariants: an entry stands in one of its two buckets, once; bucket.away[t] is the number of entries whose first
// bucket it is, that stand in their second, and whose tag ends in t (255 means "255 or more", for good).
// Threads: one. Memory: lent, zeroed.
#pragma once
#include "dataplane/flow/lanes.hpp"

namespace weir {

inline constexpr u32 no_flow = ~u32{0};

struct alignas(64) FlowBucket {
  static constexpr u32 slots_count = 8;
  static constexpr u32 away_mark = u32{1} << 31;
  u16 tags[slots_count];   // 0: the slot is empty
  u32 slots[slots_count];  // record number; away_mark where the entry stands in its second bucket
  u8 away[16];
};
static_assert(sizeof(FlowBucket) == 64);

class FlowIndex {
 public:
  // `count` is 1 or even: then the two choices are never the same bucket.
  FlowIndex(FlowBucket* buckets, u32 count);

  // Into the second-level cache, where a core can wait for more lines at a time than in the first.
  void prefetch(u64 hash) const { __builtin_prefetch(buckets_ + first_of(hash), 0, 2); }
  // The first entry with the hash's bucket and tag, or no_flow. One line, seldom two.
  u32 guess(u64 hash) const;
  // The first such entry for which same(entry) holds, or no_flow.
  template <class Same>
  u32 find(u64 hash, Same same) const;

  // Adds an entry below 2^31. False when there is no room for it within a bounded search.
  bool insert(u64 hash, u32 entry);
  // Removes an entry that is there.
  void erase(u64 hash, u32 entry);
  void clear();

  u32 buckets_count() const { return count_; }

 private:
  static u16 tag_of(u64 hash) {
    const u16 tag = static_cast<u16>(hash >> 32);
    return static_cast<u16>(tag + (tag == 0));
  }
  u32 first_of(u64 hash) const { return static_cast<u32>((hash & 0xffff'ffff) * count_ >> 32); }
  // The other choice of an entry that may stand in `bucket`: both add up to an odd number that the tag names, modulo
  // the even count; so it is its own inverse, and never `bucket`.
  u32 other(u32 bucket, u16 tag) const {
    const u64 spread = static_cast<u32>(tag * 0x9e37'79b1u);
    const u32 sum = static_cast<u32>(spread * (count_ >> 1) >> 32) * 2 + 1;
    return sum >= bucket ? sum - bucket : sum - bucket + count_;
  }
  bool place(u32 bucket, u16 tag, u32 slot);
  bool remove(u32 bucket, u16 tag, u32 slot);
  void move(u32 from, u32 slot, u32 to);
  bool make_room(u32 first, u32 second);

  FlowBucket* buckets_;
  u32 count_;
};

inline u32 FlowIndex::guess(u64 hash) const {
  const u16 tag = tag_of(hash);
  const u32 first = first_of(hash);
  const FlowBucket* bucket = buckets_ + first;
  u32 hits = match_tags(bucket->tags, tag);
  if (__builtin_expect(hits == 0, 0)) {
    if (bucket->away[tag & 15] == 0) return no_flow;
    bucket = buckets_ + other(first, tag);
    hits = match_tags(bucket->tags, tag);
    if (hits == 0) return no_flow;
  }
  return bucket->slots[std::countr_zero(hits)] & ~FlowBucket::away_mark;
}

template <class Same>
inline u32 FlowIndex::find(u64 hash, Same same) const {
  const u16 tag = tag_of(hash);
  const u32 first = first_of(hash);
  const auto look = [&](const FlowBucket& bucket) {
    for (u32 hits = match_tags(bucket.tags, tag); hits != 0; hits &= hits - 1) {
      const u32 entry = bucket.slots[std::countr_zero(hits)] & ~FlowBucket::away_mark;
      if (same(entry)) return entry;
    }
    return no_flow;
  };
  const u32 found = look(buckets_[first]);
  if (found != no_flow || buckets_[first].away[tag & 15] == 0) return found;
  return look(buckets_[other(first, tag)]);
}

}  // namespace weir
