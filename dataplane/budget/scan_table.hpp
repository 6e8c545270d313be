// Who tries many ports or many targets: per source, two sketches of 128 bits (linear counting, Whang et al. 1990) over
// one window of time, in a line of memory. Bounded, memory lent. It recognises; it drops nothing itself.
//
// A source without a cell takes the older of its two, unless that one is blocked and the other is not. So a scanner who
// commands many sources can make it forget counts, and two blocked ones can make it forget the block that ends first;
// what is forgotten is counted anew from the next attempt.
//
// Invariants: a cell's bits stand for attempts of its key since `began`. Threads: one.
#pragma once
#include "dataplane/base/check.hpp"
#include "dataplane/base/tick.hpp"

#include <span>

namespace weir {

inline constexpr u32 scan_bits = 128;

// How many bits `count` different values set, expected; rounded. Rises up to scan_bits.
constexpr u32 scan_bits_of(u32 count) {
  u64 bits = 0;  // in 2^-32
  for (u32 i = 0; i < count; ++i) bits += ((u64{scan_bits} << 32) - bits) / scan_bits;
  return static_cast<u32>((bits + (u64{1} << 31)) >> 32);
}

struct ScanLimits {
  u32 ports_bits = 0, hosts_bits = 0;  // scan_bits_of() what is a scan; 0: not looked for
  Tick window = 0, block = 0;
  bool any() const { return ports_bits + hosts_bits != 0; }
};

class ScanTable {
 public:
  struct alignas(64) Cell {
    u64 key;
    Tick began;
    Tick blocked_until;
    u64 is_told;  // of this window
    u64 ports[2], hosts[2];
  };
  static_assert(sizeof(Cell) == 64);

  enum class Finding : u8 {
    nothing,
    scan,     // recognised by this attempt, once a window
    blocked,  // recognised before: opens nothing now
  };

  ScanTable() = default;
  // `cells` zeroed, a power of two of them.
  explicit ScanTable(std::span<Cell> cells) : cells_(cells.data()), mask_(cells.size() - 1) {
    WEIR_CHECK(!cells.empty() && (cells.size() & mask_) == 0);
  }

  // One attempt of the source `key` toward a port and a target, each given as a keyed hash.
  Finding attempt(u64 key, u64 port, u64 target, Tick now, const ScanLimits& limits) {
    Cell& cell = cell_of(key, now);
    if (now < cell.blocked_until && limits.block != 0) return Finding::blocked;
    if (now - cell.began >= limits.window) cell = {key, now, 0, 0, {}, {}};
    set(cell.ports, port);
    set(cell.hosts, target);
    const bool is_scan = over(cell.ports, limits.ports_bits) || over(cell.hosts, limits.hosts_bits);
    if (!is_scan || cell.is_told != 0) return Finding::nothing;
    cell.is_told = 1;
    cell.blocked_until = limits.block != 0 ? now + limits.block : 0;
    return Finding::scan;
  }

 private:
  static void set(u64* bits, u64 hash) { bits[hash >> 6 & 1] |= u64{1} << (hash & 63); }
  static bool over(const u64* bits, u32 limit) {
    return limit != 0 && static_cast<u32>(__builtin_popcountll(bits[0]) + __builtin_popcountll(bits[1])) >= limit;
  }

  Cell& cell_of(u64 key, Tick now) {
    Cell &one = cells_[key & mask_], &two = cells_[key >> 32 & mask_];
    if (one.key == key) return one;
    if (two.key == key) return two;
    const bool one_blocked = now < one.blocked_until, two_blocked = now < two.blocked_until;
    const bool take_one = one_blocked != two_blocked ? two_blocked
                          : one_blocked              ? one.blocked_until <= two.blocked_until
                                                     : one.began <= two.began;
    Cell& cell = take_one ? one : two;
    cell = {key, now, 0, 0, {}, {}};
    return cell;
  }

  Cell* cells_ = nullptr;
  u64 mask_ = 0;
};

}  // namespace weir
