// The IPv6 layer of the general path: RFC 8200. The extension chain is bounded by its order: each header at most once,
// destination options once more after a routing header.
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
  if (protocol == protocol_destination_options) return reached < 2 ? 2 : reached == 3 ? 4 : 0;
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

// Order within one extension header: place, length, options or segments left.
ChainEnd walk_extensions(const u8* frame, u32 offset, u32 end, u8 protocol) {
  for (u32 place = 0; is_extension(protocol);) {
    if (protocol == protocol_fragment) return {Reason::fragment, protocol, offset};
    place = place_after(protocol, place);
    if (place == 0 || end - offset < 8) return {Reason::ipv6_extension_bad, protocol, offset};
    const u8* header = frame + offset;
    const u32 bytes = (header[1] + 1u) * 8;
    if (bytes > end - offset) return {Reason::ipv6_extension_bad, protocol, offset};
    if (protocol == protocol_routing) {
      if (header[3] != 0) return {Reason::ipv6_routing_header, protocol, offset};
      if (!segment_routing_holds(header, bytes)) return {Reason::ipv6_extension_bad, protocol, offset};
    } else if (const Reason doubt = judge_options(header + 2, header + bytes); doubt != Reason::undecided) {
      return {doubt, protocol, offset};
    }
    protocol = header[0];
    offset += bytes;
  }
  return {Reason::undecided, protocol, offset};
}

// Order: version, presence, jumbogram, hop limit, the chain from outside in, source, target, land, then the transport.
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
  if (chain.reason == Reason::fragment && walk.out.tunnels != 0) return Reason::tunnel_fragment;
  if (chain.reason != Reason::undecided) return chain.reason;
  const Reason addresses = judge_addresses(walk, ip);
  return addresses != Reason::undecided ? addresses : parse_transport(walk);
}

}  // namespace weir
