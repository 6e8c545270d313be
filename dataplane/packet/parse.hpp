// Frame bytes to Headers: Ethernet, up to two VLAN tags, ARP, IPv4 with options, IPv6 with a bounded extension
// chain, TCP, UDP, ICMP, ICMPv6, SCTP, and every other IP protocol by number. Every length is checked before what
// it covers is read; whatever is doubtful is a named drop. It reads no table and knows no policy.
//
// Sources: IEEE 802.3 and 802.1Q; RFC 826 (ARP), 791 and 1122 (IPv4), 8200 (IPv6), 9293 (TCP), 768 (UDP),
// 792 and 4443 (ICMP), 4861 (ND), 9260 (SCTP).
#pragma once
#include "dataplane/packet/key.hpp"
#include "dataplane/packet/reason.hpp"

#include <span>

namespace weir {

// How the pipeline treats a well-formed packet.
enum class PacketKind : u8 {
  flow,        // key, hash and ports describe the packet's own flow
  icmp_error,  // key, hash and source_is_a describe the QUOTED packet; all else the carrier
  arp,
  nd,          // NS, NA
  ra,          // RS, RA
  dhcp,        // v4 67/68, v6 546/547
};

struct Headers {
  FlowKey key;         // kind flow and icmp_error; zero otherwise
  u64 hash;            // of key, under the parser's HashKey; of the addresses for arp, nd, ra, dhcp
  Reason drop;         // undecided when well formed; otherwise nothing below is meaningful but what was reached
  PacketKind kind;
  bool source_is_a;    // the (quoted, for icmp_error) packet's source is endpoint a of the key
  bool is_ipv4;        // else IPv6, for kinds that have addresses
  u8 protocol;         // of the last header: 6, 17, 1, 58, 132, or any other; 0 for ARP. 59 is IPv6 without one
  u8 tcp_flags;        // FIN 01 SYN 02 RST 04 PSH 08 ACK 10 URG 20, ECE 40, CWR 80
  u8 icmp_type, icmp_code;
  u16 l3_offset;       // of the IP or ARP header in the frame
  u16 l4_offset;       // of the transport header
  u16 payload_offset;  // of the transport payload: after the ports' header, ICMP's first 8 bytes; l4_offset for others
  u16 source_port, target_port;  // host order: what the service lookup needs; 0 where there are none, also in errors
  u32 payload_bytes;  // transport payload by the IP length, without Ethernet padding
  Address source, target;  // of the frame's outermost IP header (or ARP sender and target), always the frame's own

  bool well_formed() const { return drop == Reason::undecided; }
};

struct ParseContext {
  HashKey secret;
  u32 pair;  // of the port the frames come from: part of the key
};

// Judges one frame from outside in and stops at the first doubt, so the reason of a frame with several is that of the
// outermost layer; within a layer the order stands at the function of its name (ethernet.cpp, ipv4.cpp, ipv6.cpp,
// transport.cpp, icmp.cpp, neighbour.cpp). Bytes after the IP packet are Ethernet padding and are not looked at,
// but for ARP and neighbour discovery.
//
// Never reads outside `frame`. The short cut (Ethernet, at most one VLAN tag, IPv4 without options or IPv6 without
// extension headers, TCP or UDP) reads 58 bytes for IPv4, 78 for IPv6, and TCP's options.
void parse_into(Headers& out, std::span<const std::byte> frame, const ParseContext& context);

inline Headers parse(std::span<const std::byte> frame, const ParseContext& context) {
  Headers headers;
  parse_into(headers, frame, context);
  return headers;
}

}  // namespace weir
