// The general path of the parser, one function a layer, each in the source file of its name. Every function names
// the first doubt it meets and returns it, or Reason::undecided when its layer and all above hold. Internal to
// dataplane/packet.
#pragma once
#include "dataplane/base/limits.hpp"
#include "dataplane/packet/numbers.hpp"
#include "dataplane/packet/parse.hpp"

namespace weir {

// One frame on its way through the layers.
//
// Invariants: ethernet <= l3_offset <= l4_offset <= end <= present once each is set; reads stay below `present`, and
// above the IP header below `end`. Inside a tunnel `present` is where the packet around it ends.
struct Walk {
  const u8* frame;
  u32 present;  // where what is there ends
  const ParseContext& context;
  Headers& out;
  u32 ethernet = 0;  // offset of the Ethernet header being read
  u32 tags = 0;      // VLAN tags behind it
  u32 place = 0;     // FlowKey::place(); a priority tag is 0, as no tag
  u32 end = 0;                    // where the IP packet ends; Ethernet padding follows
  u8 hops = 0;                    // TTL or hop limit
  u32 datagram_bytes = 0;         // of parse_datagram(): the payload; `end` is then the whole datagram's

  u32 l4_bytes() const { return end - out.l4_offset; }
  const u8* l4() const { return frame + out.l4_offset; }
  u32 scope(FlowClass flow_class) const { return FlowKey::scope_of(flow_class, context.pair, place); }
  // The packet is of an ordinary flow with these numbers (wire order), its transport header `header_bytes` long.
  Reason flow(FlowClass flow_class, u16 source_number, u16 target_number, u32 header_bytes);
  // The packet is RoCEv2 with this opcode, toward the queue pair of its target.
  Reason rdma_flow(u32 target_qp, u8 opcode, u32 header_bytes, u32 payload_bytes);
  // The packet is the link's own business: no key, and a hash of its two addresses.
  Reason link(PacketKind kind, u32 header_bytes);
};

Reason parse_ethernet(Walk& walk);
Reason parse_arp(Walk& walk);
Reason parse_ipv4(Walk& walk);
Reason parse_ipv6(Walk& walk);
Reason parse_transport(Walk& walk);
// Of a packet that is_tunnel().
Reason parse_tunnel(Walk& walk);
// A piece of a datagram, from out.l4_offset on. `identification` is as on the wire; `field` as IPv6 has it: offset in
// bytes, two reserved bits, and 1 where more follow; `before_bytes` of the whole datagram's length stand before it.
Reason parse_fragment(Walk& walk, u32 identification, u32 field, u32 before_bytes);
// Whether the transport header at `at`, of which 4 bytes are there, opens a RoCEv2 packet.
inline bool is_roce(u8 protocol, const u8* at) { return protocol == protocol_udp && load_be16(at + 2) == roce_port; }
Reason parse_icmp4(Walk& walk);
Reason parse_icmp6(Walk& walk);
Reason parse_neighbour(Walk& walk);
// The packet that an ICMP error quotes: frame bytes [offset, end). Sets key, hash and source_is_a.
Reason parse_quote4(Walk& walk, u32 offset);
Reason parse_quote6(Walk& walk, u32 offset);

// What an ICMP message must have to be a flow's own; errors, discovery and the deprecated are no flow's.
struct IcmpForm {
  u32 bytes_least;
  bool is_flow;
  bool has_identifier;  // two bytes at offset 4
};
IcmpForm icmp_form(bool is_ipv4, u8 type);

// What stands for ports in the key of an ICMP flow, in wire order: the identifier on the querier's side, the type of
// the query on the other, in either direction. So hosts that query each other by one identifier have two flows. Zero
// where the message has no identifier.
struct IcmpNumbers {
  u16 source, target;
};
IcmpNumbers icmp_numbers(bool is_ipv4, const u8* message);

bool tcp_flags_hold(u8 flags);
bool tcp_options_hold(const u8* options, u32 bytes);

// Where an IPv6 extension chain ends: the first header that is not an extension, and its protocol number; in a fragment
// that is not the first, what follows the fragment header.
struct ChainEnd {
  Reason reason;
  u8 protocol;
  u32 offset;
  u32 fragment_at = 0;  // of the fragment header in the frame; 0: none
};
// Whether a segment routing header, `bytes` long, is whole: RFC 8754 2.
bool segment_routing_holds(const u8* header, u32 bytes);

// Walks the chain in frame bytes [offset, end); `protocol` is the fixed header's next header.
ChainEnd walk_extensions(const u8* frame, u32 offset, u32 end, u8 protocol);

// The general path on its own: what parse_into() does when its short cut does not apply. The property tests compare.
void parse_general(Headers& out, std::span<const std::byte> frame, const ParseContext& context);

}  // namespace weir
