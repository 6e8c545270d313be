// The TCP states a flow goes through, as a table: (state, who sent it, kind of segment) -> next state or refusal.
// Handshake, half-close and reset are followed by flags alone; sequence numbers are not looked at here. A segment
// that the table refuses is dropped as tcp_state and changes nothing. Source: RFC 9293, section 3.3.2.
#pragma once
#include "dataplane/base/bytes.hpp"

#include <string_view>

namespace weir {

enum class TcpState : u8 {
  syn_sent,      // the opener's SYN passed
  syn_both,      // both sent a SYN: simultaneous open (RFC 9293, section 3.5)
  syn_received,  // the replier's SYN-ACK passed
  established,
  fin_opener,    // the opener has finished sending
  fin_replier,   // the replier has finished sending
  fin_both,      // both have: lingers for late segments, as TIME-WAIT
  reset,         // a RST passed: lingers so that stragglers are named
};
inline constexpr u32 tcp_states_count = 8;

enum class TcpSegment : u8 { syn, syn_ack, ack, fin, rst };
inline constexpr u32 tcp_segments_count = 5;

enum class TcpSender : u8 { opener, replier };

// What the table says: the next state, or one of the two below.
struct TcpStep {
  u8 value;
  static constexpr u8 refuse_value = 0xff;
  static constexpr u8 reopen_value = 0xfe;
  constexpr bool refused() const { return value == refuse_value; }
  constexpr bool reopens() const { return value == reopen_value; }  // a new connection: forget this one and judge
  constexpr TcpState next() const { return static_cast<TcpState>(value); }
};

extern const TcpStep tcp_table[tcp_states_count][2][tcp_segments_count];

inline TcpStep tcp_step(TcpState state, TcpSender sender, TcpSegment segment) {
  return tcp_table[static_cast<u8>(state)][static_cast<u8>(sender)][static_cast<u8>(segment)];
}

// The kind of a segment whose flags the parser has accepted.
inline TcpSegment tcp_segment(u8 flags) {
  if (flags & 0x04) return TcpSegment::rst;
  if (flags & 0x02) return flags & 0x10 ? TcpSegment::syn_ack : TcpSegment::syn;
  return flags & 0x01 ? TcpSegment::fin : TcpSegment::ack;
}

constexpr std::string_view tcp_state_name(TcpState state) {
  constexpr std::string_view names[] = {"syn_sent",   "syn_both",    "syn_received", "established",
                                        "fin_opener", "fin_replier", "fin_both",     "reset"};
  return names[static_cast<u8>(state)];
}

}  // namespace weir
