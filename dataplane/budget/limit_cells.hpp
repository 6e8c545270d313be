// How fast: one cell for each limit and whom it counts (rule, source, target or pair), shared by all workers: when the
// next byte, packet and connection are due (GCRA over amounts: a bucket), and how many connections there are at once.
// Found by a keyed hash when a flow begins, and by index from then on. What finds no free cell takes the one of its set
// that owes least, with what it owes and its connections: throwing out lifts no limit (rate_table.hpp says why).
//
// Memory is lent, zeroed. Threads: any; a cell's words are changed by compare and swap, each limit exactly.
// Source: ITU-T I.371, annex A.
#pragma once
#include "dataplane/base/check.hpp"
#include "dataplane/base/rate.hpp"

#include <atomic>
#include <span>

namespace weir {

// Of a microsecond. Time in cells is modulo 2^64 units, which is 8.9 years, and so compared by difference.
inline constexpr u64 cell_units_per_tick = 65536;

// What one [[limit]] states, for cells. 0: no limit.
struct LimitRate {
  u64 identity = 0;        // of the limit over policies, so that one that stays keeps its cells
  u64 byte_cost = 0;       // 2^-24 units
  u64 bytes_ahead = 0;     // units: the burst
  u64 packet_cost = 0, packets_ahead = 0;
  u64 connection_cost = 0, connections_ahead = 0;
  u32 connections = 0;     // at once
  u32 per = 0;             // control::Limit::Per: rule, source, target, pair
  Tick monitor_until = 0;  // until then it only counts
};

// `bits_per_s` and `burst_bytes` 0: no limit of bytes. Rounded to the stricter side.
LimitRate limit_rate(u64 bits_per_s, u64 burst_bytes, const Rate& packets, const Rate& connections);

class LimitCells {
 public:
  enum class Answer : u8 { conforms, bytes, packets, new_connections, connections };

  struct alignas(64) Cell {
    std::atomic<u64> key;
    std::atomic<u64> bytes_due, packets_due, connections_due;
    std::atomic<u32> connections;
  };
  static_assert(sizeof(Cell) == 64);
  static constexpr u32 ways = 4;

  LimitCells() = default;
  // `cells` zeroed, a power of two of them, at least `ways`.
  explicit LimitCells(std::span<Cell> cells) : cells_(cells.data()), mask_(cells.size() / ways - 1) {
    WEIR_CHECK(cells.size() >= ways && (cells.size() & (cells.size() - 1)) == 0);
  }
  bool any() const { return cells_ != nullptr; }

  // The cell of a key, which is a hash of limit and whom it counts.
  u32 cell_of(u64 key, Tick now);
  void prefetch(u32 cell) const { __builtin_prefetch(cells_ + cell, 1, 3); }

  // Whether a packet of so many bytes would conform.
  Answer would_take(u32 cell, const LimitRate& rate, u64 bytes, u32 packets, Tick now) const;
  // And counts it, if it does: bytes first, which stay counted where packets do not conform.
  Answer take(u32 cell, const LimitRate& rate, u64 bytes, u32 packets, Tick now);
  // A connection begins: counted in every respect, or not at all; and ends.
  Answer open(u32 cell, const LimitRate& rate, Tick now);
  // One that has begun under another policy.
  void enter(u32 cell) { cells_[cell].connections.fetch_add(1, std::memory_order_relaxed); }
  void leave(u32 cell) { cells_[cell].connections.fetch_sub(1, std::memory_order_relaxed); }

  u32 connections(u32 cell) const { return cells_[cell].connections.load(std::memory_order_relaxed); }

 private:
  Cell* cells_ = nullptr;
  u64 mask_ = 0;
};

}  // namespace weir
