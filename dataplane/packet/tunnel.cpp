// Tunnels: the header to the letter, then the packet inside from its first byte. A tunnel says where its inside ends,
// so whatever stands between that and the end of the inside is a doubt, but for an Ethernet frame's padding.
#include "dataplane/packet/layers.hpp"

namespace weir {
namespace {

constexpr u32 vxlan_bytes = 8, geneve_bytes_least = 8, gre_bytes_least = 4;

// The RFC 1071 sum of a whole with its checksum in it.
bool sum_holds(const u8* at, u32 bytes) {
  u64 sum = 0;
  for (; bytes >= 4; at += 4, bytes -= 4) sum += load<u32>(at);
  if (bytes >= 2) sum += load<u16>(at);
  if (bytes % 2 != 0) sum += at[bytes - 1];
  return sum != 0 && sum % 0xffff == 0;
}

// Whether the IP packet at `ip` says that it is shorter than the room it is in. The layer itself says so of longer
// ones.
bool leaves_bytes(const u8* ip, u32 room, u16 type) {
  if (type == ethertype_ipv4) return room >= ipv4_bytes_least && ip[0] >> 4 == 4 && load_be16(ip + 2) < room;
  return room >= ipv6_bytes && ip[0] >> 4 == 6 && ipv6_bytes + load_be16(ip + 4) < room;
}

// Goes inside: what was read so far is the outside, and what begins at `offset` is read as a packet at `place`.
Reason enter(Walk& walk, u32 offset, u16 type, u32 place) {
  Headers& out = walk.out;
  if (type != ethertype_ipv4 && type != ethertype_ipv6 && type != ethertype_bridged)
    return Reason::tunnel_payload_unknown;
  if (type != ethertype_bridged && leaves_bytes(walk.frame + offset, walk.end - offset, type))
    return Reason::tunnel_header_bad;
  const bool has_port = out.protocol == protocol_udp;
  const u16 target_port = has_port ? load_be16(walk.l4() + 2) : u16{0};
  out.outsides[out.tunnels++] = {out.source,    out.target,   walk.place, target_port,
                                 out.l4_offset, out.protocol, out.is_ipv4};
  out.is_ipv4 = false;
  out.protocol = 0;
  out.place = walk.place = place;
  walk.present = walk.end;
  if (type == ethertype_bridged) {
    walk.ethernet = offset;
    walk.tags = 0;
    return parse_ethernet(walk);
  }
  out.l3_offset = static_cast<u16>(offset);
  return type == ethertype_ipv4 ? parse_ipv4(walk) : parse_ipv6(walk);
}

Reason enter_unnumbered(Walk& walk, u32 offset, u16 type) {
  return enter(walk, offset, type, walk.place | place_unnumbered);
}

// The number of a network inside a network is its owner's affair, not this network's: policy's `vni` must not mean it.
Reason enter_network(Walk& walk, u32 offset, u16 type, u32 number) {
  if (in_network(walk.place)) return Reason::tunnel_too_deep;
  return enter(walk, offset, type, place_in_network(walk.place, number));
}

// RFC 7348 5: the I flag and nothing else.
Reason parse_vxlan(Walk& walk) {
  const u8* vxlan = walk.l4() + udp_bytes;
  if (walk.l4_bytes() < udp_bytes + vxlan_bytes) return Reason::tunnel_header_bad;
  if (load_be32(vxlan) != 0x0800'0000 || vxlan[7] != 0) return Reason::tunnel_header_bad;
  const u32 offset = walk.out.l4_offset + udp_bytes + vxlan_bytes;
  return enter_network(walk, offset, ethertype_bridged, load_be32(vxlan + 4) >> 8);
}

// RFC 8926 3.5: class, type, three reserved bits and a length in words. No critical option is known here.
bool geneve_options_hold(const u8* option, const u8* end) {
  constexpr u8 critical = 0x80, reserved = 0xe0;
  while (option < end) {
    if ((option[2] & critical) != 0 || (option[3] & reserved) != 0) return false;
    const u32 bytes = 4 + option[3] * 4u;
    if (bytes > static_cast<u32>(end - option)) return false;
    option += bytes;
  }
  return true;
}

// RFC 8926 3.4: version 0, no control message, no critical option, reserved bits zero.
Reason parse_geneve(Walk& walk) {
  const u8* geneve = walk.l4() + udp_bytes;
  if (walk.l4_bytes() < udp_bytes + geneve_bytes_least) return Reason::tunnel_header_bad;
  const u32 bytes = geneve_bytes_least + (geneve[0] & 0x3fu) * 4;
  if (geneve[0] >> 6 != 0 || geneve[1] != 0 || geneve[7] != 0) return Reason::tunnel_header_bad;
  if (walk.l4_bytes() < udp_bytes + bytes) return Reason::tunnel_header_bad;
  if (!geneve_options_hold(geneve + geneve_bytes_least, geneve + bytes)) return Reason::tunnel_header_bad;
  return enter_network(walk, walk.out.l4_offset + udp_bytes + bytes, load_be16(geneve + 2), load_be32(geneve + 4) >> 8);
}

// RFC 2784 2 and 2890 2: checksum, key and sequence number as the flags say; no routing, version 0, the rest zero.
Reason parse_gre(Walk& walk) {
  constexpr u16 has_checksum = 0x8000, has_key = 0x2000, has_sequence = 0x1000;
  if (walk.l4_bytes() < gre_bytes_least) return Reason::tunnel_header_bad;
  const u8* gre = walk.l4();
  const u16 flags = load_be16(gre);
  if ((flags & ~(has_checksum | has_key | has_sequence)) != 0) return Reason::tunnel_header_bad;
  u32 bytes = gre_bytes_least;
  for (const u16 flag : {has_checksum, has_key, has_sequence})
    if ((flags & flag) != 0) bytes += 4;
  if (walk.l4_bytes() < bytes) return Reason::tunnel_header_bad;
  if ((flags & has_checksum) != 0 && (load<u16>(gre + 6) != 0 || !sum_holds(gre, walk.l4_bytes())))
    return Reason::tunnel_header_bad;
  return enter_unnumbered(walk, walk.out.l4_offset + bytes, load_be16(gre + 2));
}

}  // namespace

// Order: depth, fragments (of a datagram that came in pieces the inside is not all in the first), the tunnel's header,
// what it carries, bytes left over, then the inside from its first layer.
Reason parse_tunnel(Walk& walk) {
  if (walk.out.tunnels == tunnels_max) return Reason::tunnel_too_deep;
  if (walk.datagram_bytes != 0) return Reason::tunnel_fragment;
  switch (walk.out.protocol) {
    case protocol_udp: return load_be16(walk.l4() + 2) == vxlan_port ? parse_vxlan(walk) : parse_geneve(walk);
    case protocol_gre: return parse_gre(walk);
    case protocol_ipv4: return enter_unnumbered(walk, walk.out.l4_offset, ethertype_ipv4);
    case protocol_ipv6: return enter_unnumbered(walk, walk.out.l4_offset, ethertype_ipv6);
    default: return enter_unnumbered(walk, walk.out.l4_offset, ethertype_bridged);
  }
}

// The list of segments and the options behind it fill the header. Other types of routing header have no form here: with
// no segments left they are not looked at (RFC 8200 4.4).
bool segment_routing_holds(const u8* header, u32 bytes) {
  constexpr u8 segment_routing = 4, pad_one = 0;
  if (header[2] != segment_routing) return true;
  u32 at = 8 + (header[4] + 1u) * 16;
  while (at < bytes) {
    if (header[at] == pad_one) {
      ++at;
      continue;
    }
    if (bytes - at < 2) return false;
    at += 2u + header[at + 1];
  }
  return at == bytes;
}

}  // namespace weir
