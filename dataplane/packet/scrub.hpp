// Fields of a packet that hardly anybody needs and that a sender can fill as it likes, written over in place; every
// checksum over them stays right, or as wrong as it was. What it leaves as it is: addresses, ports, lengths, DSCP and
// ECN, TTL, sequence numbers, windows, and the IP header around a tunnel.
// Sources: RFC 6864 4 (identification), RFC 9293 3.1 (reserved bits, urgent pointer), RFC 6093 (urgent data is read in
// line), RFC 7323 3.2 (timestamps), RFC 6437 2 (flow label), RFC 1624 (checksums).
#pragma once
#include "dataplane/packet/parse.hpp"

namespace weir {

// Of a whole well-formed packet, kind flow or icmp_error, as it is about to leave; `bytes` of the frame are there. True
// when something has changed.
// IPv4: the identification is zero where the packet may not be fragmented; where it may, `identification` takes its
// place. IPv6: the flow label is zero.
// TCP: reserved bits are zero, nothing is urgent, and options are no-operations but for the segment size, window scale
// and permission of a SYN and the blocks of SACK: no timestamps, so that neither side uses them.
// An ICMP error: what it quotes is zero behind the first eight bytes of the quoted transport header; of RoCEv2 behind
// its first header, which names the queue pair.
// What stands behind the IP packet in a frame without tunnels is zero. RoCEv2, whose ICRC covers its IP header, is
// left as it is.
bool scrub(std::byte* frame, u32 bytes, const Headers& headers, u16 identification);

inline bool is_echo(const Headers& headers) {
  return headers.is_ipv4 ? headers.icmp_type == 0 || headers.icmp_type == 8
                         : headers.icmp_type == 128 || headers.icmp_type == 129;
}

// The payload of an echo or its reply becomes a pattern: byte i is i modulo 256. Its length stays, and so it still
// tells something. True when something has changed.
bool normalise_echo(std::byte* frame, const Headers& headers);

}  // namespace weir
