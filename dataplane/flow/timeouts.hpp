// How long a flow may be idle, by what is known of it. Milliseconds, at most the four hours that deadlines can tell
// apart; kept in beats that last at least so long (dataplane/base/tick.hpp). Sources beside each value.
#pragma once
#include "dataplane/base/tick.hpp"
#include "dataplane/flow/exchange.hpp"
#include "dataplane/flow/tcp.hpp"
#include "dataplane/packet/key.hpp"

#include <algorithm>
#include <array>

namespace weir {

// X(name, milliseconds, source)
#define WEIR_TIMEOUTS(X)                                                                                \
  X(tcp_opening, 30'000, "shorter than RFC 5382's 4 minutes: a half-open flow holds memory for nobody") \
  X(tcp_established, 7'440'000, "RFC 5382, REQ-5: at least 2 hours 4 minutes")                          \
  X(tcp_half_closed, 240'000, "RFC 5382, REQ-5: transitory connections, at least 4 minutes")            \
  X(tcp_closed, 60'000, "both FINs seen: one maximum segment lifetime of Linux's TIME-WAIT")            \
  X(tcp_reset, 10'000, "long enough to name stragglers")                                                \
  X(udp_one_way, 30'000, "no reply yet: as nf_conntrack's default")                                     \
  X(udp_both_ways, 120'000, "RFC 4787, REQ-5: at least 2 minutes")                                      \
  X(icmp_query, 60'000, "RFC 5508, REQ-2: at least 60 seconds")                                         \
  X(sctp_any, 240'000, "as a transitory connection: its own states come later")                         \
  X(ip_any, 600'000, "as nf_conntrack's generic timeout")

enum class Timeout : u8 {
#define WEIR_TIMEOUT(name, ms, source) name,
  WEIR_TIMEOUTS(WEIR_TIMEOUT)
#undef WEIR_TIMEOUT
};

inline constexpr u32 timeout_ms[] = {
#define WEIR_TIMEOUT(name, ms, source) ms,
    WEIR_TIMEOUTS(WEIR_TIMEOUT)
#undef WEIR_TIMEOUT
};

static_assert(std::ranges::all_of(timeout_ms, [](u32 ms) { return u64{ms} * 1000 <= beats_apart_max; }));

inline constexpr auto timeout_beats = [] {
  std::array<Beat, std::size(timeout_ms)> beats{};
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
