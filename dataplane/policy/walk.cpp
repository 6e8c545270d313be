// One walk, compiled twice. Everything below the two entries is inlined into them, so that no shared function carries
// instructions that the baseline lacks.
#include "dataplane/policy/walk.hpp"

#if defined(__x86_64__)
#include <cpuid.h>
#define WEIR_WIDE \
  [[gnu::target("avx512f,avx512bw,avx512dq,avx512vl,avx512cd,avx512vpopcntdq,bmi,bmi2,lzcnt,popcnt")]]
#else
#define WEIR_WIDE
#endif

namespace weir::image {

void walk_ipv4_plain(const Trie& trie, std::span<const u32> addresses, u32* atoms) {
  Walk<u32>::run(trie, addresses, atoms);
}
WEIR_WIDE void walk_ipv4_wide(const Trie& trie, std::span<const u32> addresses, u32* atoms) {
  Walk<u32>::run(trie, addresses, atoms);
}
void walk_ipv6_plain(const Trie& trie, std::span<const u128> addresses, u32* atoms) {
  Walk<u128>::run(trie, addresses, atoms);
}

#if defined(__x86_64__)

// Intel SDM volume 1, sections 15.2 to 15.4 (AVX-512: CPUID leaf 7; the state that XCR0 says the system keeps).
bool machine_is_wide() {
  u32 a = 0, b = 0, c = 0, d = 0;
  if (!__get_cpuid(1, &a, &b, &c, &d) || !(c & bit_OSXSAVE)) return false;
  u32 kept = 0, kept_high = 0;
  asm volatile("xgetbv" : "=a"(kept), "=d"(kept_high) : "c"(0));
  constexpr u32 vector_state = 0xe6;  // SSE, AVX, and the three parts of AVX-512
  if ((kept & vector_state) != vector_state) return false;
  if (!__get_cpuid_count(7, 0, &a, &b, &c, &d)) return false;
  constexpr u32 wanted = bit_AVX512F | bit_AVX512BW | bit_AVX512DQ | bit_AVX512VL | bit_AVX512CD | bit_BMI | bit_BMI2;
  if ((b & wanted) != wanted || !(c & bit_AVX512VPOPCNTDQ)) return false;
  return __get_cpuid(0x80000001, &a, &b, &c, &d) && (c & bit_LZCNT);
}

#else

bool machine_is_wide() { return false; }

#endif

}  // namespace weir::image
