// The TCP states a flow goes through, as a table: (state, who sent it, kind of segment) -> next state or what else
// becomes of the segment. The table says what a segment of right numbers does; which numbers are right is window.hpp's
// affair. // Source: RFC 9293, sections 3.3.2 and 3.10.7; RFC 5961.
#pragma once
#include "dataplane/base/bytes.hpp"

#include <string_view>

namespace weir {

enum class TcpState : u8 {
  syn_sent,           // the opener's SYN passed
  syn_both,           // both sent a SYN: simultaneous open (RFC 9293, section 3.5)
  syn_answered,       // after syn_both, the opener's SYN-ACK passed
  syn_received,       // the replier's SYN-ACK passed
  established,
  fin_opener,         // the opener has finished sending
  fin_opener_acked,   // and the replier has acknowledged it: half-closed
  fin_replier,        // the same the other way round
  fin_replier_acked,
  fin_both,           // both have finished, neither is acknowledged
  last_replier,       // both have; the replier's FIN waits for its acknowledgement
  last_opener,        // both have; the opener's does
  time_wait,          // both have, and both are acknowledged: nothing is owed to anyone
  reset,              // a RST passed: lingers so that stragglers are named
};
inline constexpr u32 tcp_states_count = 14;

// ack_all and fin_ack_all acknowledge everything that the other side has sent; it matters once that includes its FIN.
enum class TcpSegment : u8 { syn, syn_ack, ack, ack_all, fin, fin_ack_all, rst };
inline constexpr u32 tcp_segments_count = 7;

enum class TcpSender : u8 { opener, replier };

// What the table says: the next state, or one of those below.
struct TcpStep {
  u8 value;
  static constexpr u8 refuse_value = 0xff;
  static constexpr u8 reopen_value = 0xfe;
  static constexpr u8 challenge_value = 0xfd;
  static constexpr u8 judge_value = 0xfc;
  constexpr bool refused() const { return value == refuse_value; }
  constexpr bool reopens() const { return value == reopen_value; }        // a new connection: forget this and judge
  constexpr bool challenges() const { return value == challenge_value; }  // the endpoint answers; nothing changes here
  constexpr bool judged() const { return value == judge_value; }          // an opening of its own: policy is asked
  constexpr bool is_state() const { return value < tcp_states_count; }
  constexpr TcpState next() const { return static_cast<TcpState>(value); }
};

// A power of two wide, for a short way from state to cell.
inline constexpr u32 tcp_columns = 8;
extern const TcpStep tcp_table[tcp_states_count][2][tcp_columns];

inline TcpStep tcp_step(TcpState state, TcpSender sender, TcpSegment segment) {
  return tcp_table[static_cast<u8>(state)][static_cast<u8>(sender)][static_cast<u8>(segment)];
}

// The kind of a segment whose flags the parser has accepted.
inline TcpSegment tcp_segment(u8 flags, bool acks_all) {
  if (flags & 0x04) return TcpSegment::rst;
  if (flags & 0x02) return flags & 0x10 ? TcpSegment::syn_ack : TcpSegment::syn;
  if (flags & 0x01) return acks_all ? TcpSegment::fin_ack_all : TcpSegment::fin;
  return acks_all ? TcpSegment::ack_all : TcpSegment::ack;
}

constexpr bool tcp_opens(u8 flags) { return (flags & 0x16) == 0x02; }

// Whether the opener's (0) or the replier's (1) FIN has passed.
constexpr bool tcp_fin_sent(u32 state, u32 from) {
  constexpr auto bit = [](TcpState s) { return u32{1} << static_cast<u8>(s); };
  constexpr u32 both = bit(TcpState::fin_both) | bit(TcpState::last_replier) | bit(TcpState::last_opener) |
                       bit(TcpState::time_wait);
  constexpr u32 sent[2] = {both | bit(TcpState::fin_opener) | bit(TcpState::fin_opener_acked),
                           both | bit(TcpState::fin_replier) | bit(TcpState::fin_replier_acked)};
  return sent[from] >> state & 1;
}

constexpr std::string_view tcp_state_name(TcpState state) {
  constexpr std::string_view names[] = {
      "syn_sent",         "syn_both",    "syn_answered",      "syn_received", "established",  "fin_opener",
      "fin_opener_acked", "fin_replier", "fin_replier_acked", "fin_both",     "last_replier", "last_opener",
      "time_wait",        "reset"};
  return names[static_cast<u8>(state)];
}

}  // namespace weir
