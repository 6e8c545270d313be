// Bytes and big-endian integers as they stand on the wire. Be16 and Be32 do not convert to numbers by
// themselves, so that a byte swap is never forgotten and never done twice. Nothing here checks lengths.
#pragma once
#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>

namespace weir {

using u8 = std::uint8_t;
using u16 = std::uint16_t;
using u32 = std::uint32_t;
using u64 = std::uint64_t;
__extension__ using u128 = unsigned __int128;

static_assert(std::endian::native == std::endian::little, "images and keys assume a little-endian machine");

constexpr u16 swap(u16 v) { return __builtin_bswap16(v); }
constexpr u32 swap(u32 v) { return __builtin_bswap32(v); }
constexpr u64 swap(u64 v) { return __builtin_bswap64(v); }

// An integer in network byte order. `host()` is the number; `raw` is what stands on the wire.
template <class T>
struct BigEndian {
  T raw;
  constexpr T host() const { return swap(raw); }
  static constexpr BigEndian of(T host) { return {swap(host)}; }
  bool operator==(const BigEndian&) const = default;
};
using Be16 = BigEndian<u16>;
using Be32 = BigEndian<u32>;

// Unaligned loads. The caller has checked that sizeof(T) bytes are there.
template <class T>
inline T load(const void* at) {
  T value;
  std::memcpy(&value, at, sizeof value);
  return value;
}
inline u16 load_be16(const void* at) { return swap(load<u16>(at)); }
inline u32 load_be32(const void* at) { return swap(load<u32>(at)); }
inline u64 load_be64(const void* at) { return swap(load<u64>(at)); }

}  // namespace weir
