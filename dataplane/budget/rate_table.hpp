// One rate for each of many: cells of 16 bytes, found by a keyed hash, bounded, memory lent. What has no cell takes the
// cell of its set that owes least, and with it what that one owes (as "Space-Saving" counts, Metwally et al. 2005).
// So whoever comes back never finds less than was his: throwing out lifts no limit, however many names an attacker
// goes through. The price: when all ways of a set owe, a newcomer pays for the one that he replaces.
//
// Invariants: the grants of any one key conform to the rate, whatever happened between them. Threads: one.
#pragma once
#include "dataplane/base/check.hpp"
#include "dataplane/budget/gcra.hpp"

#include <span>

namespace weir {

class RateTable {
 public:
  struct Cell {
    u64 key, due;
  };
  static constexpr u32 ways = 4;
  struct alignas(64) Set {
    Cell cells[ways];
  };

  RateTable() = default;
  // `sets` zeroed, a power of two of them.
  explicit RateTable(std::span<Set> sets) : sets_(sets.data()), mask_(sets.size() - 1) {
    WEIR_CHECK(!sets.empty() && (sets.size() & mask_) == 0);
  }

  // Whether one more event of `key` conforms; if so, it is counted. Cost: one cache line.
  bool take(u64 key, u64 now, const Rate& rate) {
    Set& set = sets_[key & mask_];
    Cell* cell = &set.cells[0];
    for (Cell& one : set.cells) {
      if (one.key == key) return conforms(one.due, now, rate);
      if (one.due < cell->due) cell = &one;
    }
    cell->key = key;
    return conforms(cell->due, now, rate);
  }

 private:
  Set* sets_ = nullptr;
  u64 mask_ = 0;
};

}  // namespace weir
