// The key of a flow: both endpoints in canonical order, so that the two directions of a conversation have one
// key and one hash. 40 bytes, compared as five words.
//
// An address is two words as they stand on the wire (native loads, no swap). IPv4 stands in `low` with `high` all
// ones: the parser drops an IPv6 packet that has that high word in an address (a multicast address of reserved flags
// and scope, RFC 4291 2.7), so the families never collide.
#pragma once
#include "dataplane/base/bytes.hpp"
#include "dataplane/base/hash.hpp"

namespace weir {

struct Address {
  u64 high;  // wire bytes 0..7 of IPv6; all ones for IPv4
  u64 low;   // wire bytes 8..15 of IPv6; the four wire bytes of IPv4, zero-extended
  bool operator==(const Address&) const = default;

  static constexpr u64 ipv4_mark = ~u64{0};
  bool is_ipv4() const { return high == ipv4_mark; }
  static Address ipv4(u32 wire) { return {ipv4_mark, wire}; }
  static Address ipv6(const void* wire) { return {load<u64>(wire), load<u64>(static_cast<const char*>(wire) + 8)}; }
};

// What the two 16-bit numbers of a key mean. 3 bits in the key.
enum class FlowClass : u8 {
  tcp = 0,    // ports
  udp = 1,    // ports
  icmp4 = 2,  // of a query the identifier on the querier's side and the query's type on the other; else zeros
  icmp6 = 3,
  sctp = 4,   // ports
  ip = 5,     // any other protocol: its number in both
  rdma = 6,   // not two numbers but one: the target's queue pair and which end the target is (rdma_numbers)
};

// The place of a packet: where its addresses have their meaning. On the wire that is VLANs, the outer at bit 8 and the
// inner at bit 20. A tunnel without a number (GRE, IP in IP) leaves them and sets a bit, so that what came through one
// is never taken for what came without. A network with a number (VXLAN, Geneve) has it in place of the VLANs.
inline constexpr u32 place_numbered = 1u << 3;
inline constexpr u32 place_unnumbered = 1u << 7;
inline constexpr u32 place_mask = ~u32{0x77};

constexpr u32 place_of_vlans(u32 outer, u32 inner) { return outer << 8 | inner << 20; }
constexpr u32 place_in_network(u32 place, u32 number) {
  return (place & place_unnumbered) | place_numbered | number << 8;
}
constexpr bool in_tunnel(u32 place) { return (place & (place_numbered | place_unnumbered)) != 0; }
constexpr bool in_network(u32 place) { return (place & place_numbered) != 0; }
constexpr u32 network_of(u32 place) { return place >> 8; }

struct FlowKey {
  Address a, b;  // a is the lower endpoint by (high, low, number) compared as native integers
  u16 a_number;  // wire order for ports and identifiers
  u16 b_number;
  u32 scope;     // class : 3, in a network : 1, pair : 3, in a tunnel without one : 1, VLANs or the network : 24
  bool operator==(const FlowKey&) const = default;

  static constexpr u32 scope_of(FlowClass flow_class, u32 pair, u32 place) {
    return static_cast<u32>(flow_class) | pair << 4 | place;
  }
  static constexpr u32 scope_of(FlowClass flow_class, u32 pair, u32 outer_vlan, u32 inner_vlan) {
    return scope_of(flow_class, pair, place_of_vlans(outer_vlan, inner_vlan));
  }
  FlowClass flow_class() const { return static_cast<FlowClass>(scope & 7); }
  u32 pair() const { return scope >> 4 & 7; }
  u32 place() const { return scope & place_mask; }
};
static_assert(sizeof(FlowKey) == 40);

// Orders the endpoints. `swapped` tells that the packet's source became b.
inline FlowKey make_key(const Address& source, u16 source_number, const Address& target, u16 target_number, u32 scope,
                        bool& swapped) {
  swapped = source.high != target.high ? source.high > target.high
            : source.low != target.low ? source.low > target.low
                                       : source_number > target_number;
  return swapped ? FlowKey{target, source, target_number, source_number, scope}
                 : FlowKey{source, target, source_number, target_number, scope};
}

// Of an RDMA key, a_number and b_number from bit 0 on: the target's queue pair in 24 bits, and bit 24 where the target
// is endpoint a. So the two directions, which have queue pairs of their own, have keys of their own.
inline constexpr u32 rdma_target_is_a = 1u << 24;
constexpr u32 numbers_of(const FlowKey& key) { return u32{key.b_number} << 16 | key.a_number; }
constexpr u32 qp_of(const FlowKey& key) { return numbers_of(key) & 0xff'ffff; }
constexpr bool target_is_a(const FlowKey& key) { return (numbers_of(key) & rdma_target_is_a) != 0; }

// The key of what `source` sends to the queue pair of `target`, another address than its own; `scope` is of class rdma.
// `swapped` as for make_key().
inline FlowKey make_rdma_key(const Address& source, const Address& target, u32 qp, u32 scope, bool& swapped) {
  swapped = (u128{source.high} << 64 | source.low) > (u128{target.high} << 64 | target.low);
  const u64 turn = u64{0} - swapped;  // exchanges the ends when all ones: which is lower cannot be predicted
  const u64 high = (source.high ^ target.high) & turn, low = (source.low ^ target.low) & turn;
  const u32 numbers = qp | (rdma_target_is_a & static_cast<u32>(turn));
  return {{source.high ^ high, source.low ^ low},
          {target.high ^ high, target.low ^ low},
          static_cast<u16>(numbers),
          static_cast<u16>(numbers >> 16),
          scope};
}

// 64-bit keyed hash of a canonical key with these numbers in place of its own. IPv4 keys have constant high words and
// take the short way. Both end in a multiplication of their own: without it the ports of one pair of hosts would be
// multiples of one number.
inline u64 hash_with(const FlowKey& key, u32 numbers, const HashKey& secret) {
  const u64 tail = u64{key.scope} << 32 | numbers;
  if (key.a.is_ipv4()) {
    const u64 mixed = fold_multiply((key.a.low << 32 | key.b.low) ^ secret.words[0], tail ^ secret.words[1]);
    return fold_multiply(mixed ^ secret.words[2], secret.words[3]);
  }
  const u64 first = fold_multiply(key.a.high ^ secret.words[0], key.a.low ^ secret.words[1]);
  const u64 second = fold_multiply(key.b.high ^ secret.words[2], key.b.low ^ secret.words[3]);
  const u64 mixed = fold_multiply(first ^ tail, second ^ secret.words[1]);
  return fold_multiply(mixed ^ secret.words[2], secret.words[3]);
}

// Of a key of another class than rdma.
inline u64 hash_of_numbers(const FlowKey& key, const HashKey& secret) {
  return hash_with(key, numbers_of(key), secret);
}

// Of a key of class rdma. The highest 16 bits, which choose the worker (owner_of), are the addresses' alone: all queue
// pairs of two hosts belong to one.
inline u64 hash_of_rdma(const FlowKey& key, const HashKey& secret) {
  constexpr u64 low = ~u64{0} >> 16;
  const u64 hosts = key.a.is_ipv4() ? fold_multiply((key.a.low << 32 | key.b.low) ^ secret.words[2],
                                                    (u64{key.scope} << 32) ^ secret.words[3])
                                    : hash_with(key, 0, secret);
  return (hosts & ~low) | (hash_with(key, numbers_of(key), secret) & low);
}

inline u64 hash_of(const FlowKey& key, const HashKey& secret) {
  return key.flow_class() == FlowClass::rdma ? hash_of_rdma(key, secret) : hash_of_numbers(key, secret);
}

}  // namespace weir
