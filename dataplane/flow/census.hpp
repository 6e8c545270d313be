// How many flows of a table are half open (TCP whose handshake is not complete), in all and toward one target, and how
// many are UDP: what ceilings ask. Counts toward one target stand in a sketch of counters that flows enter and leave
// exactly (count-min, Cormode and Muthukrishnan 2005): never less than there are, and more only where another target
// shares both counters. No target is ever thrown out, so no number of targets makes it forget.
//
// Invariants: each live flow is counted as what its record says at that moment. Threads: one, the table's.
#pragma once
#include "dataplane/base/check.hpp"
#include "dataplane/flow/queue_pair.hpp"
#include "dataplane/flow/timeouts.hpp"

#include <span>

namespace weir {

// Where addresses have their meaning: pair, VLANs, network.
inline u32 space_of(const FlowKey& key) { return key.scope & ~u32{7}; }
// A keyed hash of one address, told apart by that; IPv6 sources are hashed by /64 (source_hash).
inline u64 address_hash(const Address& address, u32 space, const HashKey& secret) {
  const u64 mixed = fold_multiply(address.high ^ secret.words[1], address.low ^ secret.words[2]);
  return fold_multiply(mixed ^ secret.words[3] ^ space, secret.words[0]);
}
// What one customer of a network is usually given counts as one source (RFC 6177).
inline u64 source_hash(const Address& source, u32 space, const HashKey& secret) {
  return address_hash(source.is_ipv4() ? source : Address{source.high, 0}, space, secret);
}

inline bool is_half_open(FlowClass flow_class, u32 state) {
  return flow_class == FlowClass::tcp && tcp_timeout(static_cast<TcpState>(state)) == Timeout::tcp_opening;
}

class FlowCensus {
 public:
  FlowCensus() = default;
  // `counters` zeroed: two rows of a power of two each. The secret is the table's.
  FlowCensus(std::span<u32> counters, const HashKey& secret)
      : rows_{counters.data(), counters.data() + counters.size() / 2}, mask_(counters.size() / 2 - 1), secret_(secret) {
    WEIR_CHECK(counters.size() >= 2 && (counters.size() / 2 & mask_) == 0);
  }

  u32 half_open() const { return half_open_; }
  u32 udp() const { return udp_; }
  u32 half_open_toward(u64 target) const {
    const u32 one = rows_[0][target & mask_], two = rows_[1][target >> 32 & mask_];
    return one < two ? one : two;
  }

  // Queue pairs that a host has opened by first use: never fewer than there are.
  u32 first_used_by(const Address& opener, const FlowKey& key) const {
    const u64 hash = first_use_hash(opener, key);
    const u32 one = rows_[0][hash & mask_], two = rows_[1][hash >> 32 & mask_];
    return one < two ? one : two;
  }

  // A flow has been made; one is about to be forgotten, its record still as it was.
  void enter(const FlowRecord& record) {
    udp_ += record.key.flow_class() == FlowClass::udp;
    if (is_half_open(record.key.flow_class(), record.state)) count(record, 1);
    count_first_use(record, 1);
  }
  void leave(const FlowRecord& record) {
    udp_ -= record.key.flow_class() == FlowClass::udp;
    if (is_half_open(record.key.flow_class(), record.state)) count(record, ~u32{0});
    count_first_use(record, ~u32{0});
  }
  // A packet has moved the flow on from `before`.
  void move(const FlowRecord& record, u32 before) {
    const FlowClass flow_class = record.key.flow_class();
    const bool was = is_half_open(flow_class, before), is = is_half_open(flow_class, record.state);
    if (was != is) count(record, is ? 1 : ~u32{0});
  }
  void clear() {
    half_open_ = udp_ = 0;
    std::memset(rows_[0], 0, 2 * (mask_ + 1) * sizeof(u32));
  }

 private:
  // In the sketch of half-open flows, told apart by the space.
  u64 first_use_hash(const Address& opener, const FlowKey& key) const {
    return address_hash(opener, space_of(key) | 1, secret_);
  }
  void count_first_use(const FlowRecord& record, u32 amount) {
    if (record.key.flow_class() != FlowClass::rdma || !is_first_use(record)) return;
    const u64 hash = first_use_hash(record.opener_is_a ? record.key.a : record.key.b, record.key);
    rows_[0][hash & mask_] += amount;
    rows_[1][hash >> 32 & mask_] += amount;
  }
  void count(const FlowRecord& record, u32 amount) {
    const Address& target = record.opener_is_a ? record.key.b : record.key.a;
    const u64 hash = address_hash(target, space_of(record.key), secret_);
    half_open_ += amount;
    rows_[0][hash & mask_] += amount;
    rows_[1][hash >> 32 & mask_] += amount;
  }

  u32* rows_[2] = {};
  u64 mask_ = 0;
  HashKey secret_{};
  u32 half_open_ = 0, udp_ = 0;
};

}  // namespace weir
