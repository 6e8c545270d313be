// Frames of the ideal ends: written and read byte by byte from the RFCs, checksums included, with nothing of the
// engine's.
#pragma once
#include "tests/property/ideal_tcp.hpp"

#include <array>

namespace weir::ideal {

// Where a frame goes: both ends as they stand on the wire, 4 or 16 bytes of address.
struct Path {
  Bytes source, target;
  std::uint16_t source_port, target_port;
  bool tagged = false;
  Path back() const { return {target, source, target_port, source_port, tagged}; }
  bool operator==(const Path&) const = default;
};

inline void put16(Bytes& to, std::uint32_t value) {
  to.push_back(static_cast<std::uint8_t>(value >> 8)), to.push_back(static_cast<std::uint8_t>(value));
}
inline void put32(Bytes& to, std::uint32_t value) { put16(to, value >> 16), put16(to, value & 0xffff); }
inline void append(Bytes& to, const Bytes& more) { to.insert(to.end(), more.begin(), more.end()); }
inline std::uint32_t get16(const Bytes& from, std::size_t at) { return from.at(at) * 256u + from.at(at + 1); }
inline std::uint32_t get32(const Bytes& from, std::size_t at) { return get16(from, at) << 16 | get16(from, at + 2); }

inline std::uint32_t checksum(const Bytes& bytes) {
  std::uint64_t sum = 0;
  for (std::size_t i = 0; i < bytes.size(); ++i) sum += std::uint64_t{bytes[i]} << (i % 2 == 0 ? 8 : 0);
  while (sum >> 16 != 0) sum = (sum & 0xffff) + (sum >> 16);
  return static_cast<std::uint32_t>(~sum & 0xffff);
}

inline std::uint32_t transport_sum(const Path& path, std::uint8_t protocol, const Bytes& transport) {
  Bytes summed = path.source;
  append(summed, path.target);
  put32(summed, static_cast<std::uint32_t>(transport.size())), put32(summed, protocol);
  append(summed, transport);
  return checksum(summed);
}

inline void put_options(Bytes& to, const Segment& segment) {
  if (segment.mss) put16(to, 0x0204), put16(to, *segment.mss);
  if (segment.sack_permitted) put16(to, 0x0402);
  if (segment.timestamps) put16(to, 0x080a), put32(to, 77), put32(to, 0);
  if (segment.scale) append(to, {3, 3, *segment.scale});
  if (!segment.blocks.empty()) {
    // At an odd place, as it may be.
    append(to, {1, 5, static_cast<std::uint8_t>(2 + 8 * segment.blocks.size())});
    for (const auto& [first, end] : segment.blocks) put32(to, first), put32(to, end);
  }
  while (to.size() % 4 != 0) to.push_back(segment.blocks.empty() ? 0 : 1);
}

inline Bytes tcp_header(const Path& path, const Segment& segment) {
  Bytes tcp;
  Bytes options;
  put_options(options, segment);
  put16(tcp, path.source_port), put16(tcp, path.target_port);
  put32(tcp, segment.sequence), put32(tcp, segment.acknowledged);
  put16(tcp, static_cast<std::uint32_t>((20 + options.size()) / 4 << 12 | segment.flags));
  put16(tcp, segment.window), put32(tcp, 0);
  append(tcp, options);
  append(tcp, segment.data);
  const std::uint32_t sum = transport_sum(path, 6, tcp);
  tcp[16] = static_cast<std::uint8_t>(sum >> 8), tcp[17] = static_cast<std::uint8_t>(sum);
  return tcp;
}

inline Bytes ip_packet(const Path& path, std::uint8_t protocol, const Bytes& transport) {
  Bytes ip;
  if (path.source.size() == 16) {
    put32(ip, 0x60000000), put16(ip, static_cast<std::uint32_t>(transport.size()));
    append(ip, {protocol, 61});
    append(ip, path.source), append(ip, path.target);
  } else {
    put16(ip, 0x4500), put16(ip, static_cast<std::uint32_t>(20 + transport.size()));
    put32(ip, 0x00074000);
    append(ip, {61, protocol, 0, 0});
    append(ip, path.source), append(ip, path.target);
    const std::uint32_t sum = checksum(ip);
    ip[10] = static_cast<std::uint8_t>(sum >> 8), ip[11] = static_cast<std::uint8_t>(sum);
  }
  append(ip, transport);
  return ip;
}

inline Bytes frame_of(const Path& path, std::uint8_t protocol, const Bytes& transport, bool padded) {
  Bytes frame{2, 0, 0, 0, 0, 2, 2, 0, 0, 0, 0, 1};
  if (path.tagged) put32(frame, 0x81000005);
  put16(frame, path.source.size() == 16 ? 0x86dd : 0x0800);
  append(frame, ip_packet(path, protocol, transport));
  if (padded && frame.size() < 60) frame.resize(60);
  return frame;
}

// The segment in a frame, which must be one between these ends.
inline Segment read_tcp(const Path& path, const Bytes& tcp) {
  Segment segment;
  expect(transport_sum(path, 6, tcp) == 0, "the TCP checksum");
  expect(get16(tcp, 0) == path.source_port && get16(tcp, 2) == path.target_port, "the ports");
  segment.sequence = get32(tcp, 4), segment.acknowledged = get32(tcp, 8);
  segment.flags = tcp.at(13), segment.window = static_cast<std::uint16_t>(get16(tcp, 14));
  const std::size_t end = std::size_t{tcp.at(12)} / 16 * 4;
  expect(end >= 20 && end <= tcp.size() && (tcp[12] & 15) == 0 && get16(tcp, 18) == 0, "the TCP header");
  for (std::size_t at = 20; at < end && tcp[at] != 0;) {
    if (tcp[at] == 1) {
      ++at;
      continue;
    }
    const std::size_t bytes = tcp.at(at + 1);
    expect(bytes >= 2 && at + bytes <= end, "the options");
    if (tcp[at] == 2) segment.mss = static_cast<std::uint16_t>(get16(tcp, at + 2));
    if (tcp[at] == 3) segment.scale = tcp.at(at + 2);
    if (tcp[at] == 4) segment.sack_permitted = true;
    if (tcp[at] == 8) segment.timestamps = true;
    for (std::size_t block = at + 2; tcp[at] == 5 && block < at + bytes; block += 8)
      segment.blocks.emplace_back(get32(tcp, block), get32(tcp, block + 4));
    at += bytes;
  }
  segment.data.assign(tcp.begin() + static_cast<std::ptrdiff_t>(end), tcp.end());
  return segment;
}

// The transport part of an IP packet that must be whole and between these ends.
inline Bytes read_ip(const Path& path, const Bytes& ip, std::uint8_t protocol) {
  const bool six = path.source.size() == 16;
  const std::size_t header = six ? 40 : std::size_t{ip.at(0) & 15u} * 4, source = six ? 8 : 12;
  const std::size_t end = six ? 40 + get16(ip, 4) : get16(ip, 2);
  expect(ip.at(0) >> 4 == (six ? 6 : 4) && end <= ip.size(), "the IP header");
  const auto at = [&](std::size_t offset) { return ip.begin() + static_cast<std::ptrdiff_t>(offset); };
  if (!six) expect(checksum({ip.begin(), at(header)}) == 0, "the IPv4 checksum");
  expect(ip.at(six ? 6 : 9) == protocol, "the protocol");
  expect(Bytes(at(source), at(source + path.source.size())) == path.source, "the source");
  expect(Bytes(at(source + path.source.size()), at(source + 2 * path.source.size())) == path.target, "the target");
  return {at(header), at(end)};
}

inline Bytes read_frame(const Path& path, const Bytes& frame, std::uint8_t protocol) {
  const std::size_t ip = path.tagged ? 18 : 14;
  if (path.tagged) expect(get32(frame, 12) == 0x81000005, "the VLAN tag");
  expect(get16(frame, ip - 2) == (path.source.size() == 16 ? 0x86dd : 0x0800), "the EtherType");
  const Bytes packet(frame.begin() + static_cast<std::ptrdiff_t>(ip), frame.end());
  const Bytes transport = read_ip(path, packet, protocol);
  const std::size_t end = ip + (path.source.size() == 16 ? 40 : 20) + transport.size();
  expect(std::all_of(frame.begin() + static_cast<std::ptrdiff_t>(end), frame.end(), [](auto b) { return b == 0; }),
         "padding of zeros");
  return transport;
}

}  // namespace weir::ideal
