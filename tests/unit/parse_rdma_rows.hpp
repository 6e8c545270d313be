// Rows of RoCEv2: one of each operation, then each rule of its headers broken by one thing at a time. `op` is the
// opcode, `qp` the queue pair in the key; the last four zero bytes are the ICRC, which the parser does not look at.
#pragma once
#include "tests/unit/parse_row.hpp"

namespace weir::test {

#define ROCE "ip4 10.0.0.1 10.0.0.2 / udp 49152 4791 / "
#define BACK "ip4 10.0.0.2 10.0.0.1 / udp 49152 4791 / "
#define ROCE6 "ip6 2001:db8::1 2001:db8::2 / udp 49152 4791 / "
#define CRC " / zero 4"
#define AT " l3=14 l4=34 payload="
inline constexpr ParseRow rdma_rows[] = {
    // Sends and writes of reliable connections.
    {ROCE "bth 00 17 / zero 256" CRC, "flow 17 49152>4791" AT "54+256 op=00 qp=17"},
    {ROCE "bth 01 17 / zero 4096" CRC, "flow 17 49152>4791" AT "54+4096 op=01 qp=17"},
    {ROCE "bth 02 17 flags=30 / zero 4" CRC, "flow 17 49152>4791" AT "54+1 op=02 qp=17"},
    {ROCE "bth 03 17 / hex 01020304 / zero 4" CRC, "flow 17 49152>4791" AT "58+4 op=03 qp=17"},
    // The six bits beside FECN and BECN are marked by network cards and switches.
    {ROCE "bth 04 17 flags=f0 congestion=d0 ack=80" CRC " / zero 4", "flow 17 49152>4791" AT "54+1 op=04 qp=17"},
    {ROCE "bth 04 17 flags=f0 congestion=ff ack=80" CRC " / zero 4", "flow 17 49152>4791" AT "54+1 op=04 qp=17"},
    {ROCE "bth 04 17 flags=f0 congestion=c0 ack=80" CRC " / zero 4", "flow 17 49152>4791" AT "54+1 op=04 qp=17"},
    {ROCE "bth 05 17 / hex 01020304" CRC, "flow 17 49152>4791" AT "58+0 op=05 qp=17"},
    {ROCE "bth 06 17 / reth 257 / zero 256" CRC, "flow 17 49152>4791" AT "70+256 op=06 qp=17"},
    {ROCE "bth 07 16777215 / zero 1024" CRC, "flow 17 49152>4791" AT "54+1024 op=07 qp=16777215"},
    {ROCE "bth 08 17 / zero 4096" CRC, "flow 17 49152>4791" AT "54+4096 op=08 qp=17"},
    {ROCE "bth 09 17 / hex 01020304 / zero 8" CRC, "flow 17 49152>4791" AT "58+8 op=09 qp=17"},
    {ROCE "bth 0a 17 flags=20 / reth 6 / zero 8" CRC, "flow 17 49152>4791" AT "70+6 op=0a qp=17"},
    {ROCE "bth 0a 17 / reth 0" CRC, "flow 17 49152>4791" AT "70+0 op=0a qp=17"},
    {ROCE "bth 0b 17 / reth 4 / hex 01020304 / zero 4" CRC, "flow 17 49152>4791" AT "74+4 op=0b qp=17"},
    {ROCE "bth 16 17 / hex 01020304 / zero 4" CRC, "flow 17 49152>4791" AT "58+4 op=16 qp=17"},
    {ROCE "bth 17 17 / hex 01020304 / zero 4" CRC, "flow 17 49152>4791" AT "58+4 op=17 qp=17"},
    // READ, ACK, atomic operations, congestion notification, datagrams.
    {ROCE "bth 0c 17 / reth 2147483648" CRC, "flow 17 49152>4791" AT "70+0 op=0c qp=17"},
    {BACK "bth 0d 17 / aeth 1f / zero 2048" CRC, "flow 17 49152>4791" AT "58+2048 op=0d qp=17"},
    {BACK "bth 0e 17 / zero 2048" CRC, "flow 17 49152>4791" AT "54+2048 op=0e qp=17"},
    {BACK "bth 0f 17 / aeth 1f / zero 4" CRC, "flow 17 49152>4791" AT "58+4 op=0f qp=17"},
    {BACK "bth 10 17 / aeth 00" CRC, "flow 17 49152>4791" AT "58+0 op=10 qp=17"},
    {BACK "bth 11 17 / aeth 62" CRC, "flow 17 49152>4791" AT "58+0 op=11 qp=17"},
    {BACK "bth 11 17 / aeth 25" CRC, "flow 17 49152>4791" AT "58+0 op=11 qp=17"},
    {BACK "bth 12 17 / aeth 1f / zero 8" CRC, "flow 17 49152>4791" AT "66+0 op=12 qp=17"},
    {ROCE "bth 13 17 / zero 28" CRC, "flow 17 49152>4791" AT "82+0 op=13 qp=17"},
    {ROCE "bth 14 17 / zero 28" CRC, "flow 17 49152>4791" AT "82+0 op=14 qp=17"},
    {ROCE "bth 81 17 congestion=40 / zero 16" CRC, "flow 17 49152>4791" AT "70+0 op=81 qp=17"},
    {ROCE "bth 64 1 / deth 1 / zero 256" CRC, "flow 17 49152>4791" AT "62+256 op=64 qp=1"},
    {ROCE "bth 65 99 / deth 7 / hex 01020304 / zero 12" CRC, "flow 17 49152>4791" AT "66+12 op=65 qp=99"},
    // Unreliable connections.
    {ROCE "bth 20 17 / zero 512" CRC, "flow 17 49152>4791" AT "54+512 op=20 qp=17"},
    {ROCE "bth 26 17 / reth 5000 / zero 1024" CRC, "flow 17 49152>4791" AT "70+1024 op=26 qp=17"},
    {ROCE "bth 2b 17 / reth 4 / hex 01020304 / zero 4" CRC, "flow 17 49152>4791" AT "74+4 op=2b qp=17"},
    // Whatever is around it.
    {ROCE6 "bth 04 17 / zero 8" CRC, "flow 17 49152>4791 l3=14 l4=54 payload=74+8 v6 op=04 qp=17"},
    {"vlan 5 / " ROCE "bth 04 17 / zero 8" CRC " / pad 3 byte=ff",
     "flow 17 49152>4791 l3=18 l4=38 payload=58+8 vlans=5,0 op=04 qp=17"},
    {"vlan 5 tpid=88a8 / vlan 6 / " ROCE "bth 04 17 / zero 8" CRC,
     "flow 17 49152>4791 l3=22 l4=42 payload=62+8 vlans=5,6 op=04 qp=17"},
    {"ip4 10.0.0.1 10.0.0.2 options=94040000 / udp 49152 4791 / bth 04 17 / zero 8" CRC,
     "flow 17 49152>4791 l3=14 l4=38 payload=58+8 op=04 qp=17"},
    {"ip6 2001:db8::1 2001:db8::2 / hop 010400000000 / udp 49152 4791 / bth 0c 17 / reth 9" CRC,
     "flow 17 49152>4791 l3=14 l4=62 payload=98+0 v6 op=0c qp=17"},
    {"ip4 10.8.0.1 10.8.0.2 / udp 50000 4789 / vxlan 7 / eth / " ROCE "bth 07 17 / zero 256" CRC,
     "flow 17 49152>4791 l3=64 l4=84 payload=104+256 tunnels=1 network=7 op=07 qp=17"},
    {"ip4 10.8.0.1 10.8.0.2 / udp 50000 4789 / vxlan 7 / eth / " ROCE6 "bth 11 17 / aeth 60" CRC,
     "flow 17 49152>4791 l3=64 l4=104 payload=128+0 tunnels=1 network=7 v6 op=11 qp=17"},
    {"ip4 10.8.0.1 10.8.0.2 / gre / " ROCE "bth 04 17" CRC,
     "flow 17 49152>4791 l3=38 l4=58 payload=78+0 tunnels=1 op=04 qp=17"},
    // From port 4791 to another, it is plain UDP.
    {"ip4 10.0.0.1 10.0.0.2 / udp 4791 49152 / zero 3", "flow 17 4791>49152" AT "42+3"},
    // BTH: too short, reserved bits, no queue pair, a transport that is refused.
    {"ip4 10.0.0.1 10.0.0.2 / udp 0 4791 / bth 04 17" CRC, "port_zero"},
    {ROCE "bth 04 17", "roce_header_bad"},
    {ROCE "bth 04 17 / zero 3", "roce_header_bad"},
    {ROCE "bth 04 17 flags=01" CRC, "roce_header_bad"},
    {ROCE "bth 04 17 flags=08" CRC, "roce_header_bad"},
    {ROCE "bth 04 17 ack=40" CRC, "roce_header_bad"},
    {ROCE "bth 04 17 ack=81" CRC, "roce_header_bad"},
    {ROCE "bth 04 0" CRC, "roce_header_bad"},
    {ROCE "bth 15 17" CRC, "roce_opcode"},
    {ROCE "bth 18 17" CRC, "roce_opcode"},
    {ROCE "bth 1c 17 / zero 20" CRC, "roce_opcode"},  // FLUSH
    {ROCE "bth 2c 17 / reth 1" CRC, "roce_opcode"},   // there is no unreliable READ
    {ROCE "bth 44 17 / zero 12" CRC, "roce_opcode"},  // RD
    {ROCE "bth 66 17 / zero 8" CRC, "roce_opcode"},
    {ROCE "bth 80 17 / zero 16" CRC, "roce_opcode"},
    {ROCE "bth a4 17 / zero 4" CRC, "roce_opcode"},  // XRC
    {ROCE "bth ff 17" CRC, "roce_opcode"},
    {ROCE "zero 15", "roce_header_bad"},
    {ROCE6 "zero 0", "roce_header_bad"},
    // Payload and pad.
    {ROCE "bth 04 17 / zero 1" CRC, "roce_header_bad"},
    {ROCE "bth 04 17 flags=10 / zero 2" CRC, "roce_header_bad"},
    {ROCE "bth 04 17 flags=10" CRC, "roce_header_bad"},
    {ROCE "bth 04 17 / zero 4100" CRC, "roce_header_bad"},
    {ROCE "bth 02 17" CRC, "roce_header_bad"},
    {ROCE "bth 00 17 / zero 260" CRC, "roce_header_bad"},
    {ROCE "bth 01 17 / zero 128" CRC, "roce_header_bad"},
    {ROCE "bth 07 17 flags=10 / zero 260" CRC, "roce_header_bad"},
    {ROCE "bth 07 17 flags=10 / zero 256" CRC, "roce_header_bad"},
    {ROCE "bth 0e 17 / zero 1028" CRC, "roce_header_bad"},
    {ROCE "bth 0e 17" CRC, "roce_header_bad"},
    // Extended headers: not there, or not so.
    {ROCE "bth 0a 17" CRC, "roce_header_bad"},
    {ROCE "bth 0a 17 / reth 5 / zero 4" CRC, "roce_header_bad"},
    {ROCE "bth 0a 17 / reth 8 / zero 4" CRC, "roce_header_bad"},
    {ROCE "bth 06 17 / reth 256 / zero 256" CRC, "roce_header_bad"},
    {ROCE "bth 06 17 / reth 2147483649 / zero 256" CRC, "roce_header_bad"},
    {ROCE "bth 0c 17 / reth 2147483649" CRC, "roce_header_bad"},
    {ROCE "bth 0c 17 / reth 8 / zero 8" CRC, "roce_header_bad"},
    {ROCE "bth 0c 17 flags=10 / reth 8" CRC, "roce_header_bad"},
    {BACK "bth 11 17 / aeth 80" CRC, "roce_header_bad"},
    {BACK "bth 11 17 / aeth 40" CRC, "roce_header_bad"},
    {BACK "bth 11 17 / aeth 00 / zero 4" CRC, "roce_header_bad"},
    {BACK "bth 11 17" CRC, "roce_header_bad"},
    {BACK "bth 10 17 / aeth c0 / zero 4" CRC, "roce_header_bad"},
    {ROCE "bth 13 17 / zero 24" CRC, "roce_header_bad"},
    {ROCE "bth 64 1 / deth 1 reserved=01 / zero 256" CRC, "roce_header_bad"},
    {ROCE "bth 64 1 / zero 4" CRC, "roce_header_bad"},
    {ROCE "bth 81 17 / hex 00000000000000000000000000000001" CRC, "roce_header_bad"},
    {ROCE "bth 81 17 / zero 12" CRC, "roce_header_bad"},
    {ROCE "bth 81 17 / zero 20" CRC, "roce_header_bad"},
    // It is never fragmented.
    {"ip4 10.0.0.1 10.0.0.2 fragment=2000 / udp 49152 4791 / zero 248", "roce_fragment"},
    {"ip4 10.0.0.1 10.0.0.2 fragment=0100 / udp 49152 4791 / zero 8", "fragment 17 0>0" AT "34+16"},
    {"ip6 2001:db8::1 2001:db8::2 / fragment word=0001 / udp 49152 4791 / zero 248", "roce_fragment"},
    {"ip6 2001:db8::1 2001:db8::2 / fragment word=0001 / options 010400000000 / udp 49152 4791 / zero 240",
     "roce_fragment"},
    // Errors that quote it are the quoted queue pair's, if so much is quoted.
    {"ip4 10.0.0.9 10.0.0.1 / icmp4 3 4 / " ROCE "bth 0c 17", "icmp_error 1 0>0" AT "42+40 quote=rdma:17"},
    {"ip4 10.0.0.9 10.0.0.1 / icmp4 3 4 / " ROCE "hex 0a00ffff00000011", "icmp_error 1 0>0" AT "42+36 quote=rdma:17"},
    {"ip4 10.0.0.9 10.0.0.1 / icmp4 3 4 / " ROCE "hex 0a00ffff000000", "icmp_unmatched"},
    {"ip4 10.0.0.9 10.0.0.1 / icmp4 3 4 / ip4 10.0.0.1 10.0.0.2 total=35 / udp 49152 4791 / bth 0c 17",
     "icmp_unmatched"},
    {"ip4 10.0.0.9 10.0.0.1 / icmp4 3 4 / ip4 10.0.0.1 10.0.0.2 / udp 0 4791 / bth 0c 17", "icmp_header_bad"},
    {"ip4 10.0.0.9 10.0.0.1 / icmp4 3 4 / " ROCE "bth 0c 0", "icmp_header_bad"},
    {"ip4 10.0.0.9 10.0.0.1 / icmp4 3 4 / " ROCE "bth 44 17", "icmp_header_bad"},
    {"ip6 2001:db8::9 2001:db8::1 / icmp6 2 / " ROCE6 "bth 0c 17",
     "icmp_error 58 0>0 l3=14 l4=54 payload=62+60 v6 quote=rdma:17"},
    {"ip6 2001:db8::9 2001:db8::1 / icmp6 2 / " ROCE6 "hex 0c", "icmp_unmatched"},
};
#undef ROCE
#undef BACK
#undef ROCE6
#undef CRC
#undef AT

}  // namespace weir::test
