#include "dataplane/packet/scrub.hpp"

#include "dataplane/packet/checksum.hpp"
#include "dataplane/packet/segment.hpp"

#include <algorithm>

namespace weir {
namespace {

constexpr u32 ipv4_sum_at = 10, tcp_sum_at = 16, udp_sum_at = 6, icmp_sum_at = 2, gre_sum_at = 4;
constexpr u32 quoted_bytes = 8, quoted_rdma_bytes = 20;  // RFC 792: what every error has; UDP and BTH

// Two bytes on the wire at an even offset of what `sum` covers.
bool put(u8* at, u16 raw, u8* sum) {
  const u16 before = load<u16>(at);
  if (before == raw) return false;
  std::memcpy(at, &raw, sizeof raw);
  if (sum != nullptr) update_sum(sum, before, raw);
  return true;
}

// A byte at any offset `from` where `sum` begins to count.
bool put_byte(u8* from, u32 offset, u8 value, u8* sum) {
  u8 pair[2];
  u8* const at = from + offset / 2 * 2;
  std::memcpy(pair, at, sizeof pair);
  pair[offset % 2] = value;
  return put(at, load<u16>(pair), sum);
}

// The sums of tunnels' own headers cover all that they carry; what has a right sum inside adds nothing to them, an IPv6
// header has none.
void update_outsides(u8* frame, const Headers& headers, u32 from, u32 to) {
  for (u32 depth = 0; depth < headers.tunnels; ++depth) {
    const Outside& outside = headers.outsides[depth];
    u8* const outer = frame + outside.l4_offset;
    const bool udp_has = outside.protocol == protocol_udp && load<u16>(outer + udp_sum_at) != 0;
    const bool gre_has = outside.protocol == protocol_gre && (outer[0] & 0x80) != 0;
    if (udp_has || gre_has) update_sum(outer + (udp_has ? udp_sum_at : gre_sum_at), from, to);
  }
}

bool scrub_ipv4(u8* ip, u16 identification) {
  const u16 field = load_be16(ip + 6);
  const bool may_be_fragmented = (field & 0x4000) == 0;
  return put(ip + 4, may_be_fragmented ? swap(identification) : u16{0}, ip + ipv4_sum_at);
}

bool scrub_ipv6(u8* frame, const Headers& headers) {
  u8* const ip = frame + headers.l3_offset;
  const u32 before = load<u32>(ip), after = swap(swap(before) & 0xfff0'0000);
  if (before == after) return false;
  std::memcpy(ip, &after, sizeof after);
  update_outsides(frame, headers, before, after);
  return true;
}

bool stays(u8 option, bool synchronises) {
  if (option == option_sack) return true;
  return synchronises && (option == option_mss || option == option_scale || option == option_sack_permitted);
}

bool scrub_options(u8* tcp, u32 header_bytes, bool synchronises) {
  bool has_changed = false;
  const auto put_here = [&](u32 offset, u8 value) {
    has_changed |= put_byte(tcp, offset, value, tcp + tcp_sum_at);
  };
  u32 at = tcp_bytes_least;
  while (at < header_bytes && tcp[at] != option_end) {
    const u32 bytes = tcp[at] == option_nop ? 1 : tcp[at + 1];
    if (!stays(tcp[at], synchronises))
      for (u32 i = 0; i < bytes; ++i) put_here(at + i, option_nop);
    at += bytes;
  }
  for (; at < header_bytes; ++at) put_here(at, 0);
  return has_changed;
}

bool scrub_tcp(u8* tcp) {
  u8* const sum = tcp + tcp_sum_at;
  const u8 flags = tcp[13];
  bool has_changed = put_byte(tcp, 12, tcp[12] & 0xf0, sum);
  has_changed |= put_byte(tcp, 13, flags & static_cast<u8>(~tcp_urg), sum);
  has_changed |= put(tcp + 18, 0, sum);
  return scrub_options(tcp, (tcp[12] >> 4) * 4u, (flags & tcp_syn) != 0) || has_changed;
}

bool clear(std::span<u8> bytes) {
  if (std::ranges::all_of(bytes, [](u8 byte) { return byte == 0; })) return false;
  std::memset(bytes.data(), 0, bytes.size());
  return true;
}

// The sum of an ICMP message of so many bytes, afresh.
void sum_icmp(u8* message, u32 bytes, const Headers& headers) {
  std::memset(message + icmp_sum_at, 0, 2);
  put_sum(message + icmp_sum_at, ones_sum(message, bytes, headers.is_ipv4 ? 0 : pseudo_sum(headers, bytes)));
}

bool scrub_error(u8* frame, const Headers& headers) {
  const u32 end = headers.payload_offset + headers.payload_bytes;
  const bool is_rdma = headers.key.flow_class() == FlowClass::rdma;
  const u32 from = std::min(headers.quote_offset + (is_rdma ? quoted_rdma_bytes : quoted_bytes), end);
  if (!clear({frame + from, end - from})) return false;
  sum_icmp(frame + headers.l4_offset, end - headers.l4_offset, headers);
  return true;
}

}  // namespace

bool scrub(std::byte* data, u32 bytes, const Headers& headers, u16 identification) {
  if (headers.rdma_opcode != rdma_opcode_none) return false;
  u8* const frame = reinterpret_cast<u8*>(data);
  u8* const ip = frame + headers.l3_offset;
  bool has_changed = headers.is_ipv4 ? scrub_ipv4(ip, identification) : scrub_ipv6(frame, headers);
  if (headers.kind == PacketKind::icmp_error) {
    has_changed |= scrub_error(frame, headers);
  } else if (headers.protocol == protocol_tcp) {
    has_changed |= scrub_tcp(frame + headers.l4_offset);
  }
  const u32 end = headers.l3_offset + (headers.is_ipv4 ? load_be16(ip + 2) : ipv6_bytes + load_be16(ip + 4));
  if (headers.tunnels == 0 && end < bytes) has_changed |= clear({frame + end, bytes - end});
  return has_changed;
}

bool normalise_echo(std::byte* data, const Headers& headers) {
  u8* const frame = reinterpret_cast<u8*>(data);
  u8* const payload = frame + headers.payload_offset;
  bool has_changed = false;
  for (u32 i = 0; i < headers.payload_bytes; ++i) {
    has_changed |= payload[i] != static_cast<u8>(i);
    payload[i] = static_cast<u8>(i);
  }
  if (has_changed) sum_icmp(frame + headers.l4_offset, icmp_bytes + headers.payload_bytes, headers);
  return has_changed;
}

}  // namespace weir
