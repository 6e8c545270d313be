// Rows of tunnels. What is inside is judged by the rows of its own layer: here stands what a tunnel adds.
#pragma once
#include "tests/unit/parse_row.hpp"

namespace weir::test {

#define OUT "ip4 10.0.0.1 10.0.0.2 / "
#define VXLAN "ip4 10.0.0.1 10.0.0.2 / udp 50000 4789 / "
#define GENEVE "ip4 10.0.0.1 10.0.0.2 / udp 50000 6081 / "
#define LONG "ip4 10.9.0.1 10.9.0.2 total=40 / tcp 1024 443 S / zero 1"
#define IN "ip4 10.9.0.1 10.9.0.2 / tcp 1024 443 S"
inline constexpr ParseRow tunnel_rows[] = {
    {VXLAN "vxlan 100 / eth / " IN, "flow 6 1024>443 l3=64 l4=84 payload=104+0 tunnels=1 network=100"},
    {VXLAN "vxlan 0 / eth / " IN, "flow 6 1024>443 l3=64 l4=84 payload=104+0 tunnels=1 network=0"},
    {VXLAN "vxlan 16777215 / eth / " IN, "flow 6 1024>443 l3=64 l4=84 payload=104+0 tunnels=1 network=16777215"},
    {"vlan 5 / " VXLAN "vxlan 100 / eth / " IN, "flow 6 1024>443 l3=68 l4=88 payload=108+0 tunnels=1 network=100"},
    {"ip6 2001:db8::1 2001:db8::2 / udp 50000 4789 / vxlan 100 / eth / ip6 fd00::1 fd00::2 / udp 1 2 / zero 3",
     "flow 17 1>2 l3=84 l4=124 payload=132+3 tunnels=1 network=100 v6"},
    {VXLAN "vxlan 100 / eth / arp 1 10.9.0.1 10.9.0.2", "arp 0 0>0 l3=64 l4=92 payload=92+0 tunnels=1"},
    {VXLAN "vxlan 100 / eth / arp 1 10.9.0.1 10.9.0.2 / zero 18", "arp 0 0>0 l3=64 l4=92 payload=92+0 tunnels=1"},
    {VXLAN "vxlan 100 / eth / arp 1 10.9.0.1 10.9.0.2 / zero 19", "arp_malformed"},
    {VXLAN "vxlan 100 / eth / arp 1 10.9.0.1 10.9.0.2 / hex 01", "arp_malformed"},
    {VXLAN "vxlan 100 / eth source=02:00:00:00:00:07 / arp 1 10.9.0.1 10.9.0.2", "arp_malformed"},
    {VXLAN "vxlan 100 / eth / ip4 0.0.0.0 255.255.255.255 / udp 68 67 / zero 240",
     "dhcp 17 68>67 l3=64 l4=84 payload=92+240 tunnels=1"},
    {VXLAN "vxlan 100 / eth / ip6 fe80::1 ff02::1:ff00:2 hops=255 / icmp6 135 / hex fe800000000000000000000000000002",
     "nd 58 0>0 l3=64 l4=104 payload=112+16 tunnels=1 v6"},
    {VXLAN "vxlan 100 / eth / ip4 10.9.0.3 10.9.0.1 / icmp4 3 3 / ip4 10.9.0.1 10.9.0.2 / udp 40000 53",
     "icmp_error 1 0>0 l3=64 l4=84 payload=92+28 tunnels=1 network=100 quote=17:40000>53"},
    {"ip4 10.0.0.9 10.0.0.1 / icmp4 3 4 / " VXLAN "vxlan 100",
     "icmp_error 1 0>0 l3=14 l4=34 payload=42+36 quote=17:50000>4789"},
    {"ip4 10.0.0.9 10.0.0.1 / icmp4 3 4 / " OUT "gre / " IN,
     "icmp_error 1 0>0 l3=14 l4=34 payload=42+64 quote=47:47>47"},
    // VXLAN's header: the I flag, reserved bits, length; the port decides, not what looks like one.
    {VXLAN "vxlan 100 first=00000000 / eth / " IN, "tunnel_header_bad"},
    {VXLAN "vxlan 100 first=88000000 / eth / " IN, "tunnel_header_bad"},
    {VXLAN "vxlan 100 first=08000001 / eth / " IN, "tunnel_header_bad"},
    {VXLAN "vxlan 100 tail=01 / eth / " IN, "tunnel_header_bad"},
    {VXLAN "hex 08000000000064", "tunnel_header_bad"},
    {"ip4 10.0.0.1 10.0.0.2 / udp 50000 4789", "tunnel_header_bad"},
    {"ip4 10.0.0.1 10.0.0.2 / udp 0 4789 / vxlan 100 / eth / " IN, "port_zero"},
    {"ip4 10.0.0.1 10.0.0.2 / udp 50000 8472 / vxlan 100 / eth / " IN, "flow 17 50000>8472 l3=14 l4=34 payload=42+62"},
    {"ip4 10.0.0.1 10.0.0.2 / udp 4789 50000 / vxlan 100 / eth / " IN, "flow 17 4789>50000 l3=14 l4=34 payload=42+62"},
    {VXLAN "vxlan 100", "ethernet_short"},
    {VXLAN "vxlan 100 / eth type=0800 / zero 4", "truncated"},
    {VXLAN "vxlan 100 / eth source=01:00:00:00:00:01 / " IN, "mac_source_invalid"},
    {VXLAN "vxlan 100 / eth target=01:80:c2:00:00:0e / " IN, "link_local_protocol"},
    {VXLAN "vxlan 100 / eth type=0026 / hex aaaa030000000800 / " IN, "ieee_802_3"},
    {VXLAN "vxlan 100 / eth / vlan 5 / " IN, "tunnel_vlan"},
    {VXLAN "vxlan 100 / eth / vlan 0 / " IN, "tunnel_vlan"},
    // What is inside meets every rule of its layer.
    {VXLAN "vxlan 100 / eth / ip4 10.9.0.1 10.9.0.1 / tcp 1 1", "land"},
    {VXLAN "vxlan 100 / eth / ip4 127.0.0.1 10.9.0.1 / tcp 1 1", "source_martian"},
    {VXLAN "vxlan 100 / eth / ip4 10.9.0.1 127.0.0.1 / tcp 1 1", "target_martian"},
    {VXLAN "vxlan 100 / eth / ip4 10.9.0.1 10.9.0.2 fragment=2000 / tcp 1 1", "tunnel_fragment"},
    {VXLAN "vxlan 100 / eth / ip4 10.9.0.1 10.9.0.2 fragment=0001 / udp 1 1", "tunnel_fragment"},
    {VXLAN "vxlan 100 / eth / ip6 fd00::1 fd00::2 / fragment word=0001 / udp 1 1", "tunnel_fragment"},
    {VXLAN "vxlan 100 / eth / ip4 10.9.0.1 10.9.0.2 total=1000 / tcp 1 1", "truncated"},
    {VXLAN "vxlan 100 / eth / ip4 10.9.0.1 10.9.0.2 / tcp 1 1 none", "tcp_flags_bad"},
    {VXLAN "vxlan 100 / eth / ip4 10.9.0.3 10.9.0.1 / icmp4 5 1 / ip4 10.9.0.1 10.9.0.2 / udp 40000 53",
     "link_redirect"},
    // Geneve: options are bounded by their length and none may be critical.
    {GENEVE "geneve 100 / eth / " IN, "flow 6 1024>443 l3=64 l4=84 payload=104+0 tunnels=1 network=100"},
    {GENEVE "geneve 100 / " IN, "flow 6 1024>443 l3=50 l4=70 payload=90+0 tunnels=1 network=100"},
    {GENEVE "geneve 100 / ip6 fd00::1 fd00::2 / udp 1 2",
     "flow 17 1>2 l3=50 l4=90 payload=98+0 tunnels=1 network=100 v6"},
    {GENEVE "geneve 100 options=0102010155667788 / eth / " IN,
     "flow 6 1024>443 l3=72 l4=92 payload=112+0 tunnels=1 network=100"},
    {GENEVE "geneve 100 options=0102010001030100 / eth / " IN,
     "flow 6 1024>443 l3=72 l4=92 payload=112+0 tunnels=1 network=100"},
    {GENEVE "geneve 100 options=0102800155667788 / eth / " IN, "tunnel_header_bad"},  // critical
    {GENEVE "geneve 100 options=0102010255667788 / eth / " IN, "tunnel_header_bad"},  // longer than the options
    {GENEVE "geneve 100 options=0102012155667788 / eth / " IN, "tunnel_header_bad"},  // a reserved bit
    {GENEVE "geneve 100 first=00406558 / eth / " IN, "tunnel_header_bad"},            // critical options announced
    {GENEVE "geneve 100 first=00806558 / eth / " IN, "tunnel_header_bad"},            // a control message
    {GENEVE "geneve 100 first=00016558 / eth / " IN, "tunnel_header_bad"},
    {GENEVE "geneve 100 first=40006558 / eth / " IN, "tunnel_header_bad"},  // version 1
    {GENEVE "geneve 100 first=3f006558 / eth / " IN, "tunnel_header_bad"},
    {GENEVE "geneve 100 tail=01 / eth / " IN, "tunnel_header_bad"},
    {GENEVE "hex 00006558000064", "tunnel_header_bad"},
    {GENEVE "geneve 100 type=0806 / arp 1 10.9.0.1 10.9.0.2", "tunnel_payload_unknown"},
    {GENEVE "geneve 100 / " LONG, "tunnel_header_bad"},
    // GRE: checksum, key and sequence number; no routing, no version 1, nothing else.
    {OUT "gre / " IN, "flow 6 1024>443 l3=38 l4=58 payload=78+0 tunnels=1"},
    {OUT "gre / eth / " IN, "flow 6 1024>443 l3=52 l4=72 payload=92+0 tunnels=1"},
    {OUT "gre / ip6 fd00::1 fd00::2 / udp 1 2", "flow 17 1>2 l3=38 l4=78 payload=86+0 tunnels=1 v6"},
    {"vlan 5 / " OUT "gre / " IN, "flow 6 1024>443 l3=42 l4=62 payload=82+0 tunnels=1 vlans=5,0"},
    {OUT "gre flags=2000 more=00000064 / " IN, "flow 6 1024>443 l3=42 l4=62 payload=82+0 tunnels=1"},
    {OUT "gre flags=3000 more=0000006400000001 / " IN, "flow 6 1024>443 l3=46 l4=66 payload=86+0 tunnels=1"},
    {OUT "gre flags=8000 more=00000000 sum=1 / " IN, "flow 6 1024>443 l3=42 l4=62 payload=82+0 tunnels=1"},
    {OUT "gre flags=b000 more=000000000000006400000001 sum=1 / ip4 10.9.0.1 10.9.0.2 / udp 1 2 / zero 1",
     "flow 17 1>2 l3=50 l4=70 payload=78+1 tunnels=1"},
    {OUT "gre flags=8000 more=00000000 / " IN, "tunnel_header_bad"},
    {OUT "gre flags=8000 more=00000001 sum=1 / " IN, "tunnel_header_bad"},
    {OUT "gre flags=4000 more=00000000 / " IN, "tunnel_header_bad"},  // routing
    {OUT "gre flags=0001 / " IN, "tunnel_header_bad"},                // version 1
    {OUT "gre flags=3001 type=880b more=0000000000000000 / zero 20", "tunnel_header_bad"},  // PPTP
    {OUT "gre flags=0800 / " IN, "tunnel_header_bad"},
    {OUT "gre flags=0100 / " IN, "tunnel_header_bad"},
    {OUT "gre flags=0008 / " IN, "tunnel_header_bad"},
    {OUT "gre type=88be / zero 40", "tunnel_payload_unknown"},  // ERSPAN
    {OUT "gre type=0000", "tunnel_payload_unknown"},            // Cisco's keep-alive
    {OUT "gre flags=2000 / cut 0", "tunnel_header_bad"},
    {"ip4 10.0.0.1 10.0.0.2 proto=47 / zero 3", "tunnel_header_bad"},
    {OUT "gre / " LONG, "tunnel_header_bad"},
    {OUT "gre / eth / vlan 5 / " IN, "tunnel_vlan"},
    // IP in IP, in any two families, and Ethernet in IP.
    {OUT IN, "flow 6 1024>443 l3=34 l4=54 payload=74+0 tunnels=1"},
    {OUT "ip6 fd00::1 fd00::2 / udp 1 2", "flow 17 1>2 l3=34 l4=74 payload=82+0 tunnels=1 v6"},
    {"ip6 2001:db8::1 2001:db8::2 / " IN, "flow 6 1024>443 l3=54 l4=74 payload=94+0 tunnels=1"},
    {"ip6 2001:db8::1 2001:db8::2 / ip6 fd00::1 fd00::2 / udp 1 2",
     "flow 17 1>2 l3=54 l4=94 payload=102+0 tunnels=1 v6"},
    {"ip6 2001:db8::1 2001:db8::2 / eth / " IN, "flow 6 1024>443 l3=68 l4=88 payload=108+0 tunnels=1"},
    {"ip4 10.0.0.1 10.0.0.2 proto=41 / " IN " / zero 8", "ipv6_header_bad"},
    {"ip4 10.0.0.1 10.0.0.2 proto=4 / ip6 fd00::1 fd00::2 / udp 1 2", "ipv4_header_bad"},
    {"ip4 10.0.0.1 10.0.0.2 proto=4 / zero 19", "truncated"},
    {"ip4 10.0.0.1 10.0.0.2 proto=41 / zero 39", "truncated"},
    {OUT LONG, "tunnel_header_bad"},
    {OUT "ip6 fd00::1 fd00::2 length=8 / udp 1 2 length=8 / zero 1", "tunnel_header_bad"},
    // SRv6 at its last segment: a list that fills its header. With segments left it is dropped where it was before.
    {"ip6 2001:db8::1 2001:db8::2 / routing list=20010db8000000000000000000000002 / " IN,
     "flow 6 1024>443 l3=78 l4=98 payload=118+0 tunnels=1"},
    {"ip6 2001:db8::1 2001:db8::2 / routing list=20010db8000000000000000000000002 / ip6 fd00::1 fd00::2 / udp 1 2",
     "flow 17 1>2 l3=78 l4=118 payload=126+0 tunnels=1 v6"},
    {"ip6 2001:db8::1 2001:db8::2 / routing list=20010db8000000000000000000000002 / eth / " IN,
     "flow 6 1024>443 l3=92 l4=112 payload=132+0 tunnels=1"},
    {"ip6 2001:db8::1 2001:db8::2 / routing list=20010db80000000000000000000000020406000000000000 / " IN,
     "flow 6 1024>443 l3=86 l4=106 payload=126+0 tunnels=1"},
    {"ip6 2001:db8::1 2001:db8::2 / routing last=1 list=20010db8000000000000000000000002 / " IN, "ipv6_extension_bad"},
    {"ip6 2001:db8::1 2001:db8::2 / routing list=20010db80000000000000000000000020407000000000000 / " IN,
     "ipv6_extension_bad"},
    {"ip6 2001:db8::1 2001:db8::2 / routing list=20010db80000000000000000000000020000000000000004 / " IN,
     "ipv6_extension_bad"},
    {"ip6 2001:db8::1 2001:db8::2 / routing left=1 last=1 "
     "list=20010db800000000000000000000000220010db8000000000000000000000003 / " IN,
     "ipv6_routing_header"},
    // Two in each other, not three; and no numbered network inside another.
    {OUT "ip4 10.8.0.1 10.8.0.2 / " IN, "flow 6 1024>443 l3=54 l4=74 payload=94+0 tunnels=2"},
    {OUT "gre / ip4 10.8.0.1 10.8.0.2 / udp 5 4789 / vxlan 7 / eth / " IN,
     "flow 6 1024>443 l3=88 l4=108 payload=128+0 tunnels=2 network=7"},
    {VXLAN "vxlan 7 / eth / ip4 10.8.0.1 10.8.0.2 / gre / " IN,
     "flow 6 1024>443 l3=88 l4=108 payload=128+0 tunnels=2 network=7"},
    {VXLAN "vxlan 7 / eth / ip4 10.8.0.1 10.8.0.2 / udp 5 4789 / vxlan 7 / eth / " IN, "tunnel_too_deep"},
    {VXLAN "vxlan 7 / eth / ip4 10.8.0.1 10.8.0.2 / udp 5 6081 / geneve 8 / " IN, "tunnel_too_deep"},
    {OUT "ip4 10.8.0.1 10.8.0.2 / ip4 10.7.0.1 10.7.0.2 / " IN, "tunnel_too_deep"},
    {OUT "gre / ip4 10.8.0.1 10.8.0.2 / gre / ip4 10.7.0.1 10.7.0.2 / gre / " IN, "tunnel_too_deep"},
    {OUT "ip4 10.8.0.1 10.8.0.2 / ip4 10.7.0.1 10.7.0.2 / udp 5 4789", "tunnel_too_deep"},
    // Sealed tunnels are payload.
    {"ip4 10.0.0.1 10.0.0.2 proto=50 / zero 24", "flow 50 0>0 l3=14 l4=34 payload=34+24"},
};
#undef OUT
#undef VXLAN
#undef GENEVE
#undef LONG
#undef IN

}  // namespace weir::test
