// TCP by its numbers: which sequence number, acknowledgement and window a segment of a known flow may have, and what
// the flow remembers of them. It decides nothing about policy or time, and changes nothing for a segment it refuses.
//
// Kept per direction: `end`, one past the highest number sent; `edge`, the highest that the other side's
// acknowledgements and windows have permitted; the scale of its windows and the widest of them. A segment of right
// numbers ends no more than the receiver's widest window before `end` (it has all that is older, but not always what
// begins there), carries no data beyond `edge`, and acknowledges nothing beyond the other side's `end`. The widest
// window is kept as a power of two, rounded up: that lets segments be older, never newer. A FIN needs no room, so it
// may stand one beyond `edge`.
//
// Sources: RFC 9293, section 3.10.7; RFC 5961 (RST, SYN, acknowledgements); RFC 7323, section 2 (scaling).
#pragma once
#include "dataplane/flow/record.hpp"
#include "dataplane/flow/tcp.hpp"
#include "dataplane/packet/numbers.hpp"
#include "dataplane/packet/reason.hpp"
#include "dataplane/packet/tcp_options.hpp"

#include <array>
#include <bit>

namespace weir {

// What policy says about following TCP. Strict and closed unless it says otherwise.
struct TcpProfile {
  bool loose = false;    // pass what is out of window, unchanged; take any RST in the window; data before the handshake
  bool pick_up = false;  // connections that are met in mid-stream may become flows
};

// A segment's numbers, read from a header that the parser has accepted.
struct TcpNumbers {
  const u8* header;
  u32 sequence, acknowledgement;
  u32 window;   // as in the header, not scaled
  u32 payload;  // bytes of data
  u8 flags;

  TcpNumbers(const std::byte* at, u32 payload_bytes)
      : header(reinterpret_cast<const u8*>(at)),
        sequence(swap(load<u32>(at + 4))),
        acknowledgement(swap(load<u32>(at + 8))),
        window(load_be16(at + 14)),
        payload(payload_bytes),
        flags(header[13]) {}
  u32 header_bytes() const { return (header[12] >> 4) * 4u; }
  bool is_fin() const { return flags & tcp_fin; }
};

// Whether a header may have options beside paddings and a timestamp.
inline bool has_rare_options(const u8* header) {
  return header[12] >= 0x80 && (header[12] >= 0x90 || load<u32>(header + 20) != 0x0a080101);
}

// What becomes of a segment.
enum class TcpFate : u8 {
  passes,        // and has moved the flow
  challenges,    // passes, and changes nothing: the endpoint answers for itself
  loose,         // passes although out of window, and changes nothing
  reopens,       // the flow is over: forget it and judge the segment as a first packet
  judged,        // the replier opens too: policy decides; then second_syn()
  bad_state, bad_window, bad_ack, bad_rst, bad_data,
};

constexpr Reason reason_of(TcpFate fate) {
  constexpr Reason reasons[] = {Reason::flow_established, Reason::tcp_challenge, Reason::tcp_loose,
                                Reason::tcp_state,        Reason::tcp_state,     Reason::tcp_state,
                                Reason::tcp_window,       Reason::tcp_bad_ack,       Reason::tcp_bad_rst,
                                Reason::tcp_syn_data};
  return reasons[static_cast<u8>(fate)];
}

// What a SYN says of its sender: the number after it, its window, and the scale it offers.
struct TcpSyn {
  u32 next;
  u16 window;
  u8 scale;
};
TcpSyn syn_of(const TcpNumbers& syn);

// The first segment of a new flow: a SYN, from the opener.
void open_tcp(FlowRecord& record, const TcpNumbers& first);
// The replier's SYN in syn_sent, once policy lets it open too.
void second_syn(FlowRecord& record, const TcpNumbers& syn);
// A segment in mid-stream becomes a flow; `from` 0 when its sender counts as the opener, else 1. Nothing is known of
// its windows, so they are taken to be as wide as can be, for the flow's life.
void pick_up_tcp(FlowRecord& record, u32 from, const TcpNumbers& segment);
// The opener's SYN, which passed in the middle of the flow, is answered: the flow is a new connection from that SYN on.
void open_again(FlowRecord& record, const TcpSyn& syn);
// Whether an error may quote a segment of `from` (0 the opener) that begins at `sequence`: in flight, or just before
// (RFC 5927, section 4.1).
bool quote_holds(const FlowRecord& record, u32 from, u32 sequence);

// How far before all that was sent an acknowledgement may lie: what is acknowledged is at most a window behind that,
// and one that was overtaken on its way another window (RFC 5961, section 5.2). Half a round would be no distance.
constexpr u32 ack_reach_of(u32 reach) { return reach << (reach < u32{1} << 30); }

// Everything but the short way below.
TcpFate follow_rare(FlowRecord& record, u32 from, const TcpNumbers& segment, const TcpProfile& profile);

constexpr bool at_or_after(u32 number, u32 other) { return static_cast<std::int32_t>(number - other) >= 0; }

constexpr u32 later(u32 number, u32 other) { return at_or_after(number, other) ? number : other; }

inline constexpr u32 window_log2_max = 30;
// How far before a window's worth a segment may begin: a FIN takes a number and no room, a probe repeats one.
inline constexpr u32 old_slack = 2;

// The power of two that a window is kept as: rounded up.
constexpr u32 log2_of(u32 window) { return window <= 1 ? 0 : static_cast<u32>(std::bit_width(window - 1)); }

inline u32 window_log2_of(const FlowRecord& record, u32 from) {
  return FlowRecord::window_log2(record.bits(), from);
}
// The widest window that `from` has offered, and so how far the other side may be ahead of what is acknowledged.
inline u32 reach_of(const FlowRecord& record, u32 from) {
  const u32 log2 = window_log2_of(record, from);
  return u32{1} << (log2 - (log2 == FlowRecord::window_unknown));
}

// The same by window_log2, but nothing where it is unknown.
inline constexpr auto known_reach = [] {
  std::array<u32, 32> reach{};
  for (u32 log2 = 0; log2 < FlowRecord::window_unknown; ++log2) reach[log2] = u32{1} << log2;
  return reach;
}();

// The short way: a segment of an established connection that goes on where its sender was, acknowledges something of
// the last window, and offers no more than was ever offered; `bits` are the record's. True when it passes, and has
// moved the flow; else nothing has happened, and follow_rare() knows. What passes here would pass there, to the same
// effect.
inline bool follow_in_order(FlowRecord& record, u32 bits, u32 from, const u8* at, u32 payload) {
  if (FlowRecord::state_of(bits) != FlowRecord::state_established) [[unlikely]]
    return false;
  if ((at[13] & (tcp_syn | tcp_fin | tcp_rst)) != 0 || has_rare_options(at)) [[unlikely]]
    return false;
  const u32 to = from ^ 1, sequence = swap(load<u32>(at + 4)), acknowledgement = swap(load<u32>(at + 8));
  const u32 end = sequence + payload, own_end = record.end[from], other_end = record.end[to];
  const u32 room = record.edge[from] - sequence, reach = known_reach[FlowRecord::window_log2(bits, from)];
  const u32 scaled = u32{load_be16(at + 14)} << FlowRecord::scale(bits, from), window = scaled + (scaled == 0);
  // None of these is negative. Room is asked for twice, since what is far ahead has little less than half a round.
  const u32 signs = (sequence - own_end + old_slack) | room | (room - payload) | (other_end - acknowledgement) |
                    (acknowledgement - other_end + reach + old_slack) | (reach - window);
  if (static_cast<std::int32_t>(signs) < 0) [[unlikely]]
    return false;
  record.end[from] = later(end, own_end);
  record.edge[to] = later(acknowledgement + window, record.edge[to]);
  return true;
}

// A segment of a known flow from the opener (0) or the replier (1): what becomes of it, with the flow moved when it
// passes. `header` is one that the parser has accepted.
inline TcpFate follow_tcp(FlowRecord& record, u32 from, const std::byte* header, u32 payload,
                          const TcpProfile& profile) {
  if (follow_in_order(record, record.bits(), from, reinterpret_cast<const u8*>(header), payload))
    return TcpFate::passes;
  return follow_rare(record, from, TcpNumbers(header, payload), profile);
}

}  // namespace weir
