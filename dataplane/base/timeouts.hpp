// The idle times of flows by name, with what holds where a policy says nothing. Floor 0, because the rule language, the
// image and the flow table share them; which flow has which stands in dataplane/flow/timeouts.hpp.
#pragma once
#include "dataplane/base/bytes.hpp"

#include <string_view>

namespace weir {

// X(name, milliseconds, source)
#define WEIR_TIMEOUTS(X)                                                                                \
  X(tcp_opening, 30'000, "shorter than RFC 5382's 4 minutes: a half-open flow holds memory for nobody") \
  X(tcp_established, 7'440'000, "RFC 5382, REQ-5: at least 2 hours 4 minutes")                          \
  X(tcp_half_closed, 240'000, "RFC 5382, REQ-5: transitory connections, at least 4 minutes")            \
  X(tcp_closed, 60'000, "both FINs acknowledged: as long as Linux keeps TIME-WAIT")                      \
  X(tcp_reset, 10'000, "long enough to name stragglers")                                                \
  X(udp_one_way, 30'000, "no reply yet: as nf_conntrack's default")                                     \
  X(udp_both_ways, 120'000, "RFC 4787, REQ-5: at least 2 minutes")                                      \
  X(icmp_query, 60'000, "RFC 5508, REQ-2: at least 60 seconds")                                         \
  X(sctp_any, 240'000, "as a transitory connection: its own states come later")                         \
  X(ip_any, 600'000, "as nf_conntrack's generic timeout")                                               \
  X(rdma_announced, 60'000, "connection managers give up within a minute (IBA 12.9.8)")                 \
  X(rdma_open, 14'400'000, "what taught of a queue pair is not said twice: as long as there is")        \
  X(rdma_closed, 60'000, "beyond the longest retry: stragglers are named")

enum class Timeout : u8 {
#define WEIR_TIMEOUT(name, ms, source) name,
  WEIR_TIMEOUTS(WEIR_TIMEOUT)
#undef WEIR_TIMEOUT
};

// Where no policy says otherwise.
inline constexpr u32 timeout_ms[] = {
#define WEIR_TIMEOUT(name, ms, source) ms,
    WEIR_TIMEOUTS(WEIR_TIMEOUT)
#undef WEIR_TIMEOUT
};
inline constexpr std::string_view timeout_names[] = {
#define WEIR_TIMEOUT(name, ms, source) #name,
    WEIR_TIMEOUTS(WEIR_TIMEOUT)
#undef WEIR_TIMEOUT
};
inline constexpr u32 timeouts_count = sizeof timeout_ms / sizeof timeout_ms[0];

// What a policy may say. A deadline is told apart from a past one for 4.7 hours, and ageing has to come by before.
inline constexpr u32 timeout_ms_min = 1'000, timeout_ms_max = 4 * 3600 * 1000;

}  // namespace weir
