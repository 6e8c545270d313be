// Compiled patterns as they go from compiler to dataplane: what they are called, the set that each is of, and two
// databases of Hyperscan's, for streams and for single packets. Little-endian; sections follow each other, each with
// zeros up to eight bytes.
//
// {PatternImageHeader, PatternRow[patterns], u32 name of each set, names (each ends in a zero), stream database,
// packet database}. A pattern is known by its index. Databases are for the kind of processor that compiled them:
// Hyperscan refuses others, and checks its own sums. Whoever hands one over must be trusted as the one who hands over a
// policy is.
#pragma once
#include "dataplane/base/bytes.hpp"

#include <span>
#include <string_view>

namespace weir {

inline constexpr u64 pattern_image_magic = 0x3150'5452'4945'5700;  // "\0WEIRTP1"
inline constexpr u32 pattern_sets_max = 64;
inline constexpr u32 patterns_max = 65536;

struct PatternImageHeader {
  u64 magic;
  u32 patterns, sets;
  u32 names_bytes, stream_bytes, packet_bytes;
  u32 zero;
};
static_assert(sizeof(PatternImageHeader) == 32);

struct PatternRow {
  u32 name;  // offset in names
  u8 set;
  u8 at_beginning;  // 1: stands at a fixed offset of a stream or message
  u16 zero;
};
static_assert(sizeof(PatternRow) == 8);

constexpr u64 to_eight(u64 bytes) { return (bytes + 7) & ~u64{7}; }

// What a pattern of an image is called; empty where the image does not say.
inline std::string_view pattern_name(std::span<const std::byte> image, u32 pattern) {
  if (image.size() < sizeof(PatternImageHeader)) return {};
  const auto header = load<PatternImageHeader>(image.data());
  const u64 names_at = sizeof header + header.patterns * sizeof(PatternRow) + to_eight(header.sets * sizeof(u32));
  if (pattern >= header.patterns || names_at + header.names_bytes > image.size()) return {};
  const auto row = load<PatternRow>(image.data() + sizeof header + pattern * sizeof(PatternRow));
  if (row.name >= header.names_bytes) return {};
  const auto* const first = reinterpret_cast<const char*>(image.data()) + names_at + row.name;
  u32 bytes = 0;
  while (row.name + bytes < header.names_bytes && first[bytes] != '\0') ++bytes;
  return {first, bytes};
}

}  // namespace weir
