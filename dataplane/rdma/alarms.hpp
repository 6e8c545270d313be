// What is counted for each two hosts, and for each source, because it tells of somebody who tries: refusals (a wrong
// key or operation), requests for packets again (numbers that were guessed), packets for queue pairs that nobody
// knows, and requests of connection managers that come to nothing. Who passes a number within a window is told once in
// that window; nothing is dropped for it.
//
// Bounded, memory lent: where a set is full, whose window is over goes first, then who has least. A source alone has a
// cell without a target. Invariants: no two cells have one name. Threads: one.
#pragma once
#include "dataplane/base/check.hpp"
#include "dataplane/base/tick.hpp"
#include "dataplane/packet/key.hpp"

#include <span>

namespace weir {

class Alarms {
 public:
  enum class Kind : u8 { refused, gaps, unknown, requests };
  static constexpr u32 kinds = 4;
  static constexpr u32 most_of_pair[kinds] = {16, 1'000, 100, 300};
  static constexpr u32 source_factor = 4;  // and so many times that of all targets of a source
  static constexpr Tick window_us = 10'000'000;

  struct alignas(64) Cell {
    Address source, target;  // target zero: of all
    u32 scope;               // FlowKey::scope
    u16 is_live;
    u16 told;                // bit by Kind
    Tick began;
    u32 counts[kinds];

    bool is_of_source() const { return (target.high | target.low) == 0; }
    u64 weight() const { return u64{counts[0]} * 60 + counts[1] + u64{counts[2]} * 10 + u64{counts[3]} * 3; }
  };
  static constexpr u32 ways = 8, sets = 256;
  struct Set {
    Cell cells[ways];
  };
  static constexpr std::size_t bytes_needed = sets * sizeof(Set);

  Alarms(std::span<std::byte> memory, const HashKey& secret)
      : sets_(reinterpret_cast<Set*>(memory.data())), secret_(secret) {
    WEIR_CHECK(memory.size() >= bytes_needed);
  }

  // What to tell of one more.
  struct Told {
    bool pair, source;
  };
  Told count(Kind kind, const Address& source, const Address& target, u32 scope, Tick now) {
    return {add(kind, source, target, scope, now, most_of_pair[index(kind)]),
            add(kind, source, Address{}, scope, now, most_of_pair[index(kind)] * source_factor)};
  }
  // One that was counted has come to something after all.
  void forgive(Kind kind, const Address& source, const Address& target, u32 scope) {
    for (const Address& of : {target, Address{}})
      if (Cell* const cell = find(source, of, scope); cell != nullptr && cell->counts[index(kind)] != 0)
        --cell->counts[index(kind)];
  }
  // Whoever counts something now, each cell once.
  template <class Each>
  void each(Tick now, const Each& each) const {
    for (u32 set = 0; set < sets; ++set)
      for (const Cell& cell : sets_[set].cells)
        if (cell.is_live != 0 && now - cell.began < window_us) each(cell);
  }

 private:
  static constexpr u32 index(Kind kind) { return static_cast<u32>(kind); }

  bool add(Kind kind, const Address& source, const Address& target, u32 scope, Tick now, u32 most) {
    Cell* cell = find(source, target, scope);
    if (cell == nullptr) {
      cell = lightest(set_of(source, target, scope), now);
      *cell = {source, target, scope, 1, 0, now, {}};
    } else if (now - cell->began >= window_us) {
      *cell = {source, target, scope, 1, 0, now, {}};
    }
    u32& count = cell->counts[index(kind)];
    count += count != ~u32{0};
    if (count <= most || (cell->told >> index(kind) & 1) != 0) return false;
    cell->told = static_cast<u16>(cell->told | 1u << index(kind));
    return true;
  }
  static Cell* lightest(Set& set, Tick now) {
    const auto weight = [&](const Cell& cell) {
      return cell.is_live == 0 ? 0 : now - cell.began >= window_us ? 1 : 2 + cell.weight();
    };
    Cell* chosen = &set.cells[0];
    for (Cell& cell : set.cells)
      if (weight(cell) < weight(*chosen)) chosen = &cell;
    return chosen;
  }
  Set& set_of(const Address& source, const Address& target, u32 scope) const {
    u64 hash = fold_multiply(source.high ^ secret_.words[0], source.low ^ secret_.words[2]);
    hash = fold_multiply(hash ^ target.high ^ secret_.words[1], target.low ^ secret_.words[3]);
    return sets_[fold_multiply(hash ^ scope, secret_.words[0]) >> 32 & (sets - 1)];
  }
  Cell* find(const Address& source, const Address& target, u32 scope) const {
    for (Cell& cell : set_of(source, target, scope).cells)
      if (cell.is_live != 0 && cell.source == source && cell.target == target && cell.scope == scope) return &cell;
    return nullptr;
  }

  Set* sets_;
  HashKey secret_;
};

}  // namespace weir
