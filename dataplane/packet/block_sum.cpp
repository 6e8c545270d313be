// Vectors of the baselines and AVX2.
#include "dataplane/packet/block_sum.hpp"

#if defined(__x86_64__)
#include <immintrin.h>
#else
#include <arm_neon.h>
#endif

namespace weir {

#if defined(__x86_64__)

namespace {

// The multiplication that adds pairs takes words as signed: each counts 0x8000 too little.
constexpr u64 unsigned_by = u64{block_bytes / 2} * 0x8000;

inline u64 lanes_sum(__m128i lanes, u32 blocks) {
  lanes = _mm_add_epi32(lanes, _mm_shuffle_epi32(lanes, 0x4e));
  lanes = _mm_add_epi32(lanes, _mm_shuffle_epi32(lanes, 0xb1));
  return static_cast<u64>(std::int64_t{_mm_cvtsi128_si32(lanes)}) + blocks * unsigned_by;
}

}  // namespace

[[gnu::target("avx2")]] u64 block_sum_wide(const u8* at, u32 blocks) {
  const __m256i sign = _mm256_set1_epi16(-0x8000), one = _mm256_set1_epi16(1);
  __m256i a = _mm256_setzero_si256(), b = a;
  for (u32 block = 0; block < blocks; ++block, at += block_bytes) {
    const __m256i low = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(at));
    const __m256i high = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(at + 32));
    a = _mm256_add_epi32(a, _mm256_madd_epi16(_mm256_xor_si256(low, sign), one));
    b = _mm256_add_epi32(b, _mm256_madd_epi16(_mm256_xor_si256(high, sign), one));
  }
  a = _mm256_add_epi32(a, b);
  return lanes_sum(_mm_add_epi32(_mm256_castsi256_si128(a), _mm256_extracti128_si256(a, 1)), blocks);
}

u64 block_sum_plain(const u8* at, u32 blocks) {
  const __m128i sign = _mm_set1_epi16(-0x8000), one = _mm_set1_epi16(1);
  __m128i a = _mm_setzero_si128(), b = a;
  for (u32 i = 0; i < blocks * 2; ++i, at += 32) {
    const __m128i low = _mm_loadu_si128(reinterpret_cast<const __m128i*>(at));
    const __m128i high = _mm_loadu_si128(reinterpret_cast<const __m128i*>(at + 16));
    a = _mm_add_epi32(a, _mm_madd_epi16(_mm_xor_si128(low, sign), one));
    b = _mm_add_epi32(b, _mm_madd_epi16(_mm_xor_si128(high, sign), one));
  }
  return lanes_sum(_mm_add_epi32(a, b), blocks);
}

#else

u64 block_sum_plain(const u8* at, u32 blocks) {
  uint32x4_t a = vdupq_n_u32(0), b = a;
  for (u32 i = 0; i < blocks * 2; ++i, at += 32) {
    a = vpadalq_u16(a, vreinterpretq_u16_u8(vld1q_u8(at)));
    b = vpadalq_u16(b, vreinterpretq_u16_u8(vld1q_u8(at + 16)));
  }
  return u64{vaddlvq_u32(a)} + vaddlvq_u32(b);
}

u64 block_sum_wide(const u8* at, u32 blocks) { return block_sum_plain(at, blocks); }

#endif

}  // namespace weir
