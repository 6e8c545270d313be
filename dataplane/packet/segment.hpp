// TCP segments of our own making: written into a received frame in its place, or as a frame back to its sender, with
// lengths and checksums right; the options of a SYN; and checksums kept right where a field of a segment changes.
// It decides nothing, carries no payload, and writes nothing longer than it is allowed to.
// Sources: RFC 9293 3.1 and 3.2, RFC 7323 2 (window scale), RFC 2018 2 (SACK permitted), RFC 1071 and 1624 (checksums).
#pragma once
#include "dataplane/packet/parse.hpp"
#include "dataplane/packet/tcp_options.hpp"

#include <span>

namespace weir {

// What a SYN or SYN-ACK says of its sender, in the order in which we leave out what has no room: the last first.
struct TcpOptions {
  u16 mss = 0;  // 0: no such option
  u8 window_scale = no_scale;
  bool sack_permitted = false;
  bool operator==(const TcpOptions&) const = default;
};

// Of a segment whose option list the parser has accepted; the last option of a kind counts.
TcpOptions read_options(const u8* tcp, u32 header_bytes);
// The most of `options` that takes no more than `bytes`, in whole words.
TcpOptions options_within(const TcpOptions& options, u32 bytes);
u32 options_bytes(const TcpOptions& options);

// A segment without payload.
struct BareSegment {
  u32 sequence, acknowledged;
  u8 flags;
  u16 window;  // as the field has it
  TcpOptions options;
};

// The segment in place of the one that stands in the frame: addresses, ports and what lies below stay, payload and
// options go. The frame gets no shorter: what is left over is zero, as padding. `room` bytes from `frame` on may be
// written, at least `bytes`; options that do not fit are left out, and `segment.options` says afterwards what was
// written. Returns the length of the frame.
u32 replace_segment(std::byte* frame, u32 bytes, u32 room, const Headers& headers, BareSegment& segment);

// Bytes of options that answer_segment() has room for.
u32 options_room(std::span<std::byte> room, std::span<const std::byte> frame, const Headers& headers);

// A frame for the sender of `frame`, by the way it came: link addresses, IP addresses and ports swapped, VLAN tags
// kept; plain IP headers. Never longer than `frame`, to which options are fitted as above. Returns its length; 0, and
// nothing, where `room` is too small.
u32 answer_segment(std::span<std::byte> room, std::span<const std::byte> frame, const Headers& headers,
                   BareSegment& segment);

// Keeps a checksum right, or as wrong as it was, when bytes at an even offset change: up to four, as they stand on the
// wire. At an odd offset, the bytes of both halves change places first. Source: RFC 1624, equation 3.
inline void update_sum(u8* checksum, u32 from, u32 to) {
  u32 sum = static_cast<u16>(~load<u16>(checksum));
  sum += static_cast<u16>(~from) + static_cast<u16>(~from >> 16) + static_cast<u16>(to) + (to >> 16);
  sum = (sum & 0xffff) + (sum >> 16);
  sum = (sum & 0xffff) + (sum >> 16);
  const u16 raw = static_cast<u16>(~sum);
  std::memcpy(checksum, &raw, sizeof raw);
}

}  // namespace weir
