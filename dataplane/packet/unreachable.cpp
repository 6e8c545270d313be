// Writing headers and summing them.
#include "dataplane/packet/unreachable.hpp"

#include "dataplane/packet/answer.hpp"
#include "dataplane/packet/checksum.hpp"
#include "dataplane/packet/numbers.hpp"

#include <algorithm>

namespace weir {
namespace {

constexpr u32 error_bytes = 8, quoted_payload_least = 8;
constexpr u32 quote_max_ipv4 = 576 - ipv4_bytes_least - error_bytes;  // RFC 1812 4.3.2.3
constexpr u32 quote_max_ipv6 = 1280 - ipv6_bytes - error_bytes;       // RFC 4443 3.1: within the least MTU

void put16(u8* at, u32 value) {
  at[0] = static_cast<u8>(value >> 8);
  at[1] = static_cast<u8>(value);
}

bool is_ipv4_group(u32 wire) {
  const u32 first = wire & 0xff;  // as on the wire: the first byte is the lowest
  return first >= 224 || wire == 0;
}

void put_ipv4(u8* out, const u8* in, u32 quote) {
  std::memset(out, 0, ipv4_bytes_least + error_bytes);
  out[0] = 0x45;
  put16(out + 2, ipv4_bytes_least + error_bytes + quote);
  put16(out + 6, 0x4000);  // no identification, not to be fragmented (RFC 6864 4.1)
  out[8] = own_hops;
  out[9] = protocol_icmp;
  std::memcpy(out + 12, in + 16, 4);
  std::memcpy(out + 16, in + 12, 4);
  put_sum(out + 10, ones_sum(out, ipv4_bytes_least));
  u8* icmp = out + ipv4_bytes_least;
  icmp[0] = 3;
  icmp[1] = 13;
  std::memcpy(icmp + error_bytes, in, quote);
  put_sum(icmp + 2, ones_sum(icmp, error_bytes + quote));
}

void put_ipv6(u8* out, const u8* in, u32 quote) {
  std::memset(out, 0, ipv6_bytes + error_bytes);
  out[0] = 0x60;
  put16(out + 4, error_bytes + quote);
  out[6] = protocol_icmp6;
  out[7] = own_hops;
  std::memcpy(out + 8, in + 24, 16);
  std::memcpy(out + 24, in + 8, 16);
  u8* icmp = out + ipv6_bytes;
  icmp[0] = 1;
  icmp[1] = 1;
  std::memcpy(icmp + error_bytes, in, quote);
  const u8 rest[4] = {out[4], out[5], 0, protocol_icmp6};  // of the pseudo-header, beside the addresses
  put_sum(icmp + 2, ones_sum(icmp, error_bytes + quote, ones_sum(out + 8, 32, ones_sum(rest, sizeof rest))));
}

}  // namespace

bool may_be_answered(std::span<const std::byte> frame, const Headers& headers) {
  const u8* at = reinterpret_cast<const u8*>(frame.data());
  if (headers.kind != PacketKind::flow || headers.tunnels != 0 || (at[0] & 1) != 0) return false;
  if (headers.is_ipv4) {
    const bool is_fragment = (load_be16(at + headers.l3_offset + 6) & 0x3fff) != 0;
    return !is_fragment && !is_ipv4_group(static_cast<u32>(headers.target.low));
  }
  const bool is_group = (headers.target.high & 0xff) == 0xff;
  return !is_group && headers.l4_offset == headers.l3_offset + ipv6_bytes;
}

bool unreachable_fits(std::span<const std::byte> room, std::span<const std::byte> frame, const Headers& headers) {
  const u32 ip_bytes = headers.is_ipv4 ? ipv4_bytes_least : ipv6_bytes;
  const u32 least = headers.l4_offset - headers.l3_offset + quoted_payload_least;
  return std::min(room.size(), frame.size()) >= headers.l3_offset + ip_bytes + error_bytes + least;
}

u32 answer_unreachable(std::span<std::byte> room, std::span<const std::byte> frame, const Headers& headers) {
  const u8* link = reinterpret_cast<const u8*>(frame.data());
  const u8* in = link + headers.l3_offset;
  const u32 ip_bytes = headers.is_ipv4 ? ipv4_bytes_least : ipv6_bytes;
  // What is quoted is the packet, without Ethernet padding: as much of it as leaves the answer no longer.
  const u32 packet_bytes = headers.is_ipv4 ? load_be16(in + 2) : ipv6_bytes + u32{load_be16(in + 4)};
  const u32 limit = static_cast<u32>(std::min(room.size(), frame.size()));
  const u32 quote = std::min({packet_bytes, limit - headers.l3_offset - ip_bytes - error_bytes,
                              headers.is_ipv4 ? quote_max_ipv4 : quote_max_ipv6});
  u8* out = reinterpret_cast<u8*>(room.data());
  answer_link(out, link, headers.l3_offset);
  u8* const ip = out + headers.l3_offset;
  headers.is_ipv4 ? put_ipv4(ip, in, quote) : put_ipv6(ip, in, quote);
  return headers.l3_offset + ip_bytes + error_bytes + quote;
}

}  // namespace weir
