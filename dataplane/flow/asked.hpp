// The SYNs that passed in the middle of a connection, for its endpoint to answer. One that lives answers by a challenge
// ACK and nothing has happened; one that was forgotten at both ends answers the SYN itself, and only who remembers the
// SYN can tell. It judges nothing. Source: RFC 5961, section 4; RFC 9293, section 3.5.1.
//
// Invariants: a slot holds the newest SYN of the flows that share it, so a flood of them costs others a repeated SYN.
// Threads: one. Memory: its own, 4 KiB.
#pragma once
#include "dataplane/flow/window.hpp"

namespace weir {

class AskedSyns {
 public:
  void note(u32 flow, const TcpSyn& syn) { slot(flow) = {flow, syn}; }
  // The SYN of this flow that such a number acknowledges, or null.
  const TcpSyn* acknowledged(u32 flow, u32 acknowledgement) const {
    const Slot& found = slots_[flow % slots_count];
    return found.flow == flow && found.syn.next == acknowledgement ? &found.syn : nullptr;
  }
  // The record is another connection's from now on.
  void forget(u32 flow) {
    if (slot(flow).flow == flow) slot(flow).flow = ~u32{0};
  }

 private:
  static constexpr u32 slots_count = 256;
  struct Slot {
    u32 flow = ~u32{0};
    TcpSyn syn{};
  };
  Slot& slot(u32 flow) { return slots_[flow % slots_count]; }

  Slot slots_[slots_count];
};

}  // namespace weir
