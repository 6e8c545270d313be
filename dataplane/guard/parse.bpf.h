// A frame to what the guard judges: Ethernet, at most two VLAN tags, ARP, IPv4 without options, IPv6 without extension
// headers, TCP, UDP, SCTP, ICMP, and other protocols by number. Whatever else there is ends as a reason: the guard
// follows less than the dataplane, and what it does not follow it drops.
#pragma once
#include <linux/bpf.h>
#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>

#include "dataplane/guard/layout.hpp"
#include <guard_reasons.h>

typedef __u8 u8;
typedef __u16 u16;
typedef __u32 u32;
typedef __u64 u64;
#define part static __always_inline

enum guard_kind { kind_flow, kind_error, kind_arp, kind_nd, kind_ra, kind_dhcp };
enum { class_tcp, class_udp, class_icmp4, class_icmp6, class_sctp, class_ip };  // weir::FlowClass
enum { tcp_fin = 1, tcp_syn = 2, tcp_rst = 4, tcp_ack = 16, tcp_urg = 32 };

struct seen {
  struct guard_address source, target;  // of an ICMP error what it quotes, of ARP sender and target
  struct guard_address claimed;         // of a neighbour advertisement
  u64 mac;                              // source
  u32 vlans, bytes, payload;            // VLANs, frame, transport payload
  u32 packets;                          // frames on the wire
  u16 source_number, target_number;     // wire order
  u8 protocol, kind, flow_class, is_ipv4, tcp_flags, icmp_type, icmp_code, is_reply;
};

#define has(type, at, end) ((void*)(at) + sizeof(type) <= (end))

struct ethernet { u8 target[6], source[6]; u16 type; } __attribute__((packed));
struct tag { u16 tci, type; };
struct ipv4 {
  u8 form, tos;
  u16 total, id, fragment;
  u8 ttl, protocol;
  u16 sum;
  u32 source, target;
} __attribute__((packed));
struct ipv6 {
  u32 form;
  u16 payload;
  u8 protocol, hops;
  u64 source[2], target[2];
} __attribute__((packed));
struct ports { u16 source, target; };
struct tcp {
  u16 source, target;
  u32 number, answer;
  u8 offset, flags;
  u16 window, sum, urgent;
} __attribute__((packed));
struct udp { u16 source, target, bytes, sum; };
struct icmp { u8 type, code; u16 sum, id, sequence; };
struct arp {
  u16 hardware, protocol; u8 hardware_bytes, protocol_bytes; u16 act;
  u8 sender_mac[6]; u32 sender; u8 target_mac[6]; u32 target;
} __attribute__((packed));

part u64 mac_number(const u8* at) {
  u64 number = 0;
  for (int i = 0; i < 6; ++i) number |= (u64)at[i] << (8 * i);
  return number;
}

part int is_tunnel(u8 protocol) { return protocol == 4 || protocol == 41 || protocol == 47 || protocol == 143; }

part int read_arp(struct seen* seen, void* at, void* end) {
  struct arp* arp = at;
  if (!has(struct arp, arp, end)) return reason_truncated;
  if (arp->hardware != bpf_htons(1) || arp->protocol != bpf_htons(0x0800) || arp->hardware_bytes != 6 ||
      arp->protocol_bytes != 4 || (arp->act != bpf_htons(1) && arp->act != bpf_htons(2)) ||
      mac_number(arp->sender_mac) != seen->mac)
    return reason_arp_malformed;
  seen->kind = kind_arp;
  seen->is_ipv4 = 1;
  seen->source = (struct guard_address){~0ull, arp->sender};
  seen->target = (struct guard_address){~0ull, arp->target};
  return 0;
}

part int tcp_flags_hold(u8 flags) {
  if (flags & tcp_syn) return !(flags & (tcp_fin | tcp_rst | tcp_urg));
  if (flags & tcp_rst) return !(flags & (tcp_fin | tcp_urg));
  return flags & tcp_ack;
}

// `left`: bytes of the IP packet from `at` on.
part int read_tcp(struct seen* seen, void* at, void* end, u32 left) {
  struct tcp* tcp = at;
  if (!has(struct tcp, tcp, end) || left < sizeof *tcp) return reason_tcp_header_bad;
  const u32 header = (tcp->offset >> 4) * 4;
  if (header < sizeof *tcp || header > left) return reason_tcp_header_bad;
  if (!tcp_flags_hold(tcp->flags)) return reason_tcp_flags_bad;
  seen->flow_class = class_tcp;
  seen->source_number = tcp->source;
  seen->target_number = tcp->target;
  seen->tcp_flags = tcp->flags;
  seen->payload = left - header;
  return tcp->source && tcp->target ? 0 : reason_port_zero;
}

part int read_udp(struct seen* seen, void* at, void* end, u32 left) {
  struct udp* udp = at;
  if (!has(struct udp, udp, end) || left < sizeof *udp || bpf_ntohs(udp->bytes) != left) return reason_udp_header_bad;
  seen->flow_class = class_udp;
  seen->source_number = udp->source;
  seen->target_number = udp->target;
  seen->payload = left - sizeof *udp;
  if (!udp->source || !udp->target) return reason_port_zero;
  const u16 from = bpf_ntohs(udp->source), to = bpf_ntohs(udp->target);
  const u16 least = seen->is_ipv4 ? 67 : 546;
  if ((u16)(from - least) < 2 && (u16)(to - least) < 2) seen->kind = kind_dhcp;
  // VXLAN, Geneve, RoCEv2 and Ultra Ethernet: what is inside is for the dataplane.
  if (to == 4789 || to == 6081 || to == 4791 || to == 4793) return reason_guard_unenforced;
  return 0;
}

// A whole first chunk; INIT alone, and it alone without a tag.
part int read_sctp(struct seen* seen, void* at, void* end, u32 left) {
  struct ports* ports = at;
  if (at + 16 > end || left < 16) return reason_sctp_header_bad;
  const u32 room = left - 12, bytes = bpf_ntohs(*(u16*)(at + 14)), is_init = *(u8*)(at + 12) == 1;
  if (bytes < 4 || bytes > room || is_init != (*(u32*)(at + 4) == 0)) return reason_sctp_header_bad;
  if (is_init && room > (bytes + 3) / 4 * 4) return reason_sctp_header_bad;
  seen->flow_class = class_sctp;
  seen->source_number = ports->source;
  seen->target_number = ports->target;
  seen->payload = left - 12;
  return ports->source && ports->target ? 0 : reason_port_zero;
}

// The first 8 bytes of what an ICMP error quotes, as a packet of its own.
part int read_quoted_ports(struct seen* seen, void* at, void* end, u8 protocol) {
  struct icmp* icmp = at;
  if (!has(struct icmp, icmp, end)) return reason_icmp_header_bad;
  struct ports* ports = at;
  seen->protocol = protocol;
  if (protocol == 6 || protocol == 17 || protocol == 132) {
    seen->flow_class = protocol == 6 ? class_tcp : protocol == 17 ? class_udp : class_sctp;
    seen->source_number = ports->source;
    seen->target_number = ports->target;
    return 0;
  }
  const u8 asks = seen->is_ipv4 ? 8 : 128, answers = seen->is_ipv4 ? 0 : 129;
  if (protocol != (seen->is_ipv4 ? 1 : 58) || (icmp->type != asks && icmp->type != answers))
    return reason_icmp_unmatched;
  seen->flow_class = seen->is_ipv4 ? class_icmp4 : class_icmp6;
  seen->source_number = icmp->type == asks ? icmp->id : bpf_htons(asks);
  seen->target_number = icmp->type == asks ? bpf_htons(asks) : icmp->id;
  return 0;
}

part int read_quote4(struct seen* seen, void* at, void* end) {
  struct ipv4* ip = at;
  const u64 target = seen->target.low;
  if (!has(struct ipv4, ip, end) || ip->form != 0x45 || (ip->fragment & bpf_htons(0x1fff)))
    return reason_icmp_header_bad;
  if (ip->source != target) return reason_icmp_unmatched;
  seen->kind = kind_error;
  seen->source.low = ip->source;
  seen->target.low = ip->target;
  return read_quoted_ports(seen, at + sizeof *ip, end, ip->protocol);
}

part int read_quote6(struct seen* seen, void* at, void* end) {
  struct ipv6* ip = at;
  if (!has(struct ipv6, ip, end) || (ip->form & bpf_htonl(0xf0000000)) != bpf_htonl(0x60000000))
    return reason_icmp_header_bad;
  if (ip->source[0] != seen->target.high || ip->source[1] != seen->target.low) return reason_icmp_unmatched;
  seen->kind = kind_error;
  seen->source = (struct guard_address){ip->source[0], ip->source[1]};
  seen->target = (struct guard_address){ip->target[0], ip->target[1]};
  return read_quoted_ports(seen, at + sizeof *ip, end, ip->protocol);
}

part int read_echo(struct seen* seen, struct icmp* icmp, u8 asks, u8 answers) {
  const int is_question = icmp->type == asks;
  if (icmp->code != 0 || (!is_question && icmp->type != answers)) return reason_guard_unenforced;
  seen->is_reply = !is_question;
  seen->source_number = is_question ? icmp->id : bpf_htons(asks);
  seen->target_number = is_question ? bpf_htons(asks) : icmp->id;
  return 0;
}

part int read_icmp4(struct seen* seen, void* at, void* end, u32 left) {
  struct icmp* icmp = at;
  if (!has(struct icmp, icmp, end) || left < sizeof *icmp) return reason_icmp_header_bad;
  seen->flow_class = class_icmp4;
  seen->icmp_type = icmp->type;
  seen->icmp_code = icmp->code;
  seen->payload = left - sizeof *icmp;
  if (icmp->type == 5) return reason_link_redirect;
  if (icmp->type == 3 || icmp->type == 11 || icmp->type == 12)
    return read_quote4(seen, at + sizeof *icmp, end);
  return read_echo(seen, icmp, 8, 0);
}

part int read_icmp6(struct seen* seen, void* at, void* end, u32 left, u8 hops) {
  struct icmp* icmp = at;
  if (!has(struct icmp, icmp, end) || left < sizeof *icmp) return reason_icmp_header_bad;
  seen->flow_class = class_icmp6;
  seen->icmp_type = icmp->type;
  seen->icmp_code = icmp->code;
  seen->payload = left - sizeof *icmp;
  if (icmp->type == 137) return reason_link_redirect;
  if (icmp->type >= 133 && icmp->type <= 136) {
    if (hops != 255 || icmp->code != 0) return reason_link_nd_bad;
    seen->kind = icmp->type >= 135 ? kind_nd : kind_ra;
    if (icmp->type == 136) {
      u64* claimed = at + 8;
      if (at + 24 > end || left < 24) return reason_link_nd_bad;
      seen->claimed = (struct guard_address){claimed[0], claimed[1]};
    }
    return 0;
  }
  if (icmp->type >= 1 && icmp->type <= 4) return read_quote6(seen, at + sizeof *icmp, end);
  return read_echo(seen, icmp, 128, 129);
}

part int read_transport(struct seen* seen, void* at, void* end, u32 left, u8 hops) {
  const u8 protocol = seen->protocol;
  if (protocol == 6) return read_tcp(seen, at, end, left);
  if (protocol == 17) return read_udp(seen, at, end, left);
  if (protocol == 132) return read_sctp(seen, at, end, left);
  if (protocol == 1 && seen->is_ipv4) return read_icmp4(seen, at, end, left);
  if (protocol == 58 && !seen->is_ipv4) return read_icmp6(seen, at, end, left, hops);
  if (is_tunnel(protocol)) return reason_guard_unenforced;
  if (protocol == 1 || protocol == 58) return reason_icmp_header_bad;
  // IGMP, ESP, UDP-Lite; AH, DCCP.
  const u32 least = protocol == 2 || protocol == 50 || protocol == 136 ? 8 : protocol == 51 || protocol == 33 ? 12 : 0;
  if (left < least) return reason_l4_header_bad;
  seen->flow_class = class_ip;
  seen->source_number = seen->target_number = bpf_htons(protocol);
  seen->payload = left;
  return 0;
}

part int read_ipv4(struct seen* seen, void* at, void* end, u32 left) {
  struct ipv4* ip = at;
  if (!has(struct ipv4, ip, end)) return reason_truncated;
  const u32 total = bpf_ntohs(ip->total);
  if ((ip->form >> 4) != 4 || (ip->form & 15) < 5 || total < sizeof *ip || (ip->fragment & bpf_htons(0x8000)))
    return reason_ipv4_header_bad;
  if (total > left) return reason_truncated;
  if (ip->form != 0x45) return reason_ipv4_option_bad;
  if (ip->fragment & bpf_htons(0x3fff)) return reason_fragment;
  if (ip->ttl == 0) return reason_ttl_zero;
  const u8 from = (u8)ip->source, to = (u8)ip->target;
  if (from == 0 || from >= 224 || from == 127) {
    if (ip->source != 0 || ip->target != ~0u) return reason_source_martian;  // DHCP asks without an address
  }
  if (to == 0 || to == 127) return reason_target_martian;
  if (ip->source == ip->target) return reason_land;
  seen->is_ipv4 = 1;
  seen->protocol = ip->protocol;
  seen->source = (struct guard_address){~0ull, ip->source};
  seen->target = (struct guard_address){~0ull, ip->target};
  const int reason = read_transport(seen, at + sizeof *ip, end, total - sizeof *ip, ip->ttl);
  if (reason == 0 && ip->source == 0 && seen->kind != kind_dhcp) return reason_source_martian;
  return reason;
}

part int read_ipv6(struct seen* seen, void* at, void* end, u32 left) {
  struct ipv6* ip = at;
  if (!has(struct ipv6, ip, end)) return reason_truncated;
  const u32 bytes = bpf_ntohs(ip->payload);
  if ((ip->form & bpf_htonl(0xf0000000)) != bpf_htonl(0x60000000)) return reason_ipv6_header_bad;
  if (bytes + sizeof *ip > left) return reason_truncated;
  if (ip->hops == 0) return reason_ttl_zero;
  const u64 one = bpf_cpu_to_be64(1);
  const int unspecified = ip->source[0] == 0 && ip->source[1] == 0;
  if ((u8)ip->source[0] == 0xff || (ip->source[0] == 0 && ip->source[1] == one)) return reason_source_martian;
  if (ip->target[0] == ~0ull || (ip->target[0] == 0 && (ip->target[1] == 0 || ip->target[1] == one)))
    return reason_target_martian;
  if (ip->source[0] == ip->target[0] && ip->source[1] == ip->target[1]) return reason_land;
  const u8 protocol = ip->protocol;
  if (protocol == 44) return reason_fragment;
  if (protocol == 43) return reason_ipv6_routing_header;
  if (protocol == 0 || protocol == 60)
    return reason_ipv6_extension_bad;
  seen->protocol = protocol;
  seen->source = (struct guard_address){ip->source[0], ip->source[1]};
  seen->target = (struct guard_address){ip->target[0], ip->target[1]};
  const int reason = read_transport(seen, at + sizeof *ip, end, bytes, ip->hops);
  if (reason == 0 && unspecified && seen->kind != kind_nd && seen->kind != kind_ra) return reason_source_martian;
  return reason;
}

// `outer` is a tag that the kernel took off the frame: its VLAN and 0x10000, or 0.
part int read_frame(struct seen* seen, void* at, void* end, u32 outer) {
  struct ethernet* ethernet = at;
  if (!has(struct ethernet, ethernet, end)) return reason_ethernet_short;
  seen->mac = mac_number(ethernet->source);
  if (seen->mac == 0 || (ethernet->source[0] & 1)) return reason_mac_source_invalid;
  u16 type = ethernet->type;
  u32 tags = outer ? 1 : 0;
  seen->vlans = outer & 0xfff;
  at += sizeof *ethernet;
  for (int i = 0; i < 3; ++i) {
    if (type != bpf_htons(0x8100) && type != bpf_htons(0x88a8)) break;
    struct tag* tag = at;
    if (!has(struct tag, tag, end)) return reason_truncated;
    if (tags == 2) return reason_vlan_too_deep;
    if (tags == 1 && type == bpf_htons(0x88a8)) return reason_vlan_stack_bad;
    const u32 vlan = bpf_ntohs(tag->tci) & 0xfff;
    if (vlan == 0xfff) return reason_vlan_id_reserved;
    if (tags == 1 && (vlan == 0 || seen->vlans == 0)) return reason_vlan_stack_bad;  // a priority tag stands alone
    seen->vlans |= vlan << (12 * tags);
    type = tag->type;
    ++tags;
    at += sizeof *tag;
  }
  const u32 left = seen->bytes - 14 - 4 * (tags - (outer ? 1 : 0));
  if (type == bpf_htons(0x0800)) return read_ipv4(seen, at, end, left);
  if (type == bpf_htons(0x86dd)) return read_ipv6(seen, at, end, left);
  if (type == bpf_htons(0x0806)) return read_arp(seen, at, end);
  if (bpf_ntohs(type) < 0x0600) return reason_ieee_802_3;
  return type == bpf_htons(0x88cc) || type == bpf_htons(0x8809) ? reason_link_local_protocol
                                                                : reason_ethertype_unknown;
}
