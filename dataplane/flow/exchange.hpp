// The state of flows that are not TCP: whether the replier has been heard, and for ICMP queries which type may
// travel which way. Sources: RFC 792, 950, 1256, 4443.
#pragma once
#include "dataplane/base/bytes.hpp"

namespace weir {

enum class Exchange : u8 {
  one_way,  // only the opener has been heard
  both_ways,
};

inline constexpr u32 icmp_no_reply = 256;

// The reply type that answers a query of `type` (ICMP when ipv4, else ICMPv6), or icmp_no_reply for a type that is
// not a query: such a message may be sent but is never answered through the flow.
constexpr u32 icmp_reply_of(bool ipv4, u8 type) {
  if (!ipv4) return type == 128 ? 129 : icmp_no_reply;
  switch (type) {
    case 8: return 0;
    case 10: return 9;
    case 13: return 14;
    case 15: return 16;
    case 17: return 18;
    default: return icmp_no_reply;
  }
}

// Whether `type` only ever answers: it opens nothing.
constexpr bool icmp_is_reply(bool ipv4, u8 type) {
  if (!ipv4) return type == 129;
  return type == 0 || type == 9 || type == 14 || type == 16 || type == 18;
}

}  // namespace weir
