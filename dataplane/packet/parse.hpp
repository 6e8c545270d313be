// Frame bytes to Headers: Ethernet, up to two VLAN tags, ARP, IPv4 with options, IPv6 with a bounded extension
// chain, TCP, UDP, ICMP, ICMPv6, SCTP, and every other IP protocol by number; and, in a tunnel that it knows
// (tunnel.cpp), all of that once more. Every length is checked before what it covers is read; whatever is doubtful is a
// named drop. It reads no table and knows no policy.
//
// Sources: IEEE 802.3 and 802.1Q; RFC 826 (ARP), 791 and 1122 (IPv4), 8200 (IPv6), 9293 (TCP), 768 (UDP),
// 792 and 4443 (ICMP), 4861 (ND), 9260 (SCTP).
// RDMA (RoCEv2): InfiniBand Architecture Specification volume 1, 9.2 to 9.3, and its annex A17.
// Tunnels: 7348 (VXLAN), 8926 (Geneve), 2784 and 2890 (GRE), 2003, 2473 and 4213 (IP in IP), 8754 and 8986 (SRv6).
#pragma once
#include "dataplane/base/limits.hpp"
#include "dataplane/packet/key.hpp"
#include "dataplane/packet/numbers.hpp"
#include "dataplane/packet/reason.hpp"

#include <span>

namespace weir {

inline constexpr u8 rdma_opcode_none = 0xff;  // what is not RoCEv2

// How the pipeline treats a well-formed packet.
enum class PacketKind : u8 {
  flow,        // key, hash and ports describe the packet's own flow
  icmp_error,  // key, hash and source_is_a describe the QUOTED packet; all else the carrier
  arp,
  nd,          // NS, NA
  ra,          // RS, RA
  dhcp,        // v4 67/68, v6 546/547
  fragment,    // a piece of a datagram: key names that, payload is the piece
};

// The packet around a tunnel, as far as policy asks.
struct Outside {
  Address source, target;
  u32 place;        // where these addresses are: of an outer tunnel's inside, when two are in each other
  u16 target_port;  // host order; 0 without ports
  u16 l4_offset;    // of what carries the tunnel
  u8 protocol;      // 17, 47, 4, 41 or 143
  bool is_ipv4;
};

// Of the innermost packet, but for `outsides`.
struct Headers {
  FlowKey key;         // kind flow and icmp_error; zero otherwise, but for kind fragment: see below
  u64 hash;            // of key, under the parser's HashKey; of the addresses for arp, nd, ra, dhcp, fragment
  Reason drop;         // undecided when well formed; otherwise nothing below is meaningful but what was reached
  PacketKind kind;
  bool source_is_a;    // the (quoted, for icmp_error) packet's source is endpoint a of the key
  bool is_ipv4;        // else IPv6, for kinds that have addresses
  u8 protocol;         // of the last header: 6, 17, 1, 58, 132, or any other; 0 for ARP. 59 is IPv6 without one
  u8 tcp_flags;        // FIN 01 SYN 02 RST 04 PSH 08 ACK 10 URG 20, ECE 40, CWR 80
  u8 icmp_type, icmp_code;
  u16 l3_offset;       // of the IP or ARP header in the frame
  u16 l4_offset;       // of the transport header
  u16 quote_offset;    // of the quoted packet's transport header, kind icmp_error; else 0
  u16 payload_offset;  // of the transport payload: after the ports' header, ICMP's first 8 bytes; l4_offset for others;
                       // of RoCEv2 after all of InfiniBand's headers
  u16 source_port, target_port;  // host order: what the service lookup needs; 0 where there are none, also in errors
  u16 fragment;        // kind fragment: where the piece begins in the payload, a multiple of 8, and 1 where more follow
  u8 tunnels;          // around the packet; 0 for nearly every one
  u8 rdma_opcode = rdma_opcode_none;  // kind flow: of RoCEv2 (rdma.hpp), whose BTH stands behind the UDP header
  u32 payload_bytes;  // transport payload by the IP length, without Ethernet padding; of RoCEv2 without pad and ICRC
  Address source, target;  // of the IP header (or ARP sender and target), in an ICMP error the carrier's
  u32 place;               // FlowKey::place(); set where tunnels is not 0
  Outside outsides[tunnels_max];  // from the wire inward; `tunnels` of them are set

  // Kind fragment: the key's a is the source, b the target, their numbers the identification as it stands on the wire
  // (a_number first), its scope that of FlowClass::ip; protocol is what the fragment says it is a piece of.

  bool well_formed() const { return drop == Reason::undecided; }
};

struct ParseContext {
  const HashKey& secret;  // the caller's: copying it would cost each packet as much as the hash
  u32 pair;  // of the port the frames come from: part of the key
};

// Whether what a packet of this protocol and target port (host order) carries is a packet itself. The registered ports
// alone: what uses others is payload.
constexpr bool is_tunnel(u8 protocol, u16 target_port) {
  if (protocol == protocol_udp) return target_port == vxlan_port || target_port == geneve_port;
  return protocol == protocol_ipv4 || protocol == protocol_ipv6 || protocol == protocol_gre ||
         protocol == protocol_ethernet;
}

// Judges one frame from outside in and stops at the first doubt, so the reason of a frame with several is that of the
// outermost layer; within a layer the order stands at the function of its name (ethernet.cpp, ipv4.cpp, ipv6.cpp,
// transport.cpp, tunnel.cpp, icmp.cpp, neighbour.cpp). Bytes after the IP packet are Ethernet padding and are not
// looked at, but for ARP and neighbour discovery.
//
// Never reads outside `frame`. The short cut (Ethernet, at most one VLAN tag, IPv4 without options or IPv6 without
// extension headers, TCP or UDP) reads 58 bytes for IPv4, 78 for IPv6, and TCP's options.
void parse_into(Headers& out, std::span<const std::byte> frame, const ParseContext& context);

// A whole datagram by the frame of its first fragment, as if it stood there unfragmented with `payload_bytes` after its
// IP header (IPv6: after its fragment header). The frame is one that parse_into() calls a first fragment.
void parse_datagram(Headers& out, std::span<const std::byte> frame, u32 payload_bytes, const ParseContext& context);

inline Headers parse(std::span<const std::byte> frame, const ParseContext& context) {
  Headers headers;
  parse_into(headers, frame, context);
  return headers;
}

}  // namespace weir
