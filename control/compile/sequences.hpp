// Equal sequences get one number: the compiler's way to merge atoms, zones, services, pages, rows and words. Numbers
// count up from 0 in the order of first appearance, so that what is numbered is deterministic.
//
// Invariants: at(intern(s)) equals s; intern(a) == intern(b) only if a equals b. Threads: one.
#pragma once
#include "dataplane/base/hash.hpp"

#include <span>
#include <type_traits>
#include <vector>

namespace weir::control {

// Open addressing from a 64-bit hash to a number; the caller compares what the number stands for.
class HashIndex {
 public:
  // The number for which equal(number) holds among those filed under `hash`, or `fresh` after filing it.
  template <class Equal>
  u32 find_or_add(u64 hash, u32 fresh, Equal equal) {
    if ((used_ + 1) * 2 > slots_.size()) grow();
    const u64 mask = slots_.size() - 1;
    for (u64 at = hash & mask;; at = (at + 1) & mask) {
      Slot& slot = slots_[at];
      if (slot.number == empty) {
        slot = {hash, fresh};
        ++used_;
        return fresh;
      }
      if (slot.hash == hash && equal(slot.number)) return slot.number;
    }
  }

 private:
  static constexpr u32 empty = ~u32{0};
  struct Slot {
    u64 hash = 0;
    u32 number = empty;
  };
  void grow() {
    std::vector<Slot> old(slots_.empty() ? 64 : slots_.size() * 2);
    old.swap(slots_);
    const u64 mask = slots_.size() - 1;
    for (const Slot& slot : old) {
      if (slot.number == empty) continue;
      u64 at = slot.hash & mask;
      while (slots_[at].number != empty) at = (at + 1) & mask;
      slots_[at] = slot;
    }
  }
  std::vector<Slot> slots_;
  u64 used_ = 0;
};

inline u64 hash_step(u64 state, u64 word) {
  return fold_multiply(state ^ word ^ 0x9e3779b97f4a7c15, 0xd6e8feb86659fd93 ^ std::rotl(state, 32));
}

template <class Element>
class Sequences {
  static_assert(std::has_unique_object_representations_v<Element>, "equality is that of the bytes");

 public:
  // `sequence` must not point into this object.
  u32 intern(std::span<const Element> sequence) {
    const u32 fresh = count();
    const u32 number = index_.find_or_add(hash_of_bytes(sequence), fresh, [&](u32 other) {
      const std::span<const Element> known = at(other);
      return known.size() == sequence.size() &&
             (sequence.empty() || std::memcmp(known.data(), sequence.data(), sequence.size_bytes()) == 0);
    });
    if (number == fresh) {
      pool_.insert(pool_.end(), sequence.begin(), sequence.end());
      starts_.push_back(pool_.size());
    }
    return number;
  }
  std::span<const Element> at(u32 number) const {
    return {pool_.data() + starts_[number], starts_[number + 1] - starts_[number]};
  }
  u32 count() const { return static_cast<u32>(starts_.size() - 1); }
  // Where a sequence starts in pool().
  u64 start(u32 number) const { return starts_[number]; }
  const std::vector<Element>& pool() const { return pool_; }

 private:
  static u64 hash_of_bytes(std::span<const Element> sequence) {
    const auto bytes = std::as_bytes(sequence);
    u64 state = bytes.size(), at = 0;
    for (; at + 8 <= bytes.size(); at += 8) state = hash_step(state, load<u64>(bytes.data() + at));
    if (at < bytes.size()) {
      u64 tail = 0;
      std::memcpy(&tail, bytes.data() + at, bytes.size() - at);
      state = hash_step(state, tail);
    }
    return state;
  }
  std::vector<Element> pool_;
  std::vector<u64> starts_{0};
  HashIndex index_;
};

}  // namespace weir::control
