// The IPv4 layer of the general path: RFC 791, and RFC 1122 3.2.1 for what a host may not send.
#include "dataplane/packet/layers.hpp"

namespace weir {
namespace {

u32 header_sum(const u8* header, u32 bytes) {
  u32 sum = 0;
  for (u32 at = 0; at < bytes; at += 2) sum += load<u16>(header + at);
  sum = (sum & 0xffff) + (sum >> 16);
  return (sum & 0xffff) + (sum >> 16);
}

// End of list, no-operation and router alert pass. Whatever steers or records the way is named apart.
Reason judge_options(const u8* option, const u8* end) {
  constexpr u8 end_of_list = 0, no_operation = 1, record_route = 7, loose = 131, strict = 137, router_alert = 148;
  Reason doubt = Reason::undecided;
  while (option < end) {
    const u8 type = *option;
    if (type == no_operation) {
      ++option;
      continue;
    }
    if (type == end_of_list) {
      for (; option < end; ++option)
        if (*option != 0) return Reason::ipv4_option_bad;
      return doubt;
    }
    if (end - option < 2 || option[1] < 2 || option[1] > end - option) return Reason::ipv4_option_bad;
    const bool routes = type == record_route || type == loose || type == strict;
    if (type == router_alert ? option[1] != 4 : !routes) return Reason::ipv4_option_bad;
    if (routes) doubt = Reason::ipv4_source_route;
    option += option[1];
  }
  return doubt;
}

// 0.0.0.0 is a source only for a DHCP client that asks everybody.
bool is_dhcp_client(const Walk& walk) {
  return walk.out.protocol == protocol_udp && walk.l4_bytes() >= 4 && walk.out.source == Address::ipv4(0) &&
         walk.out.target == Address::ipv4(~u32{0}) && load_be16(walk.l4()) == dhcp4_port_least + 1 &&
         load_be16(walk.l4() + 2) == dhcp4_port_least;
}

Reason judge_addresses(const Walk& walk, const u8* ip) {
  const u8 source = ip[12], target = ip[16];
  if (source == 127 || source >= 224) return Reason::source_martian;
  if (source == 0 && !is_dhcp_client(walk)) return Reason::source_martian;
  if (target == 0 || target == 127) return Reason::target_martian;
  if (walk.out.source == walk.out.target) return Reason::land;
  return Reason::undecided;
}

}  // namespace

// Order: version and lengths, presence, checksum, reserved flag, options, TTL, source, target, land, fragment, then the
// transport.
Reason parse_ipv4(Walk& walk) {
  const u32 offset = walk.out.l3_offset;
  const u32 present = walk.present - offset;
  if (present < ipv4_bytes_least) return Reason::truncated;
  const u8* ip = walk.frame + offset;
  const u32 header_bytes = (ip[0] & 15u) * 4;
  const u32 total_bytes = load_be16(ip + 2);
  if (ip[0] >> 4 != 4 || header_bytes < ipv4_bytes_least || total_bytes < header_bytes) return Reason::ipv4_header_bad;
  if (total_bytes > present) return Reason::truncated;
  walk.out.is_ipv4 = true;
  walk.out.protocol = ip[9];
  walk.out.source = Address::ipv4(load<u32>(ip + 12));
  walk.out.target = Address::ipv4(load<u32>(ip + 16));
  walk.out.l4_offset = static_cast<u16>(offset + header_bytes);
  walk.end = offset + total_bytes;
  walk.hops = ip[8];
  const u16 fragment = load_be16(ip + 6);
  if (header_sum(ip, header_bytes) != 0xffff) return Reason::ipv4_checksum_bad;
  if ((fragment & 0x8000) != 0) return Reason::ipv4_header_bad;
  const Reason options = judge_options(ip + ipv4_bytes_least, ip + header_bytes);
  if (options != Reason::undecided) return options;
  if (walk.hops == 0) return Reason::ttl_zero;
  if ((fragment & 0x3fff) != 0 && walk.out.tunnels != 0) return Reason::tunnel_fragment;
  const Reason addresses = judge_addresses(walk, ip);
  if (addresses != Reason::undecided) return addresses;
  if ((fragment & 0x3fff) == 0) return parse_transport(walk);
  if (walk.datagram_bytes == 0) {
    if ((fragment & 0x4000) != 0) return Reason::fragment_bad;
    const u32 field = (fragment & 0x1fffu) * 8 + (fragment >> 13 & 1);
    const Reason reason = parse_fragment(walk, load<u16>(ip + 4), field, header_bytes);
    const bool shows_ports = reason == Reason::undecided && (fragment & 0x1fff) == 0;
    return shows_ports && is_roce(walk.out.protocol, walk.l4()) ? Reason::roce_fragment : reason;
  }
  walk.end = walk.out.l4_offset + walk.datagram_bytes;
  return parse_transport(walk);
}

}  // namespace weir
