// The idle times of one policy in the beats that deadlines count, by what a packet knows: a small copy, so that a
// packet follows no pointer into the image.
#pragma once
#include "dataplane/flow/timeouts.hpp"

namespace weir {

struct IdleTimes {
  Beat of_tcp[tcp_states_count];
  Beat of[timeouts_count];

  IdleTimes() : IdleTimes(timeout_ms) {}
  // `ms`: by Timeout, each at most timeout_ms_max.
  explicit IdleTimes(const u32* ms) {
    for (u32 timeout = 0; timeout < timeouts_count; ++timeout) of[timeout] = beats_lasting(ms[timeout]);
    for (u32 state = 0; state < tcp_states_count; ++state)
      of_tcp[state] = of[static_cast<u8>(tcp_timeout(static_cast<TcpState>(state)))];
  }
  Beat of_exchange(FlowClass flow_class, Exchange exchange) const {
    return of[static_cast<u8>(exchange_timeout(flow_class, exchange))];
  }
};

}  // namespace weir
