// TCP (RFC 9293), UDP (RFC 768) and RoCEv2 inside it (rdma.hpp), SCTP (RFC 9260) and every other protocol by number.
// Transport checksums are checksum.hpp's.
#include "dataplane/packet/layers.hpp"
#include "dataplane/packet/rdma.hpp"
#include "dataplane/packet/tcp_options.hpp"

namespace weir {
namespace {

Reason parse_tcp(Walk& walk) {
  if (walk.l4_bytes() < tcp_bytes_least) return Reason::tcp_header_bad;
  const u8* tcp = walk.l4();
  const u32 header_bytes = (tcp[12] >> 4) * 4u;
  if (header_bytes < tcp_bytes_least || header_bytes > walk.l4_bytes()) return Reason::tcp_header_bad;
  if (!tcp_options_hold(tcp + tcp_bytes_least, header_bytes - tcp_bytes_least)) return Reason::tcp_header_bad;
  walk.out.tcp_flags = tcp[13];
  if (!tcp_flags_hold(tcp[13])) return Reason::tcp_flags_bad;
  return walk.flow(FlowClass::tcp, load<u16>(tcp), load<u16>(tcp + 2), header_bytes);
}

// Order: source port, no fragments, a whole BTH, opcode, all else.
Reason parse_rdma(Walk& walk) {
  const u8* udp = walk.l4();
  if (load<u16>(udp) == 0) return Reason::port_zero;
  if (walk.datagram_bytes != 0) return Reason::roce_fragment;
  const u32 bytes = walk.l4_bytes() - udp_bytes;
  if (bytes < bth_bytes + icrc_bytes) return Reason::roce_header_bad;
  const Bth bth{udp + udp_bytes};
  u32 payload_bytes;
  if (const Reason doubt = judge_rdma(bth, bytes, payload_bytes); doubt != Reason::undecided) return doubt;
  return walk.rdma_flow(bth.target_qp(), bth.opcode(), udp_bytes + bth.form().header_bytes, payload_bytes);
}

// Bytes after the UDP length would be unseen by whoever reads the datagram, so the lengths must agree exactly.
Reason parse_udp(Walk& walk) {
  if (walk.l4_bytes() < udp_bytes) return Reason::udp_header_bad;
  const u8* udp = walk.l4();
  if (load_be16(udp + 4) != walk.l4_bytes()) return Reason::udp_header_bad;
  const u16 source = load_be16(udp), target = load_be16(udp + 2);
  const u16 least = walk.out.is_ipv4 ? dhcp4_port_least : dhcp6_port_least;
  if (target == roce_port) return parse_rdma(walk);
  if (is_tunnel(protocol_udp, target)) return source == 0 ? Reason::port_zero : parse_tunnel(walk);
  if (static_cast<u16>(source - least) > 1 || static_cast<u16>(target - least) > 1)
    return walk.flow(FlowClass::udp, load<u16>(udp), load<u16>(udp + 2), udp_bytes);
  walk.out.source_port = source;
  walk.out.target_port = target;
  return walk.link(PacketKind::dhcp, udp_bytes);
}

// INIT travels alone and with a tag of zero, everything else with a tag (RFC 9260 8.5.1).
Reason parse_sctp(Walk& walk) {
  constexpr u32 chunk_bytes_least = 4;
  constexpr u8 chunk_init = 1;
  if (walk.l4_bytes() < sctp_bytes + chunk_bytes_least) return Reason::sctp_header_bad;
  const u8* sctp = walk.l4();
  const u8* chunk = sctp + sctp_bytes;
  const u32 room = walk.l4_bytes() - sctp_bytes, bytes = load_be16(chunk + 2);
  if (bytes < chunk_bytes_least || bytes > room) return Reason::sctp_header_bad;
  const bool init = chunk[0] == chunk_init;
  if (init != (load<u32>(sctp + 4) == 0)) return Reason::sctp_header_bad;
  if (init && room > (bytes + 3) / 4 * 4) return Reason::sctp_header_bad;
  return walk.flow(FlowClass::sctp, load<u16>(sctp), load<u16>(sctp + 2), sctp_bytes);
}

Reason parse_other(Walk& walk) {
  u32 least = 0;
  switch (walk.out.protocol) {
    case protocol_igmp:
    case protocol_esp:
    case protocol_udp_lite: least = 8; break;
    case protocol_ah:
    case protocol_dccp: least = 12; break;
    default: break;
  }
  if (walk.l4_bytes() < least) return Reason::l4_header_bad;
  return walk.flow(FlowClass::ip, walk.out.protocol, walk.out.protocol, 0);
}

}  // namespace

Reason parse_transport(Walk& walk) {
  switch (walk.out.protocol) {
    case protocol_tcp: return parse_tcp(walk);
    case protocol_udp: return parse_udp(walk);
    case protocol_icmp: return walk.out.is_ipv4 ? parse_icmp4(walk) : Reason::icmp_header_bad;
    case protocol_icmp6: return walk.out.is_ipv4 ? Reason::icmp_header_bad : parse_icmp6(walk);
    case protocol_sctp: return parse_sctp(walk);
    default: return is_tunnel(walk.out.protocol, 0) ? parse_tunnel(walk) : parse_other(walk);
  }
}

// Kinds 0 and 1 are single bytes, every other option states its length (RFC 9293 3.1).
bool tcp_options_hold(const u8* options, u32 bytes) {
  return walk_options(options, bytes, [](const u8*) {});
}

Reason Walk::flow(FlowClass flow_class, u16 source_number, u16 target_number, u32 header_bytes) {
  const bool has_ports = flow_class == FlowClass::tcp || flow_class == FlowClass::udp || flow_class == FlowClass::sctp;
  if (has_ports) {
    if (source_number == 0 || target_number == 0) return Reason::port_zero;
    out.source_port = swap(source_number);
    out.target_port = swap(target_number);
  }
  bool swapped;
  out.kind = PacketKind::flow;
  out.key = make_key(out.source, source_number, out.target, target_number, scope(flow_class), swapped);
  out.source_is_a = !swapped;
  out.hash = hash_of(out.key, context.secret);
  out.payload_offset = static_cast<u16>(out.l4_offset + header_bytes);
  out.payload_bytes = l4_bytes() - header_bytes;
  return Reason::undecided;
}

Reason Walk::rdma_flow(u32 target_qp, u8 opcode, u32 header_bytes, u32 payload_bytes) {
  bool swapped;
  out.kind = PacketKind::flow;
  out.rdma_opcode = opcode;
  out.source_port = load_be16(l4());
  out.target_port = load_be16(l4() + 2);
  out.key = make_rdma_key(out.source, out.target, target_qp, scope(FlowClass::rdma), swapped);
  out.source_is_a = !swapped;
  out.hash = hash_of(out.key, context.secret);
  out.payload_offset = static_cast<u16>(out.l4_offset + header_bytes);
  out.payload_bytes = payload_bytes;
  return Reason::undecided;
}

Reason Walk::link(PacketKind kind, u32 header_bytes) {
  bool swapped;
  out.kind = kind;
  out.hash = hash_of(make_key(out.source, 0, out.target, 0, scope(FlowClass::ip), swapped), context.secret);
  out.payload_offset = static_cast<u16>(out.l4_offset + header_bytes);
  out.payload_bytes = l4_bytes() - header_bytes;
  return Reason::undecided;
}

}  // namespace weir
