#include "dataplane/inspect/dns.hpp"

namespace weir {
namespace {

constexpr u16 class_internet = 1, type_opt = 41;
constexpr u8 pointer_mark = 0xc0;

// A message on its way through. Invariants: at <= bytes.size().
struct Reading {
  std::span<const u8> bytes;
  u32 at;

  bool has(u32 more) const { return bytes.size() - at >= more; }
};

// Labels from `at` on, at most the longest name in all. With `compressed` a pointer may end them, back to what stands
// before them. Leaves `at` behind the name where it stands.
bool read_name(Reading& reading, bool compressed) {
  u32 at = reading.at, before = reading.at, total = 0;
  bool has_jumped = false;
  while (at < reading.bytes.size()) {
    const u8 length = reading.bytes[at];
    if ((length & pointer_mark) == pointer_mark) {
      if (!compressed || reading.bytes.size() - at < 2) return false;
      const u32 to = load_be16(reading.bytes.data() + at) & 0x3fff;
      if (to < dns_header_bytes || to >= before) return false;
      if (!has_jumped) reading.at = at + 2;
      has_jumped = true;
      at = before = to;
      continue;
    }
    if ((length & pointer_mark) != 0) return false;
    total += length + 1u;
    if (total > dns_name_bytes_max) return false;
    at += length + 1u;
    if (length != 0) continue;
    if (!has_jumped) reading.at = at;
    return true;
  }
  return false;
}

// Every option whole, and padding that says nothing.
bool options_hold(std::span<const u8> options) {
  while (!options.empty()) {
    if (options.size() < 4) return false;
    const u32 code = load_be16(options.data()), bytes = load_be16(options.data() + 2);
    if (options.size() - 4 < bytes) return false;
    if (code == dns_option_padding)
      for (const u8 byte : options.subspan(4, bytes))
        if (byte != 0) return false;
    options = options.subspan(4 + bytes);
  }
  return true;
}

// One record; EDNS's own only where `may_be_opt`, which it then takes away.
bool read_record(Reading& reading, bool& may_be_opt, DnsMessage& message) {
  const bool is_root = reading.has(1) && reading.bytes[reading.at] == 0;
  if (!read_name(reading, true) || !reading.has(10)) return false;
  const u8* const fields = reading.bytes.data() + reading.at;
  const u16 type = load_be16(fields), record_class = load_be16(fields + 2);
  const u32 bytes = load_be16(fields + 8);
  reading.at += 10;
  if (!reading.has(bytes)) return false;
  const std::span<const u8> data = reading.bytes.subspan(reading.at, bytes);
  reading.at += bytes;
  if (type != type_opt) return record_class == class_internet;
  // Version 0, and of the flags DO alone; a query has no extended code.
  const bool has_code = fields[4] != 0;
  if (!may_be_opt || !is_root || fields[5] != 0 || (load_be16(fields + 6) & 0x7fff) != 0) return false;
  if ((has_code && !message.is_answer) || !options_hold(data)) return false;
  may_be_opt = false;
  message.options = data;
  return true;
}

// Of a query: recursion desired, checking disabled and authentic data may be set; of an answer all that are defined.
bool flags_hold(u16 flags, bool is_answer) {
  constexpr u16 operation = 0x7800, authoritative = 0x0400, truncated = 0x0200, available = 0x0080, zero = 0x0040;
  if ((flags & (operation | zero)) != 0) return false;
  return is_answer || (flags & (authoritative | truncated | available | 0x000f)) == 0;
}

}  // namespace

bool read_dns(std::span<const u8> bytes, DnsMessage& message) {
  if (bytes.size() < dns_header_bytes) return false;
  const u16 flags = load_be16(bytes.data() + 2);
  message = {};
  message.is_answer = (flags & 0x8000) != 0;
  u16 counts[4];
  for (u32 i = 0; i < 4; ++i) counts[i] = load_be16(bytes.data() + 4 + 2 * i);
  if (!flags_hold(flags, message.is_answer) || counts[0] != 1) return false;
  if (!message.is_answer && (counts[1] != 0 || counts[2] != 0 || counts[3] > 1)) return false;
  Reading reading{bytes, dns_header_bytes};
  if (!read_name(reading, false)) return false;
  message.name = bytes.subspan(dns_header_bytes, reading.at - dns_header_bytes);
  if (!reading.has(4)) return false;
  message.type = load_be16(bytes.data() + reading.at);
  if (load_be16(bytes.data() + reading.at + 2) != class_internet) return false;
  reading.at += 4;
  for (u32 section = 1; section < 4; ++section) {
    bool may_be_opt = section == 3;
    for (u32 i = 0; i < counts[section]; ++i) {
      const bool could = may_be_opt;
      if (!read_record(reading, may_be_opt, message)) return false;
      if (!message.is_answer && could == may_be_opt) return false;  // a query's only record is EDNS's
    }
  }
  return reading.at == bytes.size();
}

u32 registered_at(std::span<const u8> name) {
  u32 starts[3] = {0, 0, 0};  // of the last three labels, the last of all first
  u32 labels = 0;
  for (u32 at = 0; at < name.size() && name[at] != 0; at += name[at] + 1u) {
    starts[2] = starts[1], starts[1] = starts[0], starts[0] = at;
    ++labels;
  }
  if (labels < 3) return 0;
  const bool is_second_level = name[starts[0]] == 2 && name[starts[1]] <= 3;
  return starts[is_second_level ? 2 : 1];
}

}  // namespace weir
