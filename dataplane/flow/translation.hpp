// What differs between the two sides of a connection whose handshake Weir has answered: the server's numbers, which the
// client knows by the cookie's, and the units of windows, since Weir stated one before the server did. Numbers that the
// client sends, and their acknowledgement, are the same on both sides. Everything else passes as it came.
//
// A proxied flow is followed in the client's numbers. Its record holds each side's scale, no_scale for a side that does
// not scale; while the server has not answered, its word in FlowTable::offset() is the cookie.
// Sources: RFC 7323 2 (windows), RFC 2018 3 (SACK), RFC 1624 (checksums).
#pragma once
#include "dataplane/flow/window.hpp"
#include "dataplane/packet/segment.hpp"

namespace weir {

// What our SYN-ACK states: windows up to 16 MiB in steps of 256 bytes.
inline constexpr u8 proxy_scale = 8;
inline constexpr u32 tcp_header_bytes_max = 60;

// The window field of one side (0 the opener, 1 the replier) as the other side must see it. An open one stays open.
u16 translated_window(const FlowRecord& record, u32 from, u16 field);
// The window of a side in bytes, by its field.
u32 window_bytes(u32 scale, u16 field);

// follow_tcp() for a proxied flow, in the client's numbers and windows. `tcp` stays as it is.
TcpFate follow_translated(FlowRecord& record, u32 from, const u8* tcp, u32 header_bytes, u32 payload, u32 offset,
                          const TcpProfile& profile);
// Changes a segment, checksum included, into what the other side must see. `tcp` is a header of `header_bytes` that the
// parser has accepted.
void translate_segment(u8* tcp, u32 header_bytes, const FlowRecord& record, u32 from, u32 offset);
// The same for the header that an ICMP error quotes, in the numbers of the other side than `from`, its sender: back to
// what `from` sent. `bytes` of it are there, at least 8; `sum` is the error's own checksum. False where nothing that is
// quoted differs.
bool translate_quote(u8* tcp, u32 bytes, u8* sum, u32 from, u32 offset);

}  // namespace weir
