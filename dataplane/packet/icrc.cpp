// Long runs are folded by carry-less multiplication where the machine has it (or by its CRC instruction, on arm64); the
// rest goes by tables, eight bytes at a time. All constants are computed here from the polynomial.
#include "dataplane/packet/icrc.hpp"

#include "dataplane/packet/rdma.hpp"

#include <array>

#if defined(__x86_64__)
#include <immintrin.h>
#else
#include <arm_acle.h>
#endif

namespace weir {
namespace {

// Headers up to and with BTH: the longest without extension headers is IPv6's.
constexpr u32 head_bytes_most = ipv6_bytes + udp_bytes + bth_bytes;

#if defined(__x86_64__)

constexpr u32 polynomial = 0x04c1'1db7;

constexpr u32 reflected(u32 word) {
  u32 turned = 0;
  for (u32 bit = 0; bit < 32; ++bit) turned |= (word >> bit & 1) << (31 - bit);
  return turned;
}

using Tables = std::array<std::array<u32, 256>, 8>;

// tables[n][b]: the remainder of byte b with n zero bytes behind it.
constexpr Tables tables = [] {
  Tables made{};
  for (u32 byte = 0; byte < 256; ++byte) {
    u32 crc = byte;
    for (u32 bit = 0; bit < 8; ++bit) crc = crc >> 1 ^ ((crc & 1) != 0 ? reflected(polynomial) : 0);
    made[0][byte] = crc;
  }
  for (u32 zeros = 1; zeros < 8; ++zeros)
    for (u32 byte = 0; byte < 256; ++byte) {
      const u32 before = made[zeros - 1][byte];
      made[zeros][byte] = before >> 8 ^ made[0][before & 0xff];
    }
  return made;
}();

u32 crc32_by_table(const u8* at, u32 bytes, u32 crc) {
  for (; bytes >= 8; at += 8, bytes -= 8) {
    const u64 word = load<u64>(at) ^ crc;
    const auto of = [word](u32 place) { return tables[7 - place][word >> 8 * place & 0xff]; };
    crc = of(0) ^ of(1) ^ of(2) ^ of(3) ^ of(4) ^ of(5) ^ of(6) ^ of(7);
  }
  for (; bytes != 0; ++at, --bytes) crc = crc >> 8 ^ tables[0][(crc ^ *at) & 0xff];
  return crc;
}

// x to this power, modulo the polynomial, as a factor of reflected words.
constexpr u64 factor(u32 power) {
  u32 word = 1;
  for (; power != 0; --power) word = word << 1 ^ (word >> 31 != 0 ? polynomial : 0);
  return u64{reflected(word)} << 1;
}

constexpr u32 fold_bytes = 16, folds = 4;  // folds at once, so that multiplications overlap

// Of a whole number of folds, at least four; `rest` has the same remainder as all of them had with `crc` before them.
[[gnu::target("pclmul")]] void fold(const u8* at, u32 bytes, u32 crc, u8* rest) {
  const auto load_at = [](const u8* from) __attribute__((target("pclmul"))) {
    return _mm_loadu_si128(reinterpret_cast<const __m128i*>(from));
  };
  const auto moved = [](__m128i by, __m128i lane) __attribute__((target("pclmul"))) {
    return _mm_xor_si128(_mm_clmulepi64_si128(lane, by, 0x00), _mm_clmulepi64_si128(lane, by, 0x11));
  };
  constexpr u64 far_low = factor(folds * 128 + 32), far_high = factor(folds * 128 - 32);
  constexpr u64 near_low = factor(128 + 32), near_high = factor(128 - 32);
  const __m128i far = _mm_set_epi64x(static_cast<long long>(far_high), static_cast<long long>(far_low));
  const __m128i near = _mm_set_epi64x(static_cast<long long>(near_high), static_cast<long long>(near_low));
  __m128i lanes[folds];
  for (u32 i = 0; i < folds; ++i) lanes[i] = load_at(at + i * fold_bytes);
  lanes[0] = _mm_xor_si128(lanes[0], _mm_cvtsi32_si128(static_cast<int>(crc)));
  at += folds * fold_bytes, bytes -= folds * fold_bytes;
  for (; bytes >= folds * fold_bytes; at += folds * fold_bytes, bytes -= folds * fold_bytes)
    for (u32 i = 0; i < folds; ++i) lanes[i] = _mm_xor_si128(moved(far, lanes[i]), load_at(at + i * fold_bytes));
  __m128i all = lanes[0];
  for (u32 i = 1; i < folds; ++i) all = _mm_xor_si128(moved(near, all), lanes[i]);
  for (; bytes != 0; at += fold_bytes, bytes -= fold_bytes) all = _mm_xor_si128(moved(near, all), load_at(at));
  _mm_storeu_si128(reinterpret_cast<__m128i*>(rest), all);
}

#endif

}  // namespace

#if defined(__x86_64__)

u32 crc32(const u8* at, u32 bytes, u32 crc, bool has_carryless) {
  if (has_carryless && bytes >= folds * fold_bytes) {
    u8 rest[fold_bytes];
    const u32 whole = bytes / fold_bytes * fold_bytes;
    fold(at, whole, crc, rest);
    crc = crc32_by_table(rest, fold_bytes, 0);
    at += whole, bytes -= whole;
  }
  return crc32_by_table(at, bytes, crc);
}

#else

u32 crc32(const u8* at, u32 bytes, u32 crc, bool) {
  for (; bytes >= 8; at += 8, bytes -= 8) crc = __crc32d(crc, load<u64>(at));
  for (; bytes != 0; ++at, --bytes) crc = __crc32b(crc, *at);
  return crc;
}

#endif

u32 icrc_of(const Headers& headers, const std::byte* frame, bool has_carryless) {
  const u8* ip = reinterpret_cast<const u8*>(frame) + headers.l3_offset;
  const u8* udp = reinterpret_cast<const u8*>(frame) + headers.l4_offset;
  const u32 ip_bytes = headers.is_ipv4 ? ipv4_bytes_least : ipv6_bytes;
  const u32 between = headers.l4_offset - headers.l3_offset - ip_bytes;  // options, extension headers
  u8 head[8 + head_bytes_most];
  std::memset(head, 0xff, 8);
  u8* const masked = head + 8;
  std::memcpy(masked, ip, ip_bytes);
  if (headers.is_ipv4) {
    masked[1] = masked[8] = masked[10] = masked[11] = 0xff;
  } else {
    masked[0] |= 0x0f;
    masked[1] = masked[2] = masked[3] = masked[7] = 0xff;
  }
  u8* const transport = masked + ip_bytes;
  std::memcpy(transport, udp, udp_bytes + bth_bytes);
  transport[6] = transport[7] = transport[udp_bytes + 4] = 0xff;
  u32 crc = crc32_begin;
  if (between == 0) [[likely]] {
    crc = crc32(head, 8 + ip_bytes + udp_bytes + bth_bytes, crc, has_carryless);
  } else {
    crc = crc32(head, 8 + ip_bytes, crc);
    crc = crc32(transport, udp_bytes + bth_bytes, crc32(ip + ip_bytes, between, crc));
  }
  const u32 rest = load_be16(udp + 4) - udp_bytes - bth_bytes - icrc_bytes;
  return ~crc32(udp + udp_bytes + bth_bytes, rest, crc, has_carryless);
}

bool icrc_holds(const Headers& headers, const std::byte* frame, bool has_carryless) {
  const std::byte* udp = frame + headers.l4_offset;
  return load<u32>(udp + load_be16(udp + 4) - icrc_bytes) == icrc_of(headers, frame, has_carryless);
}

}  // namespace weir
