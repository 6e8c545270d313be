// The bytes of a frame for a meant packet: Ethernet, IPv4 or IPv6, one transport header, its payload.
#pragma once
#include "dataplane/base/bytes.hpp"
#include "tests/property/naive_firewall.hpp"

#include <cstddef>
#include <vector>

namespace weir {

class FrameWriter {
 public:
  static std::vector<std::byte> write(const naive::MeantPacket& packet) {
    FrameWriter writer;
    for (const u32 byte : {2u, 0u, 0u, 0u, 0u, 2u, 2u, 0u, 0u, 0u, 0u, 1u}) writer.put8(byte);
    writer.put16(packet.ipv6 ? 0x86dd : 0x0800);
    std::vector<std::byte> transport = FrameWriter().transport(packet);
    put_checksum(packet, transport);
    writer.ip(packet.ipv6, packet.source, packet.target, packet.protocol, transport.size());
    writer.append(transport);
    return writer.bytes_;
  }

 private:
  void put8(u32 value) { bytes_.push_back(static_cast<std::byte>(value)); }
  void put16(u32 value) { put8(value >> 8), put8(value); }
  void put32(u32 value) { put16(value >> 16), put16(value); }
  void append(const std::vector<std::byte>& more) { bytes_.insert(bytes_.end(), more.begin(), more.end()); }

  // RFC 1071 over the pseudo-header and the transport, whose field is still zero; or one that is off by one.
  static void put_checksum(const naive::MeantPacket& packet, std::vector<std::byte>& transport) {
    const std::size_t at = packet.protocol == 6 ? 16 : packet.protocol == 17 ? 6 : 2;
    if (packet.protocol != 6 && packet.protocol != 17 && packet.protocol != 1 && packet.protocol != 58) return;
    FrameWriter summed;
    if (packet.protocol != 1) {
      for (const auto address : {packet.source, packet.target})
        for (int shift = 112; shift >= 0; shift -= 16) summed.put16(static_cast<u32>(address >> shift) & 0xffff);
      summed.put32(static_cast<u32>(transport.size())), summed.put32(packet.protocol);
    }
    summed.append(transport);
    if (summed.bytes_.size() % 2 != 0) summed.put8(0);
    u32 sum = packet.bad_checksum;
    for (std::size_t i = 0; i + 1 < summed.bytes_.size(); i += 2) sum += load_be16(&summed.bytes_[i]);
    while (sum >> 16) sum = (sum & 0xffff) + (sum >> 16);
    sum = sum == 0xffff ? 0xffff : ~sum & 0xffff;
    transport[at] = static_cast<std::byte>(sum >> 8);
    transport[at + 1] = static_cast<std::byte>(sum);
  }

  void ip(bool ipv6, control::Ipv6Number source, control::Ipv6Number target, u8 protocol, std::size_t payload) {
    if (ipv6) {
      put32(0x60000000), put16(static_cast<u32>(payload)), put8(protocol), put8(64);
      for (const auto address : {source, target})
        for (int shift = 120; shift >= 0; shift -= 8) put8(static_cast<u32>(address >> shift));
      return;
    }
    const std::size_t start = bytes_.size();
    put16(0x4500), put16(static_cast<u32>(20 + payload)), put32(0), put8(64), put8(protocol), put16(0);
    put32(static_cast<u32>(source)), put32(static_cast<u32>(target));
    u32 sum = 0;
    for (std::size_t i = start; i < start + 20; i += 2) sum += load_be16(&bytes_[i]);
    sum = (sum & 0xffff) + (sum >> 16);
    sum = ~((sum & 0xffff) + (sum >> 16)) & 0xffff;
    bytes_[start + 10] = static_cast<std::byte>(sum >> 8);
    bytes_[start + 11] = static_cast<std::byte>(sum);
  }

  void tcp(const naive::MeantPacket& packet) {
    const naive::Segment& segment = packet.tcp;
    const u32 options = (segment.scale ? 4u : 0u) + (segment.sack_right ? 12u : 0u);
    put16(packet.source_port), put16(packet.target_port), put32(segment.sequence), put32(segment.acknowledgement);
    put8((20 + options) << 2), put8(packet.tcp_flags), put16(static_cast<u32>(segment.window)), put32(0);
    if (segment.scale) put8(1), put8(3), put8(3), put8(static_cast<u32>(*segment.scale));
    if (segment.sack_right)
      put32(0x0101050a), put32(*segment.sack_right - 5), put32(*segment.sack_right);
    bytes_.resize(bytes_.size() + static_cast<std::size_t>(segment.bytes));
  }

  std::vector<std::byte> transport(const naive::MeantPacket& packet) {
    if (packet.quotes) {
      put8(packet.icmp_type), put8(packet.icmp_code), put16(0), put32(0);
      naive::MeantPacket quoted;
      quoted.ipv6 = packet.ipv6;
      quoted.protocol = packet.quoted_protocol;
      quoted.source_port = packet.quoted_source_port;
      quoted.target_port = packet.quoted_target_port;
      quoted.tcp_flags = 0x10;
      quoted.tcp.sequence = packet.quoted_sequence;
      quoted.icmp_type = packet.ipv6 ? 128 : 8;
      const auto inner = FrameWriter().transport(quoted);
      ip(packet.ipv6, packet.quoted_source, packet.quoted_target, packet.quoted_protocol, inner.size());
      append(inner);
    } else if (packet.protocol == 6) {
      tcp(packet);
    } else if (packet.protocol == 17) {
      put16(packet.source_port), put16(packet.target_port), put16(8 + packet.payload), put16(0);
      for (u32 i = 0; i < packet.payload; ++i) put8(i);
    } else if (packet.protocol == 1 || packet.protocol == 58) {
      put8(packet.icmp_type), put8(packet.icmp_code), put16(0), put16(packet.source_port), put16(0);
      put32(0), put32(0), put32(0);
    } else {
      for (int i = 0; i < 4; ++i) put32(0);
    }
    return bytes_;
  }

  std::vector<std::byte> bytes_;
};

}  // namespace weir
