// Frames of a flood and of the flows beside it, written field by field into lent room. It writes what it is told, also
// what no host would send; only IPv4 header checksums are always right.
#pragma once
#include "dataplane/base/bytes.hpp"

namespace weir::flood {

inline constexpr u32 frame_room = 128;
inline constexpr u32 inside_network = 0x0a00'0000, outside_network = 0x0b00'0000;  // /16 and /8; fd00:a::, fd00:b::

struct Host {
  bool ipv6, inside;
  u64 number;
  bool operator==(const Host&) const = default;
};

struct TcpFields {
  u32 sequence, acknowledgement;
  u8 flags;
  bool options = false;  // of a SYN: segment size and window scale
};
inline constexpr u8 fin = 1, syn = 2, rst = 4, psh = 8, ack = 16, urg = 32;
inline constexpr u8 protocol_icmp4 = 1, protocol_of_tcp = 6, protocol_of_udp = 17, protocol_icmp6 = 58;

class Frame {
 public:
  explicit Frame(std::byte* at) : at_(at) {}
  u32 bytes() const { return bytes_; }

  Frame& put(u64 value, u32 octets) {
    while (octets-- != 0) at_[bytes_++] = static_cast<std::byte>(value >> 8 * octets);
    return *this;
  }
  Frame& ethernet(bool ipv6, bool to_inside) {
    put(0x0200'0000'0000 | to_inside, 6).put(0x0200'0000'0000 | !to_inside, 6);
    return put(ipv6 ? 0x86dd : 0x0800, 2);
  }
  // A header whose payload has so many bytes; `fragment` is the flags and offset as they stand in an IPv4 header.
  Frame& ip(const Host& source, const Host& target, u8 protocol, u32 payload_bytes, u16 fragment = 0, u16 id = 0) {
    if (source.ipv6) {
      put(0x6000'0000, 4).put(payload_bytes, 2).put(protocol, 1).put(64, 1);
      return address(source).address(target);
    }
    const u32 start = bytes_;
    put(0x4500, 2).put(20 + payload_bytes, 2).put(id, 2).put(fragment, 2).put(64, 1).put(protocol, 1).put(0, 2);
    address(source).address(target);
    u32 sum = 0;
    for (u32 i = start; i < bytes_; i += 2) sum += load_be16(at_ + i);
    sum = (sum & 0xffff) + (sum >> 16);
    const u16 wire = swap(static_cast<u16>(~(sum + (sum >> 16))));
    std::memcpy(at_ + start + 10, &wire, 2);
    return *this;
  }
  Frame& tcp(u16 source, u16 target, const TcpFields& fields, u32 data_bytes) {
    put(source, 2).put(target, 2).put(fields.sequence, 4).put(fields.acknowledgement, 4);
    put(fields.options ? 0x70 : 0x50, 1).put(fields.flags, 1).put(fields.options ? 65535 : 512, 2).put(0, 4);
    if (fields.options) put(0x0204'05b4'0103'0307, 8);
    return zeros(data_bytes);
  }
  Frame& udp(u16 source, u16 target, u32 data_bytes) {
    return put(source, 2).put(target, 2).put(8 + data_bytes, 2).put(0, 2).zeros(data_bytes);
  }
  Frame& echo(u8 type, u16 identifier, u16 number) {
    return put(type, 1).put(0, 3).put(identifier, 2).put(number, 2).zeros(16);
  }
  Frame& zeros(u32 count) {
    std::memset(at_ + bytes_, 0, count);
    bytes_ += count;
    return *this;
  }

 private:
  Frame& address(const Host& host) {
    if (host.ipv6) return put(host.inside ? 0xfd00'000a'0000'0000 : 0xfd00'000b'0000'0000, 8).put(host.number, 8);
    return put(host.inside ? inside_network | (host.number & 0xffff) : outside_network | (host.number & 0xff'ffff), 4);
  }

  std::byte* at_;
  u32 bytes_ = 0;
};

inline u32 tcp_bytes(const TcpFields& fields, u32 data_bytes) { return (fields.options ? 28 : 20) + data_bytes; }

}  // namespace weir::flood
