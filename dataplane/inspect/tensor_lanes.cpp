// A lane per byte of a vector counts for itself: vectors are a multiple of four bytes, so a lane's place modulo 4 never
// changes. Lanes are added up before they can run over.
#include "dataplane/inspect/tensor.hpp"

#if defined(__x86_64__)
#include <immintrin.h>
#endif

namespace weir {

namespace {

constexpr u8 weight_low = 0x3a, weight_span = 0x3e - 0x3a;
constexpr u8 half_low = 0x10, half_span = 0x37 - 0x10;
constexpr u32 lane_max = 255;

// Sixteen lanes as both baselines have them: SSE on x86-64, NEON on arm64.
using Lanes16 = u8 __attribute__((vector_size(16)));

struct Counts16 {
  Lanes16 weight, half, negative, second, uneven;
};

inline void count_16(Counts16& lanes, Lanes16 bytes) {
  const Lanes16 size = bytes & 0x7f, second = bytes >> 1;
  // A comparison gives lanes of all ones, which is minus one.
  lanes.weight -= reinterpret_cast<Lanes16>(size - weight_low <= weight_span);
  lanes.half -= reinterpret_cast<Lanes16>(size - half_low <= half_span);
  lanes.negative += bytes >> 7;
  lanes.second += second & 1;
  lanes.uneven += (second ^ bytes) & 1;
}

inline void fold_16(u16 (&to)[4], Lanes16 lanes) {
  u16 sums[4]{};
  for (u32 lane = 0; lane < 16; ++lane) sums[lane & 3] = static_cast<u16>(sums[lane & 3] + lanes[lane]);
  for (u32 place = 0; place < 4; ++place) to[place] = static_cast<u16>(to[place] + sums[place]);
}

#if defined(__x86_64__)

// Adds the 16 lanes, each at most lane_max * 4, of the even places (0, 2) and of the odd ones (1, 3) in words.
inline void add_words(u16 (&to)[4], __m128i even, __m128i odd) {
  // Words of even: places 0, 2, 0, 2 ... ; of odd: 1, 3, 1, 3 ...
  __m128i words = _mm_add_epi16(_mm_unpacklo_epi16(even, odd), _mm_unpackhi_epi16(even, odd));  // 0, 1, 2, 3, 0 ...
  words = _mm_add_epi16(words, _mm_unpackhi_epi64(words, words));
  words = _mm_add_epi16(words, _mm_loadl_epi64(reinterpret_cast<const __m128i*>(to)));
  _mm_storel_epi64(reinterpret_cast<__m128i*>(to), words);
}

[[gnu::target("avx2")]] inline void fold_256(u16 (&to)[4], __m256i lanes) {
  const __m256i low = _mm256_set1_epi16(0xff);
  const __m256i even = _mm256_and_si256(lanes, low), odd = _mm256_srli_epi16(lanes, 8);
  add_words(to, _mm_add_epi16(_mm256_castsi256_si128(even), _mm256_extracti128_si256(even, 1)),
            _mm_add_epi16(_mm256_castsi256_si128(odd), _mm256_extracti128_si256(odd, 1)));
}

struct Counts256 {
  __m256i weight, half, negative, second, uneven;
};

[[gnu::target("avx2")]] inline void count_256(Counts256& lanes, __m256i bytes) {
  const __m256i size = _mm256_and_si256(bytes, _mm256_set1_epi8(0x7f));
  const __m256i weight = _mm256_sub_epi8(size, _mm256_set1_epi8(weight_low));
  const __m256i half = _mm256_sub_epi8(size, _mm256_set1_epi8(half_low));
  const __m256i is_weight = _mm256_cmpeq_epi8(_mm256_min_epu8(weight, _mm256_set1_epi8(weight_span)), weight);
  const __m256i is_half = _mm256_cmpeq_epi8(_mm256_min_epu8(half, _mm256_set1_epi8(half_span)), half);
  lanes.weight = _mm256_sub_epi8(lanes.weight, is_weight);
  lanes.half = _mm256_sub_epi8(lanes.half, is_half);
  lanes.negative = _mm256_sub_epi8(lanes.negative, _mm256_cmpgt_epi8(_mm256_setzero_si256(), bytes));
  const __m256i one = _mm256_set1_epi8(1), second = _mm256_srli_epi16(bytes, 1);
  lanes.second = _mm256_add_epi8(lanes.second, _mm256_and_si256(second, one));
  lanes.uneven = _mm256_add_epi8(lanes.uneven, _mm256_and_si256(_mm256_xor_si256(second, bytes), one));
}

[[gnu::target("avx512f,avx512bw,avx512vl")]] inline void fold_512(u16 (&to)[4], __m512i lanes) {
  alignas(64) u8 by_lane[64];  // gcc 12 warns of its own header where halves are taken in registers
  _mm512_store_si512(by_lane, lanes);
  fold_256(to, _mm256_load_si256(reinterpret_cast<const __m256i*>(by_lane)));
  fold_256(to, _mm256_load_si256(reinterpret_cast<const __m256i*>(by_lane + 32)));
}

struct Counts512 {
  __m512i weight, half, negative, second, uneven;
};

[[gnu::target("avx512f,avx512bw,avx512vl")]] inline void count_512(Counts512& lanes, __m512i bytes) {
  const __m512i one = _mm512_set1_epi8(1);
  const __m512i size = _mm512_and_si512(bytes, _mm512_set1_epi8(0x7f));
  const __mmask64 is_weight =
      _mm512_cmple_epu8_mask(_mm512_sub_epi8(size, _mm512_set1_epi8(weight_low)), _mm512_set1_epi8(weight_span));
  const __mmask64 is_half =
      _mm512_cmple_epu8_mask(_mm512_sub_epi8(size, _mm512_set1_epi8(half_low)), _mm512_set1_epi8(half_span));
  lanes.weight = _mm512_mask_add_epi8(lanes.weight, is_weight, lanes.weight, one);
  lanes.half = _mm512_mask_add_epi8(lanes.half, is_half, lanes.half, one);
  lanes.negative = _mm512_mask_add_epi8(lanes.negative, _mm512_movepi8_mask(bytes), lanes.negative, one);
  const __m512i second = _mm512_srli_epi16(bytes, 1);
  lanes.second = _mm512_add_epi8(lanes.second, _mm512_and_si512(second, one));
  lanes.uneven = _mm512_add_epi8(lanes.uneven, _mm512_and_si512(_mm512_xor_si512(second, bytes), one));
}

#endif

}  // namespace

FloatCounts count_floats_plain(const u8* at, u32 bytes) {
  FloatCounts counts;
  counts.bytes = static_cast<u16>(bytes);
  for (u32 done = 0; done < bytes;) {
    Counts16 lanes{};
    const u32 whole = (bytes - done) / 16, now = whole < lane_max ? whole : lane_max;
    for (u32 block = 0; block < now; ++block, done += 16) count_16(lanes, load<Lanes16>(at + done));
    if (now < lane_max) {  // the rest, with zeros, which count nowhere
      Lanes16 rest{};
      std::memcpy(&rest, at + done, bytes - done);
      count_16(lanes, rest);
      done = bytes;
    }
    fold_16(counts.weight, lanes.weight);
    fold_16(counts.half, lanes.half);
    fold_16(counts.negative, lanes.negative);
    fold_16(counts.second, lanes.second);
    fold_16(counts.uneven, lanes.uneven);
  }
  return counts;
}

#if defined(__x86_64__)

[[gnu::target("avx2")]] FloatCounts count_floats_256(const u8* at, u32 bytes) {
  FloatCounts counts;
  counts.bytes = static_cast<u16>(bytes);
  for (u32 done = 0; done < bytes;) {
    Counts256 lanes{};
    const u32 whole = (bytes - done) / 32, now = whole < lane_max ? whole : lane_max;
    for (u32 block = 0; block < now; ++block, done += 32)
      count_256(lanes, _mm256_loadu_si256(reinterpret_cast<const __m256i*>(at + done)));
    if (now < lane_max) {  // the rest, as above
      alignas(32) u8 rest[32]{};
      std::memcpy(rest, at + done, bytes - done);
      count_256(lanes, _mm256_load_si256(reinterpret_cast<const __m256i*>(rest)));
      done = bytes;
    }
    fold_256(counts.weight, lanes.weight);
    fold_256(counts.half, lanes.half);
    fold_256(counts.negative, lanes.negative);
    fold_256(counts.second, lanes.second);
    fold_256(counts.uneven, lanes.uneven);
  }
  return counts;
}

[[gnu::target("avx512f,avx512bw,avx512vl,bmi2")]] FloatCounts count_floats_512(const u8* at, u32 bytes) {
  FloatCounts counts;
  counts.bytes = static_cast<u16>(bytes);
  for (u32 done = 0; done < bytes;) {
    Counts512 lanes{};
    for (u32 block = 0; block < lane_max && done < bytes; ++block, done += 64) {
      const __mmask64 there = bytes - done >= 64 ? ~__mmask64{0} : _bzhi_u64(~u64{0}, bytes - done);
      count_512(lanes, _mm512_maskz_loadu_epi8(there, at + done));
    }
    fold_512(counts.weight, lanes.weight);
    fold_512(counts.half, lanes.half);
    fold_512(counts.negative, lanes.negative);
    fold_512(counts.second, lanes.second);
    fold_512(counts.uneven, lanes.uneven);
  }
  return counts;
}

#else

FloatCounts count_floats_256(const u8* at, u32 bytes) { return count_floats_plain(at, bytes); }
FloatCounts count_floats_512(const u8* at, u32 bytes) { return count_floats_plain(at, bytes); }

#endif

}  // namespace weir
