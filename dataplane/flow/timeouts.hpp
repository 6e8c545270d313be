// Which idle time a flow has, by what is known of it. Names, values and sources: dataplane/base/timeouts.hpp.
#pragma once
#include "dataplane/base/tick.hpp"
#include "dataplane/base/timeouts.hpp"
#include "dataplane/flow/exchange.hpp"
#include "dataplane/flow/tcp.hpp"
#include "dataplane/packet/key.hpp"

namespace weir {

static_assert(u64{timeout_ms_max} * 1000 <= beats_apart_max);

constexpr Timeout tcp_timeout(TcpState state) {
  switch (state) {
    case TcpState::syn_sent:
    case TcpState::syn_both:
    case TcpState::syn_answered:
    case TcpState::syn_received: return Timeout::tcp_opening;
    case TcpState::established: return Timeout::tcp_established;
    case TcpState::fin_opener:
    case TcpState::fin_opener_acked:
    case TcpState::fin_replier:
    case TcpState::fin_replier_acked:
    case TcpState::fin_both:
    case TcpState::last_replier:
    case TcpState::last_opener: return Timeout::tcp_half_closed;
    case TcpState::time_wait: return Timeout::tcp_closed;
    case TcpState::reset: break;
  }
  return Timeout::tcp_reset;
}

// By QueuePairState (queue_pair.hpp).
constexpr Timeout queue_pair_timeout(u8 state) {
  return state == 0 ? Timeout::rdma_announced : state == 1 ? Timeout::rdma_open : Timeout::rdma_closed;
}

constexpr Timeout exchange_timeout(FlowClass flow_class, Exchange exchange) {
  switch (flow_class) {
    case FlowClass::udp: return exchange == Exchange::one_way ? Timeout::udp_one_way : Timeout::udp_both_ways;
    case FlowClass::icmp4:
    case FlowClass::icmp6: return Timeout::icmp_query;
    case FlowClass::sctp: return Timeout::sctp_any;
    case FlowClass::rdma: return queue_pair_timeout(static_cast<u8>(exchange));
    default: return Timeout::ip_any;
  }
}

}  // namespace weir
