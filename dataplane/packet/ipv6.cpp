// The IPv6 layer of the general path: RFC 8200. The extension chain is bounded by its order: each header at most once,
// destination options once more after a routing or fragment header.
#include "dataplane/packet/layers.hpp"

namespace weir {
namespace {

// Padding must be zero (RFC 8504 5.3 lets a receiver insist). A jumbo payload contradicts the length already checked,
// and a home address would be a second source behind the checked one.
Reason judge_options(const u8* option, const u8* end) {
  constexpr u8 pad_one = 0, pad = 1, jumbo = 0xc2, home_address = 0xc9;
  for (u32 count = 1; option < end; ++count) {
    if (count > ipv6_options_max) return Reason::ipv6_options_many;
    if (*option == pad_one) {
      ++option;
      continue;
    }
    if (end - option < 2 || option[1] > end - option - 2) return Reason::ipv6_extension_bad;
    if (*option == jumbo) return Reason::ipv6_header_bad;
    if (*option == home_address) return Reason::ipv6_extension_bad;
    const u8* next = option + 2 + option[1];
    if (*option == pad)
      for (const u8* byte = option + 2; byte < next; ++byte)
        if (*byte != 0) return Reason::ipv6_extension_bad;
    option = next;
  }
  return Reason::undecided;
}

// Place of an extension header in the order of RFC 8200 4.1, or 0 when it is none or out of place after `reached`.
u32 place_after(u8 protocol, u32 reached) {
  if (protocol == protocol_hop_by_hop) return reached == 0 ? 1 : 0;
  if (protocol == protocol_destination_options) return reached < 2 ? 2 : reached == 3 || reached == 4 ? 5 : 0;
  if (protocol == protocol_fragment) return reached < 4 ? 4 : 0;
  return reached < 3 ? 3 : 0;  // routing
}

bool is_extension(u8 protocol) {
  return protocol == protocol_hop_by_hop || protocol == protocol_destination_options || protocol == protocol_routing ||
         protocol == protocol_fragment;
}

// The unspecified source is for a host that has no address yet: duplicate address detection, router solicitation,
// multicast listener reports (RFC 4861 4.1 and 4.3, RFC 3590).
bool may_be_unspecified(const Walk& walk) {
  if (walk.out.protocol != protocol_icmp6 || walk.l4_bytes() == 0) return false;
  const u8 type = *walk.l4();
  return type == 131 || type == 132 || type == 133 || type == 135 || type == 143;
}

Reason judge_addresses(const Walk& walk, const u8* ip) {
  const u64 one = swap(u64{1});
  const Address& source = walk.out.source;
  const Address& target = walk.out.target;
  if (ip[8] == 0xff) return Reason::source_martian;
  if (source.high == 0 && (source.low == one || (source.low == 0 && !may_be_unspecified(walk))))
    return Reason::source_martian;
  if (target.is_ipv4() || (target.high == 0 && (target.low == 0 || target.low == one))) return Reason::target_martian;
  return source == target ? Reason::land : Reason::undecided;
}

}  // namespace

// Order within one extension header: place, length, options or segments left. What a first fragment cuts off is tiny.
ChainEnd walk_extensions(const u8* frame, u32 offset, u32 end, u8 protocol) {
  u32 fragment_at = 0;
  for (u32 place = 0; is_extension(protocol);) {
    const Reason cut = fragment_at != 0 ? Reason::fragment_tiny : Reason::ipv6_extension_bad;
    place = place_after(protocol, place);
    if (place == 0) return {Reason::ipv6_extension_bad, protocol, offset, fragment_at};
    if (end - offset < 8) return {cut, protocol, offset, fragment_at};
    const u8* header = frame + offset;
    if (protocol == protocol_fragment) {
      fragment_at = offset;
      protocol = header[0];
      offset += 8;
      if ((load_be16(header + 2) & 0xfff8) != 0) break;
      continue;
    }
    const u32 bytes = (header[1] + 1u) * 8;
    if (bytes > end - offset) return {cut, protocol, offset, fragment_at};
    if (protocol == protocol_routing) {
      if (header[3] != 0) return {Reason::ipv6_routing_header, protocol, offset, fragment_at};
      if (!segment_routing_holds(header, bytes)) return {Reason::ipv6_extension_bad, protocol, offset, fragment_at};
    } else if (const Reason doubt = judge_options(header + 2, header + bytes); doubt != Reason::undecided) {
      return {doubt, protocol, offset, fragment_at};
    }
    protocol = header[0];
    offset += bytes;
  }
  return {Reason::undecided, protocol, offset, fragment_at};
}

// The chain of a first fragment must end in it, and leave room for any transport header (RFC 7112).
Reason parse_fragment6(Walk& walk, const ChainEnd& chain) {
  constexpr u32 transport_bytes_most = 64;
  const u8* header = walk.frame + chain.fragment_at;
  const u32 field = load_be16(header + 2) | (header[1] != 0 ? 2 : 0);
  const u32 chain_bytes = chain.offset - chain.fragment_at - 8;
  walk.out.protocol = header[0];
  walk.out.l4_offset = static_cast<u16>(chain.fragment_at + 8);
  const u32 before_bytes = chain.fragment_at - walk.out.l3_offset - ipv6_bytes;
  const Reason reason = parse_fragment(walk, load<u32>(header + 4), field, before_bytes);
  if (reason != Reason::undecided || (field & 0xfff8) != 0) return reason;
  if (walk.l4_bytes() < chain_bytes + transport_bytes_most) return Reason::fragment_tiny;
  return is_roce(chain.protocol, walk.frame + chain.offset) ? Reason::roce_fragment : reason;
}

// Order: version, presence, jumbogram, hop limit, the chain from outside in, source, target, land, fragment, then the
// transport.
Reason parse_ipv6(Walk& walk) {
  const u32 offset = walk.out.l3_offset;
  const u32 present = walk.present - offset;
  if (present < ipv6_bytes) return Reason::truncated;
  const u8* ip = walk.frame + offset;
  const u32 payload_bytes = load_be16(ip + 4);
  if (ip[0] >> 4 != 6) return Reason::ipv6_header_bad;
  if (payload_bytes > present - ipv6_bytes) return Reason::truncated;
  if (payload_bytes == 0 && ip[6] == protocol_hop_by_hop) return Reason::ipv6_header_bad;
  walk.out.source = Address::ipv6(ip + 8);
  walk.out.target = Address::ipv6(ip + 24);
  walk.end = offset + ipv6_bytes + payload_bytes;
  walk.hops = ip[7];
  if (walk.hops == 0) return Reason::ttl_zero;
  const ChainEnd chain = walk_extensions(walk.frame, offset + ipv6_bytes, walk.end, ip[6]);
  walk.out.protocol = chain.protocol;
  walk.out.l4_offset = static_cast<u16>(chain.offset);
  if (chain.fragment_at != 0 && walk.out.tunnels != 0) return Reason::tunnel_fragment;
  if (chain.reason != Reason::undecided) return chain.reason;
  const Reason addresses = judge_addresses(walk, ip);
  if (addresses != Reason::undecided) return addresses;
  if (chain.fragment_at == 0) return parse_transport(walk);
  if (walk.datagram_bytes == 0) return parse_fragment6(walk, chain);
  walk.end = chain.fragment_at + 8 + walk.datagram_bytes;
  return parse_transport(walk);
}

}  // namespace weir
