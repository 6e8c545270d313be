// The packet inside an ICMP error: as much of its headers as names its flow. Its lengths may exceed what is quoted, and
// its checksum and TTL are as the router left them, so those are not held against it; any other doubt is
// icmp_header_bad.
#include "dataplane/packet/layers.hpp"
#include "dataplane/packet/rdma.hpp"

namespace weir {
namespace {

constexpr u32 quoted_transport_bytes = 8;  // RFC 792; RFC 4443 quotes more
constexpr u32 quoted_rdma_bytes = 16;      // up to BTH's queue pair

// RoCEv2 by the queue pair that the quoted BTH names. Where so little is quoted that there is none, the error is right
// but says nothing of whom it concerns.
Reason key_of_rdma(Walk& walk, const Address& source, const Address& target, const u8* udp, u32 bytes) {
  if (load<u16>(udp) == 0) return Reason::icmp_header_bad;
  if (bytes < quoted_rdma_bytes) return Reason::icmp_unmatched;
  const Bth bth{udp + udp_bytes};
  if (bth.form().operation == 0 || bth.target_qp() == 0) return Reason::icmp_header_bad;
  bool swapped;
  walk.out.key = make_rdma_key(source, target, bth.target_qp(), walk.scope(FlowClass::rdma), swapped);
  walk.out.source_is_a = !swapped;
  walk.out.hash = hash_of(walk.out.key, walk.context.secret);
  return Reason::undecided;
}

// An error is never about an error (RFC 1122 3.2.2, RFC 4443 2.4 e).
// `bytes` of its transport are quoted.
Reason key_of_quote(Walk& walk, const Address& source, const Address& target, u8 protocol, const u8* transport,
                    u32 bytes) {
  FlowClass flow_class = FlowClass::ip;
  walk.out.quote_offset = static_cast<u16>(transport - walk.frame);
  if (is_roce(protocol, transport)) return key_of_rdma(walk, source, target, transport, bytes);
  u16 source_number = protocol, target_number = protocol;
  switch (protocol) {
    case protocol_tcp: flow_class = FlowClass::tcp; break;
    case protocol_udp: flow_class = FlowClass::udp; break;
    case protocol_sctp: flow_class = FlowClass::sctp; break;
    case protocol_icmp:
    case protocol_icmp6: {
      const IcmpForm form = icmp_form(walk.out.is_ipv4, transport[0]);
      if ((protocol == protocol_icmp) != walk.out.is_ipv4 || !form.is_flow) return Reason::icmp_header_bad;
      flow_class = walk.out.is_ipv4 ? FlowClass::icmp4 : FlowClass::icmp6;
      const IcmpNumbers numbers = icmp_numbers(walk.out.is_ipv4, transport);
      source_number = numbers.source, target_number = numbers.target;
      break;
    }
    default: break;
  }
  if (flow_class == FlowClass::tcp || flow_class == FlowClass::udp || flow_class == FlowClass::sctp) {
    source_number = load<u16>(transport);
    target_number = load<u16>(transport + 2);
    if (source_number == 0 || target_number == 0) return Reason::icmp_header_bad;
  }
  bool swapped;
  walk.out.key = make_key(source, source_number, target, target_number, walk.scope(flow_class), swapped);
  walk.out.source_is_a = !swapped;
  walk.out.hash = hash_of(walk.out.key, walk.context.secret);
  return Reason::undecided;
}

}  // namespace

Reason parse_quote4(Walk& walk, u32 offset) {
  const u32 bytes = walk.end - offset;
  const u8* ip = walk.frame + offset;
  if (bytes < ipv4_bytes_least || ip[0] >> 4 != 4) return Reason::icmp_header_bad;
  const u32 header_bytes = (ip[0] & 15u) * 4, total_bytes = load_be16(ip + 2);
  if (header_bytes < ipv4_bytes_least || total_bytes < header_bytes + quoted_transport_bytes ||
      bytes < header_bytes + quoted_transport_bytes)
    return Reason::icmp_header_bad;
  // The first fragment names its flow; a later one does not.
  const u16 fragment = load_be16(ip + 6);
  if ((fragment & 0x8000) != 0) return Reason::icmp_header_bad;
  if ((fragment & 0x1fff) != 0) return Reason::icmp_unmatched;
  const u8 source = ip[12], target = ip[16];
  if (source == 0 || source == 127 || source >= 224 || target == 0 || target == 127 || target >= 224)
    return Reason::icmp_header_bad;
  if (load<u32>(ip + 12) == load<u32>(ip + 16)) return Reason::icmp_header_bad;
  return key_of_quote(walk, Address::ipv4(load<u32>(ip + 12)), Address::ipv4(load<u32>(ip + 16)), ip[9],
                      ip + header_bytes, (bytes < total_bytes ? bytes : total_bytes) - header_bytes);
}

// A multicast target is no doubt here: packet-too-big answers those too (RFC 4443 2.4 e).
Reason parse_quote6(Walk& walk, u32 offset) {
  const u32 bytes = walk.end - offset;
  const u8* ip = walk.frame + offset;
  if (bytes < ipv6_bytes || ip[0] >> 4 != 6) return Reason::icmp_header_bad;
  const u32 whole_end = offset + ipv6_bytes + load_be16(ip + 4);
  const u32 end = whole_end < walk.end ? whole_end : walk.end;
  const ChainEnd chain = walk_extensions(walk.frame, offset + ipv6_bytes, end, ip[6]);
  if (chain.reason == Reason::undecided && chain.fragment_at != 0 &&
      (load_be16(walk.frame + chain.fragment_at + 2) & 0xfff8) != 0)
    return Reason::icmp_unmatched;
  if (chain.reason != Reason::undecided || end - chain.offset < quoted_transport_bytes) return Reason::icmp_header_bad;
  const Address source = Address::ipv6(ip + 8), target = Address::ipv6(ip + 24);
  const u64 one = swap(u64{1});
  if (ip[8] == 0xff || target.is_ipv4() || source == target) return Reason::icmp_header_bad;
  if ((source.high == 0 && (source.low == 0 || source.low == one)) ||
      (target.high == 0 && (target.low == 0 || target.low == one)))
    return Reason::icmp_header_bad;
  return key_of_quote(walk, source, target, chain.protocol, walk.frame + chain.offset, end - chain.offset);
}

}  // namespace weir
