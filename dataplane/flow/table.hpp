// The flow table of one worker: keyed, bounded, never shared, all memory lent.
//
// Shape: buckets of one cache line, 8 x (16-bit tag + 32-bit record index), two bucket choices per key, a small
// spill filter so that the second choice is read only where something spilled; 64-byte records; idle deadlines in a
// dense u32 array beside them. The three steps of a lookup (prefetch bucket, match tags and prefetch record,
// compare key) are separate calls, so that the pipeline overlaps them across bursts.
//
// Invariants: a live record is referenced by exactly one bucket slot; a free record by none; every slot's index is
// below capacity; live + free == capacity.
// Threads: one. Memory: lent by the caller for the table's life, zeroed, 64-byte aligned.
#pragma once
#include "dataplane/base/tick.hpp"
#include "dataplane/flow/record.hpp"

#include <span>

namespace weir {

inline constexpr u32 no_flow = ~u32{0};

class FlowTable {
 public:
  // Bytes to lend for `capacity` flows (1 .. 2^31). About 80 per flow.
  static std::size_t bytes_needed(u32 capacity);

  // Takes `memory` of at least bytes_needed(capacity) bytes.
  FlowTable(std::span<std::byte> memory, u32 capacity);
  FlowTable(const FlowTable&) = delete;

  // Step 1: start loading the key's first bucket.
  void prefetch_bucket(u64 hash) const;
  // Step 2: the record whose tag matches first, or no_flow; its line and deadline start loading. A hint only: it may
  // be another flow's record (tag collision), or be gone by step 3.
  u32 guess(u64 hash) const;
  // Step 3: the live record with exactly this key, or no_flow. `hint` is what guess() said; a wrong hint costs a
  // full lookup. Deadlines are not looked at: the caller asks expired().
  u32 find(const FlowKey& key, u64 hash, u32 hint) const;

  // A new record for a key that is not there (caller has looked), with its deadline; the record's other fields are
  // zero. no_flow when no record is free or both buckets are full.
  u32 insert(const FlowKey& key, u64 hash, u32 deadline_ms);
  // Frees a live record.
  void erase(u32 flow, u64 hash);

  FlowRecord& record(u32 flow);
  const FlowRecord& record(u32 flow) const;
  u32 deadline(u32 flow) const;
  void set_deadline(u32 flow, u32 deadline_ms);
  bool expired(u32 flow, u32 now_ms) const;

  // Looks at the next `deadlines` deadlines in turn and erases the records whose deadline has passed; returns how
  // many it erased. Called once per burst; the cost is bounded by the argument. `secret` recomputes hashes.
  u32 age(u32 now_ms, u32 deadlines, const HashKey& secret);
  // Erases everything.
  void clear();

  u32 live() const;
  u32 capacity() const;
};

}  // namespace weir
