// How long a flow may be idle, by what is known of it: in beats that last at least as long as the milliseconds of
// dataplane/base/timeouts.hpp, where names, values and sources stand.
#pragma once
#include "dataplane/base/tick.hpp"
#include "dataplane/base/timeouts.hpp"
#include "dataplane/flow/exchange.hpp"
#include "dataplane/flow/tcp.hpp"
#include "dataplane/packet/key.hpp"

#include <algorithm>
#include <array>

namespace weir {

static_assert(u64{timeout_ms_max} * 1000 <= beats_apart_max);

inline constexpr auto timeout_beats = [] {
  std::array<Beat, timeouts_count> beats{};
  for (std::size_t i = 0; i < beats.size(); ++i) beats[i] = beats_lasting(timeout_ms[i]);
  return beats;
}();

constexpr Beat idle_beats(Timeout timeout) { return timeout_beats[static_cast<u8>(timeout)]; }

constexpr Timeout tcp_timeout(TcpState state) {
  switch (state) {
    case TcpState::syn_sent:
    case TcpState::syn_both:
    case TcpState::syn_received: return Timeout::tcp_opening;
    case TcpState::established: return Timeout::tcp_established;
    case TcpState::fin_opener:
    case TcpState::fin_replier: return Timeout::tcp_half_closed;
    case TcpState::fin_both: return Timeout::tcp_closed;
    case TcpState::reset: break;
  }
  return Timeout::tcp_reset;
}

// By TcpState: one load for each packet.
inline constexpr auto tcp_idle_beats = [] {
  std::array<Beat, tcp_states_count> idle{};
  for (u32 state = 0; state < tcp_states_count; ++state)
    idle[state] = idle_beats(tcp_timeout(static_cast<TcpState>(state)));
  return idle;
}();

constexpr Timeout exchange_timeout(FlowClass flow_class, Exchange exchange) {
  switch (flow_class) {
    case FlowClass::udp: return exchange == Exchange::one_way ? Timeout::udp_one_way : Timeout::udp_both_ways;
    case FlowClass::icmp4:
    case FlowClass::icmp6: return Timeout::icmp_query;
    case FlowClass::sctp: return Timeout::sctp_any;
    default: return Timeout::ip_any;
  }
}

}  // namespace weir
