// How much a source has told by names: for each source and registered domain the bytes of distinct names that it asked
// below it, and for each source how many such domains, in any interval as long as a window. Bounded, memory lent.
//
// It never counts less than was asked: what is counted is kept exactly, by slots of a quarter of the window, of which
// five always cover it. Where there is no room it counts more. A name that had to be forgotten costs again when it is
// asked again, and a source and domain that had to make way leave what they had spent to their whole set of cells, with
// which every newcomer there begins. (Two names of one 64-bit keyed hash would count once: that is not aimed at without
// the key, and does not happen by chance.)
//
// Threads: one. Time is the caller's.
#pragma once
#include "dataplane/base/check.hpp"
#include "dataplane/base/hash.hpp"
#include "dataplane/base/tick.hpp"
#include "dataplane/inspect/dns.hpp"

#include <algorithm>

namespace weir {

// What one keyed amount may be in any interval of four slots, and has been.
class SlidingCells {
 public:
  static constexpr u32 slots = 5, ways = 4;
  struct Cell {
    u64 key;
    u64 slot;         // the latest in which something was spent, in units of slot_us
    u64 slot_us;      // 0: of nobody
    u32 spent[slots]; // by slot modulo
    u32 zero;
    bool is_of(u64 one) const { return key == one && slot_us != 0; }
  };
  struct alignas(64) Set {
    Cell cells[ways];
    Tick residue_until;  // what cells that made way had spent counts until then
    u64 residue;
  };

  SlidingCells() = default;
  // `sets` zeroed, a power of two of them.
  explicit SlidingCells(std::span<Set> sets) : sets_(sets.data()), mask_(sets.size() - 1) {
    WEIR_CHECK(!sets.empty() && (sets.size() & mask_) == 0);
  }

  // Whether `amount` more of `key` keeps within `most`; nothing is counted.
  bool fits(u64 key, u64 amount, u64 most, Tick now) const {
    const Set& set = sets_[key & mask_];
    for (const Cell& cell : set.cells)
      if (cell.is_of(key)) return total(cell, now) + amount <= most;
    return (now < set.residue_until ? set.residue : 0) + amount <= most;
  }

  // Counts it. A slot is at least a microsecond, and the same for a key always.
  void spend(u64 key, u64 amount, Tick slot_us, Tick now) {
    Set& set = sets_[key & mask_];
    Cell* cell = &set.cells[0];
    for (Cell& one : set.cells) {
      if (one.is_of(key)) return add(one, amount, now);
      if (total(one, now) < total(*cell, now)) cell = &one;
    }
    const u64 owed = total(*cell, now), residue = now < set.residue_until ? set.residue : 0;
    if (owed != 0) {
      set.residue = std::max(owed, residue);
      set.residue_until = std::max(now < set.residue_until ? set.residue_until : 0, now + slots * cell->slot_us);
    }
    *cell = {.key = key, .slot = now / slot_us, .slot_us = slot_us, .spent = {}, .zero = 0};
    add(*cell, residue + amount, now);
  }

 private:
  static u64 total(const Cell& cell, Tick now) {
    if (cell.slot_us == 0) return 0;
    const u64 at = now / cell.slot_us, gone = at - cell.slot;
    u64 sum = 0;
    for (u64 back = gone; back < slots && back <= at; ++back) sum += cell.spent[(at - back) % slots];
    return sum;
  }
  static void add(Cell& cell, u64 amount, Tick now) {
    const u64 at = now / cell.slot_us;
    const u64 stale = std::min<u64>({at - cell.slot, slots, at + 1});
    for (u64 back = 0; back < stale; ++back) cell.spent[(at - back) % slots] = 0;
    cell.slot = at;
    u32& spent = cell.spent[at % slots];
    spent = static_cast<u32>(std::min<u64>(spent + amount, ~u32{0} - 1));
  }

  Set* sets_ = nullptr;
  u64 mask_ = 0;
};

// What has been counted already, each until a time of its own. Where there is no room, what counts shortest is
// forgotten.
class SeenItems {
 public:
  static constexpr u32 ways = 4;
  struct Item {
    u64 hash;
    Tick until;
  };
  struct alignas(64) Set {
    Item items[ways];
  };

  SeenItems() = default;
  explicit SeenItems(std::span<Set> sets) : sets_(sets.data()), mask_(sets.size() - 1) {
    WEIR_CHECK(!sets.empty() && (sets.size() & mask_) == 0);
  }

  bool has(u64 hash, Tick now) const {
    for (const Item& item : sets_[hash & mask_].items)
      if (item.hash == hash && now < item.until) return true;
    return false;
  }
  void add(u64 hash, Tick until) {
    Set& set = sets_[hash & mask_];
    Item* item = &set.items[0];
    for (Item& one : set.items) {
      if (one.hash == hash) {
        item = &one;
        break;
      }
      if (one.until < item->until) item = &one;
    }
    *item = {hash, until};
  }

 private:
  Set* sets_ = nullptr;
  u64 mask_ = 0;
};

class DnsSketch {
 public:
  static constexpr u32 name_sets = 1 << 13;    // 32,768 of a source and a domain
  static constexpr u32 source_sets = 1 << 11;  // 8,192 sources
  static constexpr u32 seen_sets = 1 << 14;    // 65,536 names
  static constexpr std::size_t bytes_needed = (name_sets + source_sets) * sizeof(SlidingCells::Set) +
                                              seen_sets * sizeof(SeenItems::Set);

  struct Terms {
    u64 information;  // bytes of names below one domain; 0: no limit
    u64 domains;      // of one source; 0: no limit
    Tick window_us;   // at least 4
  };
  enum class Answer : u8 { fits, information, domains };

  DnsSketch() = default;
  // `memory` zeroed and aligned to 64.
  DnsSketch(std::span<std::byte> memory, const HashKey& secret) : secret_(secret) {
    WEIR_CHECK(memory.size() >= bytes_needed);
    auto* const names = reinterpret_cast<SlidingCells::Set*>(memory.data());
    auto* const seen = reinterpret_cast<SeenItems::Set*>(names + name_sets + source_sets);
    names_ = SlidingCells({names, name_sets});
    sources_ = SlidingCells({names + name_sets, source_sets});
    seen_ = SeenItems({seen, seen_sets});
  }

  // A source, by a keyed hash of its address, asks for a name, with these EDNS options. What does not fit is not
  // counted.
  Answer ask(u64 source, const DnsMessage& query, const Terms& terms, Tick now);

 private:
  u64 hash_of(std::span<const u8> bytes, u64 seed) const;

  HashKey secret_{};
  SlidingCells names_, sources_;
  SeenItems seen_;
};

}  // namespace weir
