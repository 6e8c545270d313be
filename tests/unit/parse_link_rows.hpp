// Rows of the link layer: Ethernet, VLAN tags, what stands where the EtherType belongs, and ARP.
#pragma once
#include "tests/unit/parse_row.hpp"

namespace weir::test {

inline constexpr ParseRow ethernet_rows[] = {
    {"eth type=0800 / cut 1", "ethernet_short"},
    {"eth type=0800", "truncated"},
    {"eth source=01:00:00:00:00:01 / ip4 10.0.0.1 10.0.0.2 / tcp 1 2", "mac_source_invalid"},
    {"eth source=ff:ff:ff:ff:ff:ff / ip4 10.0.0.1 10.0.0.2 / tcp 1 2", "mac_source_invalid"},
    {"eth source=00:00:00:00:00:00 / ip4 10.0.0.1 10.0.0.2 / tcp 1 2", "mac_source_invalid"},
    {"eth target=01:80:c2:00:00:00 type=0026 / zero 46", "link_local_protocol"},
    {"eth target=01:80:c2:00:00:0e type=88cc / zero 46", "link_local_protocol"},
    {"eth target=01:80:c2:00:00:0f / ip4 10.0.0.1 10.0.0.2 / tcp 1 2", "link_local_protocol"},
    {"eth target=01:80:c2:00:00:10 / ip4 10.0.0.1 10.0.0.2 / tcp 1 2", "flow 6 1>2 l3=14 l4=34 payload=54+0"},
    {"eth type=88cc / zero 46", "link_local_protocol"},
    {"eth type=8809 / zero 46", "link_local_protocol"},
    {"eth type=0026 / zero 46", "ieee_802_3"},
    {"eth type=05ff / zero 46", "ieee_802_3"},
    {"eth type=0000 / zero 46", "ieee_802_3"},
    {"eth type=0600 / zero 46", "ethertype_unknown"},
    {"eth type=8915 / zero 46", "roce_v1"},
    {"vlan 5 / zero 46", "ethertype_unknown"},
    {"vlan 5 type=8915 / zero 46", "roce_v1"},
    {"eth type=88e5 / zero 46", "ethertype_unknown"},  // MACsec
    {"eth type=8864 / zero 46", "ethertype_unknown"},  // PPPoE
    {"eth type=8847 / zero 46", "ethertype_unknown"},  // MPLS
    {"eth type=9100 / zero 46", "ethertype_unknown"},  // a VLAN tag of no standard
    {"vlan 5 / ip4 10.0.0.1 10.0.0.2 / tcp 1 2", "flow 6 1>2 l3=18 l4=38 payload=58+0 vlans=5,0"},
    {"vlan 5 tpid=88a8 / ip4 10.0.0.1 10.0.0.2 / tcp 1 2", "flow 6 1>2 l3=18 l4=38 payload=58+0 vlans=5,0"},
    {"vlan 0 / ip4 10.0.0.1 10.0.0.2 / tcp 1 2", "flow 6 1>2 l3=18 l4=38 payload=58+0"},
    {"vlan 57345 / ip4 10.0.0.1 10.0.0.2 / tcp 1 2", "flow 6 1>2 l3=18 l4=38 payload=58+0 vlans=1,0"},
    {"vlan 5 tpid=88a8 / vlan 6 / ip4 10.0.0.1 10.0.0.2 / udp 1 2", "flow 17 1>2 l3=22 l4=42 payload=50+0 vlans=5,6"},
    {"vlan 0 tpid=88a8 / ip4 10.0.0.1 10.0.0.2 / tcp 1 2", "flow 6 1>2 l3=18 l4=38 payload=58+0"},
    {"vlan 0 / vlan 6 / ip4 10.0.0.1 10.0.0.2 / udp 1 2", "vlan_stack_bad"},
    {"vlan 6 / vlan 0 / ip4 10.0.0.1 10.0.0.2 / udp 1 2", "vlan_stack_bad"},
    {"vlan 0 / vlan 0 / ip4 10.0.0.1 10.0.0.2 / udp 1 2", "vlan_stack_bad"},
    {"vlan 0 / vlan 0 / arp 1 10.0.0.1 10.0.0.2", "vlan_stack_bad"},
    {"vlan 0 tpid=88a8 / vlan 6 / ip4 10.0.0.1 10.0.0.2 / udp 1 2", "vlan_stack_bad"},
    {"vlan 5 / vlan 6 tpid=88a8 / ip4 10.0.0.1 10.0.0.2 / udp 1 2", "vlan_stack_bad"},
    {"vlan 5 tpid=88a8 / vlan 6 tpid=88a8 / ip4 10.0.0.1 10.0.0.2 / udp 1 2", "vlan_stack_bad"},
    {"vlan 0 / vlan 0 / vlan 0 / ip4 10.0.0.1 10.0.0.2 / udp 1 2", "vlan_stack_bad"},
    {"vlan 0 type=0026 / hex aaaa030000000800 / ip4 10.0.0.1 10.0.0.2 / udp 1 2", "ieee_802_3"},
    {"vlan 5 tpid=88a8 / vlan 6 type=0026 / zero 46", "ieee_802_3"},
    {"eth type=002c / hex aaaa030000000800 / ip4 10.0.0.1 10.0.0.2 / tcp 1 2", "ieee_802_3"},   // SNAP, RFC 1042
    {"eth type=002c / hex aaaa030000f80800 / ip4 10.0.0.1 10.0.0.2 / tcp 1 2", "ieee_802_3"},   // SNAP, 802.1H
    {"eth type=0048 / hex aaaa0300000086dd / ip6 2001:db8::1 2001:db8::2 / tcp 1 2", "ieee_802_3"},
    {"eth type=0024 / hex aaaa030000000806 / arp 1 10.0.0.1 10.0.0.2", "ieee_802_3"},
    {"eth type=0026 / hex 060603 / ip4 10.0.0.1 10.0.0.2 / udp 1 2", "ieee_802_3"},  // LLC's own number for IP
    {"eth type=0001 / hex aaaa030000000800 / ip4 10.0.0.1 10.0.0.2 / tcp 1 2", "ieee_802_3"},   // fewer than there are
    {"eth type=05dc / hex aaaa030000000800 / ip4 10.0.0.1 10.0.0.2 / tcp 1 2", "ieee_802_3"},   // more than there are
    {"eth type=05dd / ip4 10.0.0.1 10.0.0.2 / tcp 1 2", "ieee_802_3"},  // 1501: neither a length nor a type
    {"eth type=05ff / ip4 10.0.0.1 10.0.0.2 / tcp 1 2", "ieee_802_3"},  // 1535
    {"eth type=0600 / ip4 10.0.0.1 10.0.0.2 / tcp 1 2", "ethertype_unknown"},  // 1536
    {"vlan 5 type=05ff / ip4 10.0.0.1 10.0.0.2 / tcp 1 2", "ieee_802_3"},
    {"vlan 5 / vlan 6 / ip6 2001:db8::1 2001:db8::2 / udp 1 2", "flow 17 1>2 l3=22 l4=62 payload=70+0 vlans=5,6 v6"},
    {"vlan 4095 / ip4 10.0.0.1 10.0.0.2 / tcp 1 2", "vlan_id_reserved"},
    {"vlan 5 / vlan 4095 / ip4 10.0.0.1 10.0.0.2 / tcp 1 2", "vlan_id_reserved"},
    {"vlan 1 / vlan 2 / vlan 3 / ip4 10.0.0.1 10.0.0.2 / tcp 1 2", "vlan_too_deep"},
    {"vlan 1 / vlan 2 type=8100", "vlan_too_deep"},
    {"vlan 1 type=0800 / cut 1", "truncated"},
    {"vlan 1 type=0026 / zero 46", "ieee_802_3"},
    {"vlan 1 type=88cc / zero 46", "link_local_protocol"},
};

inline constexpr ParseRow arp_rows[] = {
    {"arp 1 10.0.0.1 10.0.0.2", "arp 0 0>0 l3=14 l4=42 payload=42+0"},
    {"arp 1 10.0.0.1 10.0.0.2 / pad 18", "arp 0 0>0 l3=14 l4=42 payload=42+0"},
    {"arp 2 10.0.0.1 10.0.0.2 / pad 18", "arp 0 0>0 l3=14 l4=42 payload=42+0"},
    {"arp 1 0.0.0.0 10.0.0.2", "arp 0 0>0 l3=14 l4=42 payload=42+0"},
    {"arp 1 10.0.0.1 10.0.0.1", "arp 0 0>0 l3=14 l4=42 payload=42+0"},
    {"arp 2 10.0.0.1 0.0.0.0", "arp 0 0>0 l3=14 l4=42 payload=42+0"},
    {"vlan 5 / arp 1 10.0.0.1 10.0.0.2 / pad 18", "arp 0 0>0 l3=18 l4=46 payload=46+0"},
    {"arp 1 10.0.0.1 10.0.0.2 / cut 1", "truncated"},
    {"arp 1 10.0.0.1 10.0.0.2 / pad 19", "arp_malformed"},
    {"arp 1 10.0.0.1 10.0.0.2 / pad 18 byte=01", "arp_malformed"},
    {"arp 3 10.0.0.1 10.0.0.2", "arp_malformed"},
    {"arp 0 10.0.0.1 10.0.0.2", "arp_malformed"},
    {"arp 257 10.0.0.1 10.0.0.2", "arp_malformed"},
    {"arp 1 10.0.0.1 10.0.0.2 form=000608000604", "arp_malformed"},
    {"arp 1 10.0.0.1 10.0.0.2 form=000108060604", "arp_malformed"},
    {"arp 1 10.0.0.1 10.0.0.2 form=000108000804", "arp_malformed"},
    {"arp 1 10.0.0.1 10.0.0.2 form=000108000610", "arp_malformed"},
    {"arp 1 10.0.0.1 10.0.0.2 mac=02:00:00:00:00:09", "arp_malformed"},
    {"arp 2 0.0.0.0 10.0.0.2", "source_martian"},
    {"arp 1 224.0.0.1 10.0.0.2", "source_martian"},
    {"arp 1 255.255.255.255 10.0.0.2", "source_martian"},
    {"arp 1 127.0.0.1 10.0.0.2", "source_martian"},
    {"arp 1 10.0.0.1 127.0.0.1", "target_martian"},
    {"arp 1 10.0.0.1 0.0.0.0", "target_martian"},
};

}  // namespace weir::test
