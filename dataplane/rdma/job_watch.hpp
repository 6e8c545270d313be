// What two members of a job send each other, both ways, within a window: collectives move as much as they did from the
// start, each pair in its own way; a copy of a checkpoint goes one way, by the gigabyte. When one direction of a pair
// passes `burst` bytes in a window, that window has a shape: one way, where the other direction has sent less than a
// `ratio`-th until then, or balanced. What a pair does while its job starts up it may do for good (a ring sends one way
// always); afterwards a shape that it did not have then is told, once a window.
//
// It says nothing of who sends less than `burst` a window: budgets bound that. Bounded, memory lent: where a set is
// full, the pair whose window is oldest is forgotten, with its habit. Invariants: no two cells have one name; a cell's
// first address is the smaller one. Threads: one.
#pragma once
#include "dataplane/base/check.hpp"
#include "dataplane/base/tick.hpp"
#include "dataplane/packet/key.hpp"

#include <span>

namespace weir {

class JobWatch {
 public:
  struct Terms {
    u64 burst;     // 1 and more
    Tick window_us;
    u32 ratio;     // 2 and more
    bool teaches;  // the job starts up: what is seen now is the pair's habit
  };
  // burst: one way, and never the other way before. turned: the last time it went the other way.
  enum class Finding : u8 { nothing, burst, turned };

  struct alignas(64) Cell {
    Address members[2];
    u32 scope;      // FlowKey::scope
    u8 is_live;
    u8 habit;       // bit 0: one way from members[0], bit 1: from members[1]
    u8 last;        // of these bits, the last shape that was one way
    u8 is_shaped;   // this window has its shape
    Tick began;
    u64 bytes[2];   // in this window, by who sent them
  };
  static constexpr u32 ways = 8, sets = 1024;
  struct Set {
    Cell cells[ways];
  };
  static constexpr std::size_t bytes_needed = sets * sizeof(Set);

  JobWatch(std::span<std::byte> memory, const HashKey& secret)
      : sets_(reinterpret_cast<Set*>(memory.data())), secret_(secret) {
    WEIR_CHECK(memory.size() >= bytes_needed);
  }

  Finding count(const Address& source, const Address& target, u32 scope, u32 bytes, const Terms& terms, Tick now) {
    const bool is_second = stands_before(target, source);
    Cell& cell = cell_of(is_second ? target : source, is_second ? source : target, scope, now);
    if (now - cell.began >= terms.window_us) {
      cell.began = now;
      cell.is_shaped = 0;
      cell.bytes[0] = cell.bytes[1] = 0;
    }
    u64& sent = cell.bytes[is_second];
    sent += bytes;
    if (cell.is_shaped != 0 || sent < terms.burst) return Finding::nothing;
    cell.is_shaped = 1;
    if (cell.bytes[!is_second] >= sent / terms.ratio) return Finding::nothing;
    const u8 shape = is_second ? 2 : 1;
    const u8 before = cell.last;
    cell.last = shape;
    if (terms.teaches) cell.habit = static_cast<u8>(cell.habit | shape);
    if ((cell.habit & shape) != 0) return Finding::nothing;
    return before != 0 && before != shape ? Finding::turned : Finding::burst;
  }

 private:
  static bool stands_before(const Address& a, const Address& b) {
    return a.high != b.high ? a.high < b.high : a.low < b.low;
  }
  Cell& cell_of(const Address& first, const Address& second, u32 scope, Tick now) {
    u64 hash = fold_multiply(first.high ^ secret_.words[2], first.low ^ secret_.words[0]);
    hash = fold_multiply(hash ^ second.high ^ secret_.words[3], second.low ^ secret_.words[1]);
    Set& set = sets_[fold_multiply(hash ^ scope, secret_.words[2]) >> 32 & (sets - 1)];
    Cell* oldest = &set.cells[0];
    for (Cell& cell : set.cells) {
      const bool is_pair = cell.members[0] == first && cell.members[1] == second;
      if (cell.is_live != 0 && is_pair && cell.scope == scope) return cell;
      if (cell.is_live < oldest->is_live || (cell.is_live == oldest->is_live && cell.began < oldest->began))
        oldest = &cell;
    }
    *oldest = {{first, second}, scope, 1, 0, 0, 0, now, {}};
    return *oldest;
  }

  Set* sets_;
  HashKey secret_;
};

}  // namespace weir
