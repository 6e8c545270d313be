// Who may not READ for a while: a reader whose requests a target has refused (NAK: invalid request, access error,
// operation error, Q_Key) would otherwise make the target's budget pay again and again for bytes that never come. Each
// refusal doubles the time, up to a bound; a time without one halves it. Per reader and target, bounded, memory lent;
// when a set is full, who waits least long is forgotten.
//
// Source of the codes: InfiniBand Architecture Specification, volume 1, 9.7.5.2.8 (AETH syndromes 0x60 to 0x63).
// Threads: one.
#pragma once
#include "dataplane/base/check.hpp"
#include "dataplane/base/tick.hpp"

#include <algorithm>
#include <span>

namespace weir {

class ReadPenalties {
 public:
  struct Cell {
    u64 key;
    Tick until;
    Tick length;  // of the last one
    u64 zero;
  };
  static constexpr u32 ways = 4, sets = 1024;
  struct Set {
    Cell cells[ways];
  };
  static constexpr std::size_t bytes_needed = sets * sizeof(Set);
  static constexpr Tick longest_us = 3'600'000'000;

  explicit ReadPenalties(std::span<std::byte> memory) : sets_(reinterpret_cast<Set*>(memory.data())) {
    WEIR_CHECK(memory.size() >= bytes_needed);
  }

  // `key`: a keyed hash of reader and target.
  bool holds(u64 key, Tick now) const {
    const Cell* const cell = find(key);
    return cell != nullptr && now < cell->until;
  }
  // A request was refused; the first time costs `first`.
  void refuse(u64 key, Tick now, Tick first) {
    Cell* cell = const_cast<Cell*>(find(key));
    if (cell == nullptr) {
      cell = std::ranges::min_element(set_of(key).cells, {}, &Cell::until);
      *cell = {key, 0, 0, 0};
    }
    // One that came while it held is of the same mistake: what was on its way.
    if (now < cell->until) return;
    const Tick quiet = now - cell->until;
    Tick before = cell->length;
    for (Tick passed = quiet; before > first && passed > before; passed -= before) before /= 2;
    cell->length = std::min(std::max(first, before * 2), longest_us);
    cell->until = now + cell->length;
  }

 private:
  Set& set_of(u64 key) const { return sets_[key >> 32 & (sets - 1)]; }
  const Cell* find(u64 key) const {
    for (const Cell& cell : set_of(key).cells)
      if (cell.key == key) return &cell;
    return nullptr;
  }

  Set* sets_;
};

}  // namespace weir
