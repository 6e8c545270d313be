// The two comparisons of the flow table that look at many small numbers at once: tags of a bucket and deadlines of a
// stretch. SSE2 or NEON by the build's baseline, else scalar; the scalar twins are always there, to test against.
#pragma once
#include "dataplane/base/tick.hpp"

#if defined(__SSE2__)
#include <emmintrin.h>
#elif defined(__ARM_NEON)
#include <arm_neon.h>
#endif

namespace weir {

inline constexpr u32 deadline_lanes = 16;
// The deadline of a record that is free: never passes.
inline constexpr u32 deadline_none = 0;

inline u32 match_tags_scalar(const u16* tags, u16 tag) {
  u32 hits = 0;
  for (u32 lane = 0; lane < 8; ++lane) hits |= u32{tags[lane] == tag} << lane;
  return hits;
}

inline u32 passed_lanes_scalar(const u32* deadlines, u32 now_ms) {
  u32 hits = 0;
  for (u32 lane = 0; lane < deadline_lanes; ++lane)
    hits |= u32{deadlines[lane] != deadline_none && deadline_passed(deadlines[lane], now_ms)} << lane;
  return hits;
}

// Bit i: tags[i] == tag, for 8 tags aligned to 16 bytes.
inline u32 match_tags(const u16* tags, u16 tag) {
#if defined(__SSE2__)
  const __m128i equal = _mm_cmpeq_epi16(_mm_load_si128(reinterpret_cast<const __m128i*>(tags)),
                                        _mm_set1_epi16(static_cast<short>(tag)));
  return static_cast<u32>(_mm_movemask_epi8(_mm_packs_epi16(equal, _mm_setzero_si128())));
#elif defined(__ARM_NEON)
  alignas(8) static constexpr u8 weights[8] = {1, 2, 4, 8, 16, 32, 64, 128};
  const uint8x8_t equal = vmovn_u16(vceqq_u16(vld1q_u16(tags), vdupq_n_u16(tag)));
  return vaddv_u8(vand_u8(equal, vld1_u8(weights)));
#else
  return match_tags_scalar(tags, tag);
#endif
}

// Bit i: deadlines[i] is that of a live record and has passed, for 16 deadlines of any alignment.
inline u32 passed_lanes(const u32* deadlines, u32 now_ms) {
#if defined(__SSE2__)
  const __m128i now = _mm_set1_epi32(static_cast<int>(now_ms)), minus_one = _mm_set1_epi32(-1);
  const auto passed = [&](u32 at) {
    const __m128i four = _mm_loadu_si128(reinterpret_cast<const __m128i*>(deadlines + at));
    const __m128i none = _mm_cmpeq_epi32(four, _mm_setzero_si128());
    return _mm_andnot_si128(none, _mm_cmpgt_epi32(_mm_sub_epi32(now, four), minus_one));
  };
  const __m128i low = _mm_packs_epi32(passed(0), passed(4)), high = _mm_packs_epi32(passed(8), passed(12));
  return static_cast<u32>(_mm_movemask_epi8(_mm_packs_epi16(low, high)));
#elif defined(__ARM_NEON)
  alignas(16) static constexpr u8 weights[16] = {1, 2, 4, 8, 16, 32, 64, 128, 1, 2, 4, 8, 16, 32, 64, 128};
  const auto passed = [&](u32 at) {
    const uint32x4_t four = vld1q_u32(deadlines + at);
    const int32x4_t since = vreinterpretq_s32_u32(vsubq_u32(vdupq_n_u32(now_ms), four));
    return vmovn_u32(vandq_u32(vtstq_u32(four, four), vcgezq_s32(since)));
  };
  const uint16x8_t low = vcombine_u16(passed(0), passed(4)), high = vcombine_u16(passed(8), passed(12));
  const uint8x16_t bits = vandq_u8(vcombine_u8(vmovn_u16(low), vmovn_u16(high)), vld1q_u8(weights));
  return u32{vaddv_u8(vget_low_u8(bits))} | u32{vaddv_u8(vget_high_u8(bits))} << 8;
#else
  return passed_lanes_scalar(deadlines, now_ms);
#endif
}

}  // namespace weir
