// The protocol numbers that the parser and the link rules tell apart, by the registries' names. Only numbers.
#pragma once
#include "dataplane/base/bytes.hpp"

namespace weir {

// IEEE 802 EtherTypes, host order. Below ethertype_least the field is an 802.3 length.
inline constexpr u16 ethertype_least = 0x0600;
inline constexpr u16 ethertype_ipv4 = 0x0800;
inline constexpr u16 ethertype_arp = 0x0806;
inline constexpr u16 ethertype_vlan = 0x8100;
inline constexpr u16 ethertype_service_vlan = 0x88a8;
inline constexpr u16 ethertype_ipv6 = 0x86dd;
inline constexpr u16 ethertype_bridged = 0x6558;         // an Ethernet frame, inside GRE and Geneve
inline constexpr u16 ethertype_slow_protocols = 0x8809;  // LACP, marker, OAM
inline constexpr u16 ethertype_roce_v1 = 0x8915;         // InfiniBand's own headers right behind Ethernet
inline constexpr u16 ethertype_lldp = 0x88cc;
inline constexpr u16 vlan_id_mask = 0x0fff;

inline constexpr u32 ethernet_bytes = 14;
inline constexpr u32 ethernet_bytes_least = 60;  // of a frame on the wire, without its FCS
inline constexpr u32 vlan_tag_bytes = 4;
inline constexpr u32 ipv4_bytes_least = 20;
inline constexpr u32 ipv6_bytes = 40;
inline constexpr u32 tcp_bytes_least = 20;
inline constexpr u32 udp_bytes = 8;
inline constexpr u32 icmp_bytes = 8;
inline constexpr u32 sctp_bytes = 12;

// IANA protocol numbers.
inline constexpr u8 protocol_hop_by_hop = 0;
inline constexpr u8 protocol_icmp = 1;
inline constexpr u8 protocol_igmp = 2;
inline constexpr u8 protocol_ipv4 = 4;
inline constexpr u8 protocol_tcp = 6;
inline constexpr u8 protocol_udp = 17;
inline constexpr u8 protocol_dccp = 33;
inline constexpr u8 protocol_ipv6 = 41;
inline constexpr u8 protocol_routing = 43;
inline constexpr u8 protocol_fragment = 44;
inline constexpr u8 protocol_gre = 47;
inline constexpr u8 protocol_esp = 50;
inline constexpr u8 protocol_ah = 51;
inline constexpr u8 protocol_icmp6 = 58;
inline constexpr u8 protocol_none = 59;
inline constexpr u8 protocol_destination_options = 60;
inline constexpr u8 protocol_sctp = 132;
inline constexpr u8 protocol_udp_lite = 136;
inline constexpr u8 protocol_ethernet = 143;

constexpr bool is_icmp_protocol(u8 protocol) { return protocol == protocol_icmp || protocol == protocol_icmp6; }

// IANA port numbers.
inline constexpr u16 vxlan_port = 4789;
inline constexpr u16 geneve_port = 6081;
inline constexpr u16 roce_port = 4791;

// TCP flags as they stand in the header's fourteenth byte.
inline constexpr u8 tcp_fin = 0x01, tcp_syn = 0x02, tcp_rst = 0x04, tcp_psh = 0x08;
inline constexpr u8 tcp_ack = 0x10, tcp_urg = 0x20, tcp_ece = 0x40, tcp_cwr = 0x80;

// DHCP's ports: RFC 2131 and RFC 8415.
inline constexpr u16 dhcp4_port_least = 67;  // server; 68 is the client
inline constexpr u16 dhcp6_port_least = 546; // client; 547 is the server

}  // namespace weir
