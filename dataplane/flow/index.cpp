// Changes to the index. A search for room looks at a bounded number of buckets; what it cannot place, it refuses.
#include "dataplane/flow/index.hpp"

#include "dataplane/base/check.hpp"

namespace weir {

namespace {

constexpr u32 steps_max = 64;
constexpr u8 away_many = 255;

void count_away(FlowBucket& first, u16 tag) {
  u8& away = first.away[tag & 15];
  if (away != away_many) ++away;
}

void uncount_away(FlowBucket& first, u16 tag) {
  u8& away = first.away[tag & 15];
  if (away != away_many) --away;
}

// How the search came to a bucket: by moving `slot` of `parent`'s bucket into it.
struct Step {
  u32 bucket;
  u16 parent;
  u16 slot;
};

bool on_the_way(const Step* steps, u32 at, u32 bucket) {
  for (; at > 1; at = steps[at].parent)
    if (steps[at].bucket == bucket) return true;
  return steps[at].bucket == bucket;
}

}  // namespace

FlowIndex::FlowIndex(FlowBucket* buckets, u32 count) : buckets_(buckets), count_(count) {
  WEIR_CHECK(count == 1 || (count != 0 && count % 2 == 0));
}

bool FlowIndex::insert(u64 hash, u32 entry) {
  const u16 tag = tag_of(hash);
  const u32 first = first_of(hash);
  if (place(first, tag, entry)) return true;
  if (count_ == 1) return false;
  const u32 second = other(first, tag);
  if (place(second, tag, entry | FlowBucket::away_mark)) return true;
  return make_room(first, second) && (place(first, tag, entry) || place(second, tag, entry | FlowBucket::away_mark));
}

void FlowIndex::erase(u64 hash, u32 entry) {
  const u16 tag = tag_of(hash);
  const u32 first = first_of(hash);
  if (remove(first, tag, entry)) return;
  WEIR_CHECK(count_ != 1 && remove(other(first, tag), tag, entry | FlowBucket::away_mark));
}

void FlowIndex::clear() { std::memset(static_cast<void*>(buckets_), 0, std::size_t{count_} * sizeof(FlowBucket)); }

bool FlowIndex::place(u32 bucket, u16 tag, u32 slot) {
  FlowBucket& into = buckets_[bucket];
  const u32 empty = match_tags(into.tags, 0);
  if (empty == 0) return false;
  const int at = std::countr_zero(empty);
  into.tags[at] = tag;
  into.slots[at] = slot;
  if (slot & FlowBucket::away_mark) count_away(buckets_[other(bucket, tag)], tag);
  return true;
}

bool FlowIndex::remove(u32 bucket, u16 tag, u32 slot) {
  FlowBucket& from = buckets_[bucket];
  for (u32 hits = match_tags(from.tags, tag); hits != 0; hits &= hits - 1) {
    const int at = std::countr_zero(hits);
    if (from.slots[at] != slot) continue;
    from.tags[at] = 0;
    if (slot & FlowBucket::away_mark) uncount_away(buckets_[other(bucket, tag)], tag);
    return true;
  }
  return false;
}

// Moves an entry to its other bucket, which has room.
void FlowIndex::move(u32 from, u32 slot, u32 to) {
  FlowBucket& bucket = buckets_[from];
  const u16 tag = bucket.tags[slot];
  const u32 entry = bucket.slots[slot];
  WEIR_CHECK(remove(from, tag, entry) && place(to, tag, entry ^ FlowBucket::away_mark));
}

// Breadth first from two full buckets to one with an empty slot, then moves along the way, the far end first; after
// that one of the two has room. No way passes a bucket twice, so each move still finds what the search saw.
bool FlowIndex::make_room(u32 first, u32 second) {
  Step steps[steps_max] = {{first, 0, 0}, {second, 1, 0}};
  u32 count = 2;
  for (u32 at = 0; at < count; ++at) {
    for (u32 slot = 0; slot < FlowBucket::slots_count; ++slot) {
      const u32 bucket = steps[at].bucket;
      const u32 next = other(bucket, buckets_[bucket].tags[slot]);
      if (match_tags(buckets_[next].tags, 0) == 0) {
        if (count < steps_max && !on_the_way(steps, at, next))
          steps[count++] = {next, static_cast<u16>(at), static_cast<u16>(slot)};
        continue;
      }
      move(bucket, slot, next);
      for (u32 back = at; back > 1; back = steps[back].parent)
        move(steps[steps[back].parent].bucket, steps[back].slot, steps[back].bucket);
      return true;
    }
  }
  return false;
}

}  // namespace weir
