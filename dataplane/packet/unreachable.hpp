// An ICMP or ICMPv6 "administratively prohibited" back to the sender of a received frame, by the way it came. It never
// is longer than that frame, and quotes as much of it as this leaves. It decides nothing.
// Sources: RFC 792 and RFC 1812 4.3.2 and 5.2.7.1 (type 3, code 13); RFC 4443 3.1 (type 1, code 1).
#pragma once
#include "dataplane/packet/parse.hpp"

#include <span>

namespace weir {

// Whether a packet may be answered by an error at all: one host's, to one host, not itself an error, whole, in no
// tunnel, and without IPv6 extension headers. RFC 1122 3.2.2, RFC 4443 2.4 (e).
bool may_be_answered(std::span<const std::byte> frame, const Headers& headers);

// Whether the room, and a frame as long as the received one, hold the headers and the least quote: the IP header and
// 8 bytes.
bool unreachable_fits(std::span<const std::byte> room, std::span<const std::byte> frame, const Headers& headers);

// Returns the frame's length. It fits.
u32 answer_unreachable(std::span<std::byte> room, std::span<const std::byte> frame, const Headers& headers);

}  // namespace weir
