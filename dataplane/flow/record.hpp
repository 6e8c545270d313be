// What is remembered of one flow: 64 bytes, one cache line, both directions. A packet of a known flow reads and writes
// no other line of the table than its bucket and this.
#pragma once
#include "dataplane/base/tick.hpp"
#include "dataplane/packet/key.hpp"

namespace weir {

// Judgement epochs go from 1 to epochs - 1 and round again; whoever counts them (Sweep) sees to it that none is met
// twice.
inline constexpr u32 epochs = 64;
inline constexpr u32 epoch_stale = 0;  // of a flow that policy denied when it was last asked: ask again

struct alignas(64) FlowRecord {
  FlowKey key;
  u16 decision;   // index into the policy's decisions, meaningful while epoch is current
  Beat deadline;  // the table's: FlowTable::set_deadline()
  u32 epoch : 6;               // judgement epoch that allowed it: stale after a policy flip or an expiry
  u32 state : 4;               // TcpState, or Exchange for the rest
  u32 opener_is_a : 1;         // endpoint a opened the flow
  u32 opener_on_inside : 1;    // the opening packet came in by the inside port of its pair
  u32 replier_is_spoofed : 1;  // the opener's target may not be a source on the port that leads to it
  u32 attended : 1;            // a longer look: sequence numbers differ between the sides, or its first bytes are read
  u32 opener_scale : 4;        // TCP: log2 of what the window field is counted in
  u32 opener_window_log2 : 5;  // TCP: the widest window offered so far, rounded up
  u32 replier_scale : 4;
  u32 replier_window_log2 : 5;
  // TCP, opener's then replier's: one past the highest sequence number sent, and the highest that the peer's
  // window permits. Of ICMP: the message that opened the flow.
  u32 end[2];
  u32 edge[2];

  // The bit fields at once, and what stands in them: one load, and no branch on the direction.
  u32 bits() const { return load<u32>(reinterpret_cast<const std::byte*>(this) + 44); }
  static u32 epoch_of(u32 bits) { return bits & 63; }
  static u32 state_of(u32 bits) { return bits >> 6 & 15; }
  static u32 scale(u32 bits, u32 from) { return bits >> (14 + 9 * from) & 15; }
  static u32 window_log2(u32 bits, u32 from) { return bits >> (18 + 9 * from) & 31; }
  // Who sends (0 the opener, 1 the replier), and whether a packet of such a sender that comes in by this side (0 the
  // inside) asks for a longer look: it came in by the wrong one, its source is spoofed, or it is attended to.
  static u32 sender(u32 bits, bool source_is_a) { return (bits >> 10 & 1) ^ source_is_a; }
  static bool is_usual(u32 bits, u32 from, u32 side) {
    const u32 by_right_side = (bits >> 11 ^ from ^ side) & 1;
    return ((by_right_side ^ 1) | (bits >> 12 & from) | (bits >> 13 & 1)) == 0;
  }
  static constexpr u32 state_established = 4;  // TcpState::established
  static constexpr u32 window_unknown = 31;    // of a connection that was met in mid-stream

  void set_state(u32 value) { state = value & 15; }
  // Kept so that an allowed echo does not carry other messages.
  u8 icmp_type() const { return static_cast<u8>(end[0] >> 8); }
  u8 icmp_code() const { return static_cast<u8>(end[0]); }
  void set_icmp(u8 type, u8 code) { end[0] = u32{type} << 8 | code; }
  // Of a free record: the next one.
  u32& next_free() { return end[0]; }
};
static_assert(sizeof(FlowRecord) == 64);

}  // namespace weir
