// Frames as a thief writes them: from one end to another, whole and with right checksums, so that nothing is caught for
// being broken. Builds only; what to say is its callers' affair.
#pragma once
#include "dataplane/base/bytes.hpp"

#include <array>
#include <span>
#include <vector>

namespace weir::thief {

using Bytes = std::vector<u8>;
using View = std::span<const u8>;

struct End {
  std::array<u8, 6> mac{};
  u32 ipv4 = 0;
  std::array<u8, 16> ipv6{};  // all zeros: it has none
  bool has_ipv6() const { return ipv6 != std::array<u8, 16>{}; }
};

// From whom to whom, by which version of IP.
struct Path {
  End from, to;
  bool is_ipv6 = false;
  Path back() const { return {to, from, is_ipv6}; }
};

// Big-endian, at the end.
void put8(Bytes& out, u64 value);
void put16(Bytes& out, u64 value);
void put24(Bytes& out, u64 value);
void put32(Bytes& out, u64 value);
void put64(Bytes& out, u64 value);
void put(Bytes& out, View more);

namespace flag {
inline constexpr u8 fin = 1, syn = 2, reset = 4, push = 8, ack = 16;
}

struct TcpHead {
  u16 source_port, target_port;
  u32 sequence, acknowledged;
  u8 flags;
};
// A SYN offers the widest window scale; every window is the widest.
Bytes tcp(const Path& path, const TcpHead& head, View payload);
Bytes udp(const Path& path, u16 source_port, u16 target_port, View payload);
// `rest`: the four bytes after the checksum. Of IPv6 where the path is, its numbers being the caller's affair.
Bytes icmp(const Path& path, u8 type, u8 code, u32 rest, View payload);

// `fragment` as in IPv4's header: flags and offset; 0x4000 is "do not fragment".
Bytes ip(const Path& path, u8 protocol, View transport, u16 fragment = 0x4000, u16 id = 0);
Bytes ethernet(const Path& path, u16 type, View payload);
// Behind tags, outermost first.
Bytes tagged(const Path& path, std::span<const u16> tags, u16 type, View payload);

u16 ether_type(const Path& path);
// An IP packet in its frame.
inline Bytes framed(const Path& path, View packet) { return ethernet(path, ether_type(path), packet); }

// RoCEv2 behind UDP, with its ICRC: BTH, `extended` headers, payload padded to four bytes.
// Sources: InfiniBand Architecture 1.7, sections 9.2 and 7.8; annex A17.
struct BaseTransport {
  u8 opcode;
  u32 queue_pair, sequence;
  bool asks_ack = false;
};
Bytes roce(const Path& path, const BaseTransport& head, View extended, View payload);

}  // namespace weir::thief
