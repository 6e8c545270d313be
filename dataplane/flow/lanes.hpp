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
// For a record that is free. A time that happens to be this number is kept one millisecond earlier.
inline constexpr u32 look_never = 0;
inline u32 look_at(u32 deadline_ms) { return deadline_ms - (deadline_ms == look_never); }

inline u32 match_tags_scalar(const u16* tags, u16 tag) {
  u32 hits = 0;
  for (u32 lane = 0; lane < 8; ++lane) hits |= u32{tags[lane] == tag} << lane;
  return hits;
}

inline u32 passed_lanes_scalar(const u32* looks, u32 now_ms) {
  u32 hits = 0;
  for (u32 lane = 0; lane < look_lanes; ++lane)
    hits |= u32{looks[lane] != look_never && deadline_passed(looks[lane], now_ms)} << lane;
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
inline u32 passed_lanes(const u32* looks, u32 now_ms) {
#if defined(__SSE2__)
  const __m128i now = _mm_set1_epi32(static_cast<int>(now_ms)), minus_one = _mm_set1_epi32(-1);
  const auto passed = [&](u32 at) {
    const __m128i four = _mm_loadu_si128(reinterpret_cast<const __m128i*>(looks + at));
    const __m128i none = _mm_cmpeq_epi32(four, _mm_setzero_si128());
    return _mm_andnot_si128(none, _mm_cmpgt_epi32(_mm_sub_epi32(now, four), minus_one));
  };
  const __m128i low = _mm_packs_epi32(passed(0), passed(4)), high = _mm_packs_epi32(passed(8), passed(12));
  return static_cast<u32>(_mm_movemask_epi8(_mm_packs_epi16(low, high)));
#elif defined(__ARM_NEON)
  alignas(16) static constexpr u8 weights[16] = {1, 2, 4, 8, 16, 32, 64, 128, 1, 2, 4, 8, 16, 32, 64, 128};
  const auto passed = [&](u32 at) {
    const uint32x4_t four = vld1q_u32(looks + at);
    const int32x4_t since = vreinterpretq_s32_u32(vsubq_u32(vdupq_n_u32(now_ms), four));
    return vmovn_u32(vandq_u32(vtstq_u32(four, four), vcgezq_s32(since)));
  };
  const uint16x8_t low = vcombine_u16(passed(0), passed(4)), high = vcombine_u16(passed(8), passed(12));
  const uint8x16_t bits = vandq_u8(vcombine_u8(vmovn_u16(low), vmovn_u16(high)), vld1q_u8(weights));
  return u32{vaddv_u8(vget_low_u8(bits))} | u32{vaddv_u8(vget_high_u8(bits))} << 8;
#else
  return passed_lanes_scalar(looks, now_ms);
#endif
}

}  // namespace weir
