// Fields and their checksums.
#include "dataplane/flow/translation.hpp"

#include "dataplane/packet/numbers.hpp"

#include <algorithm>

namespace weir {
namespace {

constexpr u32 sequence_at = 4, acknowledged_at = 8, flags_at = 13, window_at = 14, checksum_at = 16;
constexpr u32 window_max = 0xffff;

u32 scale_of(const FlowRecord& record, u32 from) { return from == 0 ? record.opener_scale : record.replier_scale; }

void put(u8* at, u32 value) {
  const u32 raw = swap(value);
  std::memcpy(at, &raw, sizeof raw);
}

// A SYN's window is not scaled, and that of a RST says nothing.
bool is_windowed(u8 flags) { return (flags & (tcp_syn | tcp_rst)) == 0; }

u32 halves_swapped(u32 word) { return (word & 0x00ff'00ff) << 8 | (word >> 8 & 0x00ff'00ff); }

// Adds to a number in the segment that starts at `tcp`.
void shift(u8* tcp, u32 at, u32 by) {
  const u32 before = load<u32>(tcp + at), after = swap(swap(before) + by);
  std::memcpy(tcp + at, &after, sizeof after);
  if (at % 2 == 0)
    update_sum(tcp + checksum_at, before, after);
  else
    update_sum(tcp + checksum_at, halves_swapped(before), halves_swapped(after));
}

void set_window(u8* tcp, u16 field) {
  const u16 before = load<u16>(tcp + window_at), after = swap(field);
  if (before == after) return;
  std::memcpy(tcp + window_at, &after, sizeof after);
  update_sum(tcp + checksum_at, before, after);
}

// The blocks of every SACK option: pairs of numbers.
void shift_sack(u8* tcp, u32 header_bytes, u32 by) {
  walk_options(tcp + tcp_bytes_least, header_bytes - tcp_bytes_least, [&](const u8* option) {
    if (option[0] != option_sack) return;
    const u32 begin = static_cast<u32>(option - tcp), end = begin + option[1];
    for (u32 number = begin + 2; number + 4 <= end; number += 4) shift(tcp, number, by);
  });
}

}  // namespace

u32 window_bytes(u32 scale, u16 field) { return u32{field} << (scale == no_scale ? 0 : scale); }

u16 translated_window(const FlowRecord& record, u32 from, u16 field) {
  if (record.opener_scale == no_scale) return field;  // neither side scales
  const u32 bytes = window_bytes(scale_of(record, from), field);
  if (from == 1) return static_cast<u16>(std::min(bytes == 0 ? 0 : std::max(bytes >> proxy_scale, 1u), window_max));
  return record.replier_scale == no_scale ? static_cast<u16>(std::min(bytes, window_max)) : field;
}

TcpFate follow_translated(FlowRecord& record, u32 from, const u8* tcp, u32 header_bytes, u32 payload, u32 offset,
                          const TcpProfile& profile) {
  std::byte followed[tcp_header_bytes_max];
  std::memcpy(followed, tcp, header_bytes);
  if (from == 1) {
    u8* const at = reinterpret_cast<u8*>(followed);
    put(at + sequence_at, load_be32(tcp + sequence_at) + offset);
    if (is_windowed(tcp[flags_at])) {
      const u16 window = swap(translated_window(record, from, load_be16(tcp + window_at)));
      std::memcpy(at + window_at, &window, sizeof window);
    }
  }
  // While it is followed, the record has the scales that the client knows.
  const u32 opener_scale = record.opener_scale, replier_scale = record.replier_scale;
  record.opener_scale = opener_scale == no_scale ? 0 : opener_scale & 15;
  record.replier_scale = opener_scale == no_scale ? 0 : proxy_scale & 15;
  const TcpFate fate = follow_tcp(record, from, followed, payload, profile);
  record.opener_scale = opener_scale & 15;
  record.replier_scale = replier_scale & 15;
  return fate;
}

void translate_segment(u8* tcp, u32 header_bytes, const FlowRecord& record, u32 from, u32 offset) {
  const u8 flags = tcp[flags_at];
  if (from == 1) {
    shift(tcp, sequence_at, offset);
  } else if (flags & tcp_ack) {
    shift(tcp, acknowledged_at, 0 - offset);
    shift_sack(tcp, header_bytes, 0 - offset);
  }
  if (is_windowed(flags)) set_window(tcp, translated_window(record, from, load_be16(tcp + window_at)));
}

bool translate_quote(u8* tcp, u32 bytes, u8* sum, u32 from, u32 offset) {
  const u32 at = from == 1 ? sequence_at : acknowledged_at;
  if (at + 4 > bytes || (from == 0 && bytes > flags_at && (tcp[flags_at] & tcp_ack) == 0)) return false;
  const u32 before = load<u32>(tcp + at), after = swap(swap(before) + (from == 1 ? 0 - offset : offset));
  std::memcpy(tcp + at, &after, sizeof after);
  update_sum(sum, before, after);
  if (bytes < checksum_at + 2) return true;
  const u16 quoted_before = load<u16>(tcp + checksum_at);
  update_sum(tcp + checksum_at, before, after);
  update_sum(sum, quoted_before, load<u16>(tcp + checksum_at));
  return true;
}

}  // namespace weir
