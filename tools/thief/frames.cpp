#include "tools/thief/frames.hpp"

#include "dataplane/packet/checksum.hpp"

#include <algorithm>

namespace weir::thief {

namespace {

constexpr u16 roce_port = 4791;

void put_number(Bytes& out, u64 value, int bytes) {
  while (bytes-- != 0) out.push_back(static_cast<u8>(value >> 8 * bytes));
}

u32 sum_of(View bytes, u32 sum) { return ones_sum(bytes.data(), static_cast<u32>(bytes.size()), sum); }

// RFC 9293 3.1, RFC 8200 8.1.
u32 pseudo(const Path& path, u8 protocol, std::size_t bytes) {
  Bytes head;
  if (path.is_ipv6) {
    put(head, path.from.ipv6);
    put(head, path.to.ipv6);
  } else {
    put32(head, path.from.ipv4);
    put32(head, path.to.ipv4);
  }
  put32(head, bytes);
  put32(head, protocol);
  return sum_of(head, 0);
}

// Into the two bytes at `place`, which are zero.
Bytes summed(Bytes transport, std::size_t place, u32 sum) {
  put_sum(&transport[place], sum_of(transport, sum));
  return transport;
}

// CRC-32 of IEEE 802.3, lowest bit first.
u32 crc32(View bytes, u32 crc) {
  for (const u8 byte : bytes) {
    crc ^= byte;
    for (int bit = 0; bit < 8; ++bit) crc = crc >> 1 ^ ((crc & 1) != 0 ? 0xedb88320 : 0);
  }
  return crc;
}

// Of the packet from its IP header on, with what may change on the way as ones, behind eight bytes of ones.
u32 invariant_crc(const Path& path, View packet) {
  Bytes masked(packet.begin(), packet.end());
  const std::size_t ip_bytes = path.is_ipv6 ? 40 : 20;
  if (path.is_ipv6) {
    masked[0] |= 0x0f;
    for (const std::size_t place : {1, 2, 3, 7}) masked[place] = 0xff;
  } else {
    for (const std::size_t place : {1, 8, 10, 11}) masked[place] = 0xff;
  }
  masked[ip_bytes + 6] = masked[ip_bytes + 7] = 0xff;  // UDP's checksum
  masked[ip_bytes + 8 + 4] = 0xff;                     // BTH's congestion bits
  constexpr std::array<u8, 8> ones{0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff};
  return ~crc32(masked, crc32(ones, ~u32{0}));
}

}  // namespace

void put8(Bytes& out, u64 value) { put_number(out, value, 1); }
void put16(Bytes& out, u64 value) { put_number(out, value, 2); }
void put24(Bytes& out, u64 value) { put_number(out, value, 3); }
void put32(Bytes& out, u64 value) { put_number(out, value, 4); }
void put64(Bytes& out, u64 value) { put_number(out, value, 8); }
void put(Bytes& out, View more) { out.insert(out.end(), more.begin(), more.end()); }

Bytes tcp(const Path& path, const TcpHead& head, View payload) {
  Bytes made;
  made.reserve(24 + payload.size());
  const bool offers = (head.flags & flag::syn) != 0;
  put16(made, head.source_port);
  put16(made, head.target_port);
  put32(made, head.sequence);
  put32(made, head.acknowledged);
  put8(made, offers ? 0x60 : 0x50);
  put8(made, head.flags);
  put16(made, 0xffff);
  put32(made, 0);
  if (offers) put32(made, 0x03030e00);  // window scale 14, end of options
  put(made, payload);
  const u32 sum = pseudo(path, 6, made.size());
  return summed(std::move(made), 16, sum);
}

Bytes udp(const Path& path, u16 source_port, u16 target_port, View payload) {
  Bytes made;
  made.reserve(8 + payload.size());
  put16(made, source_port);
  put16(made, target_port);
  put16(made, 8 + payload.size());
  put16(made, 0);
  put(made, payload);
  const u32 sum = pseudo(path, 17, made.size());
  return summed(std::move(made), 6, sum);
}

Bytes icmp(const Path& path, u8 type, u8 code, u32 rest, View payload) {
  Bytes made;
  put8(made, type);
  put8(made, code);
  put16(made, 0);
  put32(made, rest);
  put(made, payload);
  const u32 sum = path.is_ipv6 ? pseudo(path, 58, made.size()) : 0;
  return summed(std::move(made), 2, sum);
}

Bytes ip(const Path& path, u8 protocol, View transport, u16 fragment, u16 id) {
  Bytes made;
  made.reserve(40 + transport.size());
  if (path.is_ipv6) {
    put32(made, 0x60000000);
    put16(made, transport.size());
    put8(made, protocol);
    put8(made, 64);
    put(made, path.from.ipv6);
    put(made, path.to.ipv6);
  } else {
    put16(made, 0x4500);
    put16(made, 20 + transport.size());
    put16(made, id);
    put16(made, fragment);
    put8(made, 64);
    put8(made, protocol);
    put16(made, 0);
    put32(made, path.from.ipv4);
    put32(made, path.to.ipv4);
    put_sum(&made[10], sum_of(made, 0));
  }
  put(made, transport);
  return made;
}

u16 ether_type(const Path& path) { return path.is_ipv6 ? 0x86dd : 0x0800; }

Bytes ethernet(const Path& path, u16 type, View payload) { return tagged(path, {}, type, payload); }

Bytes tagged(const Path& path, std::span<const u16> tags, u16 type, View payload) {
  Bytes made;
  made.reserve(22 + payload.size());
  put(made, path.to.mac);
  put(made, path.from.mac);
  for (std::size_t i = 0; i < tags.size(); ++i) {
    put16(made, i + 1 < tags.size() ? 0x88a8 : 0x8100);
    put16(made, tags[i]);
  }
  put16(made, type);
  put(made, payload);
  return made;
}

Bytes roce(const Path& path, const BaseTransport& head, View extended, View payload) {
  Bytes made;
  const std::size_t pad = (4 - payload.size() % 4) % 4;
  put8(made, head.opcode);
  put8(made, pad << 4);
  put16(made, 0xffff);  // the default partition
  put8(made, 0);
  put24(made, head.queue_pair);
  put8(made, head.asks_ack ? 0x80 : 0);
  put24(made, head.sequence);
  put(made, extended);
  put(made, payload);
  made.resize(made.size() + pad + 4);
  Bytes datagram;
  put16(datagram, 0xc000 | (head.queue_pair & 0xfff));  // spreads flows; no port of a connection
  put16(datagram, roce_port);
  put16(datagram, 8 + made.size());
  put16(datagram, 0);  // none, as network cards send it
  put(datagram, made);
  Bytes packet = ip(path, 17, datagram);
  const u32 crc = invariant_crc(path, View(packet).first(packet.size() - 4));
  std::memcpy(&packet[packet.size() - 4], &crc, sizeof crc);
  return framed(path, packet);
}

}  // namespace weir::thief
