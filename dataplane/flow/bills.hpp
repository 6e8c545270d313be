// What flows are charged to: lists that many flows share, interned by content. A flow has the number of its bill; a
// bill lives as long as flows have it. It looks at no policy and no time: who makes a bill says what is on it.
//
// Invariants: bill 0 is empty and every flow's that nothing charges; no two live bills are equal; a bill's connections
// are counted in its cells once for each flow that has it. Threads: one. Memory is lent, zeroed.
#pragma once
#include "dataplane/budget/limit_cells.hpp"
#include "dataplane/budget/till.hpp"

#include <cstring>

namespace weir {

inline constexpr u32 bill_items_max = charge_items_max;
inline constexpr u32 no_bill = 0, bill_refused = ~u32{0};

struct LimitUse {
  u32 cell, limit;  // limit: of the policy that made the bill
};
static_assert(sizeof(LimitUse) == 8 && sizeof(Draw) == 8);

struct alignas(64) Bill {
  u32 flows;
  u32 next;  // of its chain, or of the free
  u32 tag;   // of its hash
  u8 limits_count, draws_count[2];  // draws of bytes from the opener, then from the replier
  u8 is_full;                       // there was more than bills have room for
  u64 items[bill_items_max];        // LimitUse, then Draw

  bool is_empty() const { return (limits_count | draws_count[0] | draws_count[1]) == 0; }
  std::span<const LimitUse> limits() const { return {reinterpret_cast<const LimitUse*>(items), limits_count}; }
  std::span<const Draw> draws(u32 from) const {
    return {reinterpret_cast<const Draw*>(items + limits_count + (from != 0 ? draws_count[0] : 0)), draws_count[from]};
  }
  // In order: limits, draws of the opener's, draws of the replier's.
  void add(const LimitUse& one) { limits_count = static_cast<u8>(limits_count + add(&one)); }
  void add(u32 from, const Draw& one) { draws_count[from] = static_cast<u8>(draws_count[from] + add(&one)); }

 private:
  bool add(const void* item) {
    const u32 at = u32{limits_count} + draws_count[0] + draws_count[1];
    if (at == bill_items_max) return is_full = 1, false;
    std::memcpy(items + at, item, sizeof(u64));
    return true;
  }
};
static_assert(sizeof(Bill) == 256);

class Bills {
 public:
  static constexpr u32 capacity_max = 1u << 20;
  static u32 capacity_for(u32 flows) { return flows < capacity_max ? flows + 1 : capacity_max; }
  static std::size_t bytes_needed(u32 capacity) {
    return std::size_t{capacity} * sizeof(Bill) + heads_of(capacity) * sizeof(u32);
  }
  Bills(std::span<std::byte> memory, u32 capacity, LimitCells& limits)
      : bills_(reinterpret_cast<Bill*>(memory.data())),
        heads_(reinterpret_cast<u32*>(bills_ + capacity)),
        mask_(heads_of(capacity) - 1),
        capacity_(capacity),
        limits_(&limits) {
    WEIR_CHECK(memory.size() >= bytes_needed(capacity));
  }
  Bills(const Bills&) = delete;

  const Bill& operator[](u32 bill) const { return bills_[bill]; }
  void prefetch(u32 bill) const { __builtin_prefetch(bills_ + bill, 0, 3); }
  LimitCells& limits() { return *limits_; }

  // A flow takes a bill of this content: its number, no_bill for an empty one, bill_refused when no room is left. Its
  // connections have been counted.
  u32 take(const Bill& content);
  // A flow ends, or gets another bill.
  void release(u32 bill);

  u32 live() const { return live_; }
  u32 capacity() const { return capacity_ - 1; }

 private:
  static u32 heads_of(u32 capacity) {
    u32 heads = 1;
    while (heads < capacity) heads *= 2;
    return heads;
  }

  Bill* bills_;
  u32* heads_;  // by hash; 0 ends a chain
  u32 mask_, capacity_;
  u32 fresh_ = 1, free_ = 0, live_ = 0;
  LimitCells* limits_;
};

}  // namespace weir
