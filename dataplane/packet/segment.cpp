// Writing headers and summing them.
#include "dataplane/packet/segment.hpp"

#include "dataplane/packet/answer.hpp"
#include "dataplane/packet/checksum.hpp"
#include "dataplane/packet/numbers.hpp"

#include <algorithm>

namespace weir {
namespace {

constexpr u32 option_word = 4;  // each of ours takes one

template <class T>
void put(u8* at, T value) {
  const T raw = swap(value);
  std::memcpy(at, &raw, sizeof raw);
}

// Writes the header at `tcp`, of a segment between the ends that `headers` names; its length.
u32 put_header(u8* tcp, u16 source_port, u16 target_port, const Headers& headers, const BareSegment& segment) {
  const u32 bytes = tcp_bytes_least + options_bytes(segment.options);
  put(tcp, source_port);
  put(tcp + 2, target_port);
  put(tcp + 4, segment.sequence);
  put(tcp + 8, segment.acknowledged);
  tcp[12] = static_cast<u8>(bytes / 4 << 4);
  tcp[13] = segment.flags;
  put(tcp + 14, segment.window);
  put(tcp + 16, u32{0});
  u8* at = tcp + tcp_bytes_least;
  if (segment.options.mss != 0) {
    put(at, static_cast<u32>(option_mss << 24 | 4 << 16 | segment.options.mss));
    at += option_word;
  }
  if (segment.options.window_scale != no_scale) {
    put(at, static_cast<u32>(option_nop << 24 | option_scale << 16 | 3 << 8 | segment.options.window_scale));
    at += option_word;
  }
  if (segment.options.sack_permitted)
    put(at, static_cast<u32>(option_nop << 24 | option_nop << 16 | option_sack_permitted << 8 | 2));
  put_sum(tcp + 16, ones_sum(tcp, bytes, pseudo_sum(headers, bytes)));
  return bytes;
}

void put_ipv4_sum(u8* ip) {
  put(ip + 10, u16{0});
  put_sum(ip + 10, ones_sum(ip, (ip[0] & 15u) * 4));
}

}  // namespace

TcpOptions read_options(const u8* tcp, u32 header_bytes) {
  TcpOptions options;
  walk_options(tcp + tcp_bytes_least, header_bytes - tcp_bytes_least, [&](const u8* option) {
    if (option[0] == option_mss && option[1] == 4) options.mss = load_be16(option + 2);
    if (option[0] == option_scale && option[1] == 3) options.window_scale = std::min(option[2], scale_max);
    if (option[0] == option_sack_permitted && option[1] == 2) options.sack_permitted = true;
  });
  return options;
}

u32 options_bytes(const TcpOptions& options) {
  return option_word * (u32{options.mss != 0} + u32{options.window_scale != no_scale} + u32{options.sack_permitted});
}

TcpOptions options_within(const TcpOptions& options, u32 bytes) {
  TcpOptions within = options;
  if (options_bytes(within) > bytes) within.sack_permitted = false;
  if (options_bytes(within) > bytes) within.window_scale = no_scale;
  if (options_bytes(within) > bytes) within.mss = 0;
  return within;
}

u32 replace_segment(std::byte* frame, u32 bytes, u32 room, const Headers& headers, BareSegment& segment) {
  const u32 header_end = headers.l4_offset + tcp_bytes_least;
  segment.options = options_within(segment.options, std::max(bytes, room) - header_end);
  u8* const at = reinterpret_cast<u8*>(frame);
  u8* const tcp = at + headers.l4_offset;
  u8* const ip = at + headers.l3_offset;
  const u32 end = headers.l4_offset + put_header(tcp, load_be16(tcp), load_be16(tcp + 2), headers, segment);
  if (end < bytes) std::memset(at + end, 0, bytes - end);
  if (headers.is_ipv4) {
    put(ip + 2, static_cast<u16>(end - headers.l3_offset));
    put_ipv4_sum(ip);
  } else {
    put(ip + 4, static_cast<u16>(end - headers.l3_offset - ipv6_bytes));
  }
  return std::max(bytes, end);
}

u32 options_room(std::span<std::byte> room, std::span<const std::byte> frame, const Headers& headers) {
  const std::size_t bare =
      headers.l3_offset + (headers.is_ipv4 ? ipv4_bytes_least : ipv6_bytes) + std::size_t{tcp_bytes_least};
  const std::size_t limit = std::min(room.size(), frame.size());
  return limit < bare ? 0 : static_cast<u32>(limit - bare);
}

u32 answer_segment(std::span<std::byte> room, std::span<const std::byte> frame, const Headers& headers,
                   BareSegment& segment) {
  const u32 ip_bytes = headers.is_ipv4 ? ipv4_bytes_least : ipv6_bytes;
  const u32 tcp_offset = headers.l3_offset + ip_bytes;
  const u32 limit = static_cast<u32>(std::min(room.size(), frame.size()));
  if (limit < tcp_offset + tcp_bytes_least) return 0;
  segment.options = options_within(segment.options, limit - tcp_offset - tcp_bytes_least);
  u8* const out = reinterpret_cast<u8*>(room.data());
  const u8* const in = reinterpret_cast<const u8*>(frame.data());
  answer_link(out, in, headers.l3_offset);

  u8* const ip = out + headers.l3_offset;
  u8* const tcp = out + tcp_offset;
  const u32 tcp_bytes = put_header(tcp, headers.target_port, headers.source_port, headers, segment);
  if (headers.is_ipv4) {
    put(ip, static_cast<u32>(0x4500 << 16 | (ip_bytes + tcp_bytes)));
    put(ip + 4, u32{0x4000});  // no identification, not to be fragmented (RFC 6864 4.1)
    put(ip + 8, static_cast<u32>(own_hops << 24 | protocol_tcp << 16));
    const u32 source = static_cast<u32>(headers.target.low), target = static_cast<u32>(headers.source.low);
    std::memcpy(ip + 12, &source, sizeof source);
    std::memcpy(ip + 16, &target, sizeof target);
    put_ipv4_sum(ip);
  } else {
    put(ip, u32{6} << 28);
    put(ip + 4, static_cast<u32>(tcp_bytes << 16 | protocol_tcp << 8 | own_hops));
    std::memcpy(ip + 8, &headers.target, sizeof headers.target);
    std::memcpy(ip + 24, &headers.source, sizeof headers.source);
  }
  const u32 end = tcp_offset + tcp_bytes, padded = std::max(end, std::min(limit, ethernet_bytes_least));
  std::memset(out + end, 0, padded - end);
  return padded;
}

}  // namespace weir
