// The two comparisons of the flow table that look at many small numbers at once: tags of a bucket, and the times at
// which ageing must look at records. SSE2 or NEON by the build's baseline, else scalar; the scalar twins are always
// there, to test against.
#pragma once
#include "dataplane/base/tick.hpp"

#if defined(__SSE2__)
#include <immintrin.h>
#elif defined(__ARM_NEON)
#include <arm_neon.h>
#endif

namespace weir {

inline constexpr u32 look_lanes = 16;
// For a record that is free. A time that happens to be this number is kept one beat earlier.
inline constexpr Beat look_never = 0;
inline Beat look_at(Beat deadline) { return static_cast<Beat>(deadline - (deadline == look_never)); }

inline u32 match_tags_scalar(const u16* tags, u16 tag) {
  u32 hits = 0;
  for (u32 lane = 0; lane < 8; ++lane) hits |= u32{tags[lane] == tag} << lane;
  return hits;
}

inline u32 passed_lanes_scalar(const Beat* looks, Beat now) {
  u32 hits = 0;
  for (u32 lane = 0; lane < look_lanes; ++lane)
    hits |= u32{looks[lane] != look_never && deadline_passed(looks[lane], now)} << lane;
  return hits;
}

// Bit i: tags[i] == tag, for 8 tags aligned to 16 bytes.
inline u32 match_tags(const u16* tags, u16 tag) {
#if defined(__SSE2__)
  const __m128i equal =
      _mm_cmpeq_epi16(_mm_load_si128(reinterpret_cast<const __m128i*>(tags)), _mm_set1_epi16(static_cast<short>(tag)));
  return static_cast<u32>(_mm_movemask_epi8(_mm_packs_epi16(equal, _mm_setzero_si128())));
#elif defined(__ARM_NEON)
  alignas(8) static constexpr u8 weights[8] = {1, 2, 4, 8, 16, 32, 64, 128};
  const uint8x8_t equal = vmovn_u16(vceqq_u16(vld1q_u16(tags), vdupq_n_u16(tag)));
  return vaddv_u8(vand_u8(equal, vld1_u8(weights)));
#else
  return match_tags_scalar(tags, tag);
#endif
}

// Bit i: looks[i] has passed, for 16 of any alignment.
inline u32 passed_lanes(const Beat* looks, Beat now) {
#if defined(__SSE2__)
  const __m128i wanted = _mm_set1_epi16(static_cast<short>(now)), minus_one = _mm_set1_epi16(-1);
  const auto passed = [&](u32 at) {
    const __m128i eight = _mm_loadu_si128(reinterpret_cast<const __m128i*>(looks + at));
    const __m128i none = _mm_cmpeq_epi16(eight, _mm_setzero_si128());
    return _mm_andnot_si128(none, _mm_cmpgt_epi16(_mm_sub_epi16(wanted, eight), minus_one));
  };
  return static_cast<u32>(_mm_movemask_epi8(_mm_packs_epi16(passed(0), passed(8))));
#elif defined(__ARM_NEON)
  alignas(8) static constexpr u8 weights[8] = {1, 2, 4, 8, 16, 32, 64, 128};
  const auto passed = [&](u32 at) {
    const uint16x8_t eight = vld1q_u16(looks + at);
    const int16x8_t since = vreinterpretq_s16_u16(vsubq_u16(vdupq_n_u16(now), eight));
    const uint16x8_t both = vandq_u16(vtstq_u16(eight, eight), vcgezq_s16(since));
    return u32{vaddv_u8(vand_u8(vmovn_u16(both), vld1_u8(weights)))};
  };
  return passed(0) | passed(8) << 8;
#else
  return passed_lanes_scalar(looks, now);
#endif
}

}  // namespace weir
