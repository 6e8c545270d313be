#include "dataplane/budget/limit_cells.hpp"

#include <algorithm>

namespace weir {
namespace {

constexpr u32 cost_bits = 24;
constexpr u64 most_ahead = u64{1} << 62;
constexpr u64 second_of_bits = (8 * tick_second * cell_units_per_tick) << cost_bits;
static_assert(second_of_bits >> cost_bits == 8 * tick_second * cell_units_per_tick);

u64 cell_time(Tick now) { return now * cell_units_per_tick; }

// How far ahead of now the next is due.
u64 ahead_of(u64 due, u64 now) {
  const auto ahead = static_cast<std::int64_t>(due - now);
  return ahead > 0 ? static_cast<u64>(ahead) : 0;
}

bool fits(const std::atomic<u64>& due, u64 now, u64 cost, u64 most) {
  if (cost == 0) return true;
  // What another policy's slower rate has left counts as a full bucket and no more.
  const u64 ahead = std::min(ahead_of(due.load(std::memory_order_relaxed), now), most);
  return ahead + cost <= most;
}

bool take_from(std::atomic<u64>& due, u64 now, u64 cost, u64 most) {
  if (cost == 0) return true;
  u64 before = due.load(std::memory_order_relaxed);
  for (;;) {
    const u64 ahead = std::min(ahead_of(before, now), most);
    if (ahead + cost > most) return false;
    if (due.compare_exchange_weak(before, now + ahead + cost, std::memory_order_relaxed)) return true;
  }
}

u64 cost_of(u64 byte_cost, u64 bytes) {
  return static_cast<u64>((u128{byte_cost} * bytes + (u64{1} << cost_bits) - 1) >> cost_bits);
}

constexpr u64 rate_to_cell = cell_units_per_tick / rate_units_per_tick;

}  // namespace

LimitRate limit_rate(u64 bits_per_s, u64 burst_bytes, const Rate& packets, const Rate& connections) {
  LimitRate made;
  if (bits_per_s != 0) {
    made.byte_cost = (second_of_bits - 1) / bits_per_s + 1;
    made.bytes_ahead = static_cast<u64>(std::min<u128>(u128{made.byte_cost} * burst_bytes >> cost_bits, most_ahead));
  }
  const auto bucket = [](const Rate& rate, u64& cost, u64& ahead) {
    if (!rate.limits()) return;
    cost = rate.interval * rate_to_cell;
    ahead = (rate.tolerance + rate.interval) * rate_to_cell;
  };
  bucket(packets, made.packet_cost, made.packets_ahead);
  bucket(connections, made.connection_cost, made.connections_ahead);
  return made;
}

u32 LimitCells::cell_of(u64 key, Tick now) {
  key |= 1;  // 0 is a free cell
  const u64 time = cell_time(now);
  Cell* const set = cells_ + (key >> 1 & mask_) * ways;
  for (;;) {
    Cell* least = nullptr;
    u64 owes_least = 0, key_there = 0;
    for (Cell* cell = set; cell != set + ways; ++cell) {
      const u64 there = cell->key.load(std::memory_order_acquire);
      if (there == key) return static_cast<u32>(cell - cells_);
      const u64 owes = there == 0 ? 0
                                  : 1 + ahead_of(cell->bytes_due.load(std::memory_order_relaxed), time) / 4 +
                                        ahead_of(cell->packets_due.load(std::memory_order_relaxed), time) / 4 +
                                        ahead_of(cell->connections_due.load(std::memory_order_relaxed), time) / 4 +
                                        (u64{cell->connections.load(std::memory_order_relaxed)} << 32);
      if (least == nullptr || owes < owes_least) least = cell, owes_least = owes, key_there = there;
    }
    const bool is_fresh = key_there == 0;
    if (!least->key.compare_exchange_strong(key_there, key, std::memory_order_acq_rel)) continue;
    // A fresh cell's zeros are a time like any other, and may lie ahead.
    for (std::atomic<u64>* due : {&least->bytes_due, &least->packets_due, &least->connections_due})
      if (u64 zero = 0; is_fresh) due->compare_exchange_strong(zero, time, std::memory_order_relaxed);
    return static_cast<u32>(least - cells_);
  }
}

LimitCells::Answer LimitCells::would_take(u32 cell, const LimitRate& rate, u64 bytes, u32 packets, Tick now) const {
  const Cell& at = cells_[cell];
  if (!fits(at.bytes_due, cell_time(now), cost_of(rate.byte_cost, bytes), rate.bytes_ahead)) return Answer::bytes;
  if (!fits(at.packets_due, cell_time(now), rate.packet_cost * packets, rate.packets_ahead)) return Answer::packets;
  return Answer::conforms;
}

LimitCells::Answer LimitCells::take(u32 cell, const LimitRate& rate, u64 bytes, u32 packets, Tick now) {
  Cell& at = cells_[cell];
  if (!take_from(at.bytes_due, cell_time(now), cost_of(rate.byte_cost, bytes), rate.bytes_ahead)) return Answer::bytes;
  if (!take_from(at.packets_due, cell_time(now), rate.packet_cost * packets, rate.packets_ahead))
    return Answer::packets;
  return Answer::conforms;
}

LimitCells::Answer LimitCells::open(u32 cell, const LimitRate& rate, Tick now) {
  Cell& at = cells_[cell];
  if (at.connections.fetch_add(1, std::memory_order_relaxed) >= rate.connections && rate.connections != 0) {
    leave(cell);
    return Answer::connections;
  }
  if (take_from(at.connections_due, cell_time(now), rate.connection_cost, rate.connections_ahead))
    return Answer::conforms;
  leave(cell);
  return Answer::new_connections;
}

}  // namespace weir
