// Ethernet, VLAN tags and ARP. Link-local control and whatever has no place here ends at this layer.
#include "dataplane/packet/layers.hpp"

namespace weir {
namespace {

constexpr u64 mac_mask = 0xffff'ffff'ffff;

// 01:80:c2:00:00:00 to :0f, which no bridge forwards (802.1Q, 8.6.3).
bool is_link_local_mac(u64 mac) { return (mac & 0xf0ff'ffff'ffff) == 0x0000'00c2'8001; }

// Frames shorter than 60 bytes are padded on the wire; a tag may have been added after that.
bool arp_padding_holds(const Walk& walk, u32 arp_end) {
  const u32 frame_bytes = walk.present - walk.ethernet;
  if (frame_bytes > ethernet_bytes_least + walk.tags * vlan_tag_bytes && walk.present > arp_end) return false;
  u8 seen = 0;
  for (u32 at = arp_end; at < walk.present; ++at) seen |= walk.frame[at];
  return seen == 0;
}

// Bridges and hosts disagree on what a frame with a priority tag beside another tag is (CVE-2021-27853 and its kin), so
// that a frame has either one priority tag or up to two tags with a VLAN. A service tag stands outside (802.1Q, 9.5);
// two customer tags are what equipment older than service tags sends.
Reason parse_tags(Walk& walk, u32& type_offset, u16& type) {
  while (type == ethertype_vlan || type == ethertype_service_vlan) {
    if (walk.out.tunnels != 0) return Reason::tunnel_vlan;  // RFC 7348 6.1
    if (walk.tags == vlan_tags_max) return Reason::vlan_too_deep;
    if (walk.present < type_offset + 6) return Reason::truncated;
    const u16 id = load_be16(walk.frame + type_offset + 2) & vlan_id_mask;
    if (id == vlan_id_mask) return Reason::vlan_id_reserved;
    const bool beside_priority = walk.tags != 0 && (id == 0 || walk.place == 0);
    if (beside_priority || (walk.tags != 0 && type == ethertype_service_vlan)) return Reason::vlan_stack_bad;
    walk.place |= walk.tags == 0 ? place_of_vlans(id, 0) : place_of_vlans(0, id);
    ++walk.tags;
    type_offset += vlan_tag_bytes;
    type = load_be16(walk.frame + type_offset);
  }
  return Reason::undecided;
}

}  // namespace

// Order: length, source MAC, link-local target, tags from outside in, EtherType, the layer above.
Reason parse_ethernet(Walk& walk) {
  if (walk.present - walk.ethernet < ethernet_bytes) return Reason::ethernet_short;
  const u8* macs = walk.frame + walk.ethernet;
  const u64 source = load<u64>(macs + 6) & mac_mask;
  if (source == 0 || (source & 1) != 0) return Reason::mac_source_invalid;
  if (is_link_local_mac(load<u64>(macs))) return Reason::link_local_protocol;
  u32 type_offset = walk.ethernet + 12;
  u16 type = load_be16(walk.frame + type_offset);
  if (const Reason reason = parse_tags(walk, type_offset, type); reason != Reason::undecided) return reason;
  walk.out.l3_offset = static_cast<u16>(type_offset + 2);
  switch (type) {
    case ethertype_ipv4: return parse_ipv4(walk);
    case ethertype_ipv6: return parse_ipv6(walk);
    case ethertype_arp: return parse_arp(walk);
    case ethertype_lldp:
    case ethertype_slow_protocols: return Reason::link_local_protocol;
    case ethertype_roce_v1: return Reason::roce_v1;
    default: return type < ethertype_least ? Reason::ieee_802_3 : Reason::ethertype_unknown;
  }
}

// RFC 826 as RFC 5227 uses it. Order: length, form and padding, sender, target. A sender of 0.0.0.0 is a probe, and
// a reply to a probe has that for its target.
Reason parse_arp(Walk& walk) {
  constexpr u32 arp_bytes = 28;
  constexpr u64 form = 0x0000'0406'0008'0100;  // hardware 1, protocol 0x0800, lengths 6 and 4, as loaded
  const u32 offset = walk.out.l3_offset;
  if (walk.present < offset + arp_bytes) return Reason::truncated;
  const u8* arp = walk.frame + offset;
  const u16 operation = load_be16(arp + 6);
  if ((load<u64>(arp) & mac_mask) != form || (operation != 1 && operation != 2)) return Reason::arp_malformed;
  if (std::memcmp(arp + 8, walk.frame + walk.ethernet + 6, 6) != 0) return Reason::arp_malformed;
  if (!arp_padding_holds(walk, offset + arp_bytes)) return Reason::arp_malformed;
  const u8* sender = arp + 14;
  const u8* target = arp + 24;
  walk.out.is_ipv4 = true;
  walk.out.source = Address::ipv4(load<u32>(sender));
  walk.out.target = Address::ipv4(load<u32>(target));
  const bool probe = operation == 1 && load<u32>(sender) == 0;
  const bool probe_reply = operation == 2 && load<u32>(target) == 0;
  if (!probe && (sender[0] == 0 || sender[0] == 127 || sender[0] >= 224)) return Reason::source_martian;
  if (!probe_reply && (target[0] == 0 || target[0] == 127)) return Reason::target_martian;
  walk.out.l4_offset = static_cast<u16>(offset + arp_bytes);
  walk.end = offset + arp_bytes;
  return walk.link(PacketKind::arp, 0);
}

}  // namespace weir
