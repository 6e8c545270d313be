// What a random packet is besides its addresses and ports: its protocol, flags, payload, message or quote.
#pragma once
#include "tests/property/choices.hpp"
#include "tests/property/naive_firewall.hpp"

namespace weir {

inline void shape_packet(naive::MeantPacket& packet, u32 shape, Choices& choices) {
  constexpr u8 flags[] = {0x02, 0x12, 0x10, 0x18, 0x11, 0x14, 0x04, 0xc2};
  if (shape < 6) {
    packet.protocol = 6;
    const u8 chosen = packet.tcp_flags = flags[choices.below(8)];
    packet.tcp.fin = chosen & 1, packet.tcp.syn = chosen & 2;
    packet.tcp.rst = chosen & 4, packet.tcp.ack = chosen & 16;
    packet.tcp.sequence = 1, packet.tcp.acknowledgement = packet.tcp.ack ? 1 : 0, packet.tcp.window = 1000;
  } else if (shape < 12) {
    packet.protocol = 17;
    packet.payload = choices.below(2) * 60;
  } else if (shape < 14) {
    constexpr u8 types4[] = {8, 0, 13, 14}, types6[] = {128, 129, 128, 129};
    packet.protocol = packet.ipv6 ? 58 : 1;
    packet.icmp_type = (packet.ipv6 ? types6 : types4)[choices.below(4)];
    packet.target_port = packet.source_port;
  } else if (shape == 14) {
    packet.protocol = 50;
    packet.source_port = packet.target_port = 0;
  } else {
    packet.quotes = true;
    packet.protocol = packet.ipv6 ? 58 : 1;
    packet.icmp_type = packet.ipv6 ? 1 : 3;
    packet.quoted_protocol = choices.below(2) ? 17 : 6;
    packet.quoted_source = packet.target, packet.quoted_target = packet.source;
    packet.quoted_source_port = packet.target_port, packet.quoted_target_port = packet.source_port;
    packet.quoted_sequence = 1;
    if (choices.below(8) == 0) packet.target += 1;
  }
}

}  // namespace weir
