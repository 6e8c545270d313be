// What is remembered of one flow: 64 bytes, one cache line, both directions. A packet of a known flow reads and writes
// no other line of the table than its bucket and this.
#pragma once
#include "dataplane/packet/key.hpp"

namespace weir {

struct alignas(64) FlowRecord {
  FlowKey key;
  u32 epoch;          // judgement epoch that allowed it: stale after a policy flip or an expiry
  u16 decision;       // index into the policy's decisions, meaningful while epoch is current
  u8 state;           // TcpState, or Exchange for the rest
  u8 opener_is_a : 1;      // endpoint a opened the flow
  u8 opener_on_inside : 1; // the opening packet came in by the inside port of its pair
  u8 replier_is_spoofed : 1; // the opener's target may not be a source on the port that leads to it
  u8 spare : 5;
  u32 deadline_ms;         // the table's: FlowTable::set_deadline()
  u8 sequence_room[12];    // for sequence tracking of both directions
};
static_assert(sizeof(FlowRecord) == 64);

}  // namespace weir
