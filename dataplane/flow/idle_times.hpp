// The idle times of one policy in the beats that deadlines count, by what a packet knows: a small copy, so that a
// packet follows no pointer into the image.
#pragma once
#include "dataplane/flow/record.hpp"
#include "dataplane/flow/timeouts.hpp"

namespace weir {

struct IdleTimes {
  Beat of_tcp[tcp_states_count];
  Beat of[timeouts_count];
  Beat longest = 0;

  IdleTimes() : IdleTimes(timeout_ms) {}
  // `ms`: by Timeout, each at most timeout_ms_max.
  explicit IdleTimes(const u32* ms) {
    for (u32 timeout = 0; timeout < timeouts_count; ++timeout) {
      of[timeout] = beats_lasting(ms[timeout]);
      longest = of[timeout] > longest ? of[timeout] : longest;
    }
    for (u32 state = 0; state < tcp_states_count; ++state)
      of_tcp[state] = of[static_cast<u8>(tcp_timeout(static_cast<TcpState>(state)))];
  }
  Beat of_flow(const FlowRecord& record) const {
    const FlowClass flow_class = record.key.flow_class();
    if (flow_class == FlowClass::tcp) [[likely]]
      return of_tcp[record.state];
    return of_exchange(flow_class, static_cast<Exchange>(record.state));
  }
  Beat of_exchange(FlowClass flow_class, Exchange exchange) const {
    return of[static_cast<u8>(exchange_timeout(flow_class, exchange))];
  }
};

}  // namespace weir
