// CPUID and XGETBV. Other processors than x86-64 are their own baseline.
#include "dataplane/base/machine.hpp"

#include "dataplane/base/bytes.hpp"

#if defined(__x86_64__)
#include <cpuid.h>
#endif

namespace weir {

#if defined(__x86_64__)

namespace {

constexpr u32 state_256 = 0x06;  // of XCR0: SSE and AVX
constexpr u32 state_512 = 0xe6;  // and the three parts of AVX-512

bool system_keeps(u32 state) {
  u32 a = 0, b = 0, c = 0, d = 0;
  if (!__get_cpuid(1, &a, &b, &c, &d) || !(c & bit_OSXSAVE)) return false;
  u32 kept = 0, kept_high = 0;
  asm volatile("xgetbv" : "=a"(kept), "=d"(kept_high) : "c"(0));
  return (kept & state) == state;
}

bool processor_has(u32 in_b, u32 in_c) {
  u32 a = 0, b = 0, c = 0, d = 0;
  return __get_cpuid_count(7, 0, &a, &b, &c, &d) && (b & in_b) == in_b && (c & in_c) == in_c;
}

}  // namespace

bool machine_has_vectors_256() { return system_keeps(state_256) && processor_has(bit_AVX2, 0); }

bool machine_has_vectors_512() {
  constexpr u32 wanted = bit_AVX512F | bit_AVX512BW | bit_AVX512DQ | bit_AVX512VL | bit_AVX512CD | bit_BMI | bit_BMI2;
  if (!system_keeps(state_512) || !processor_has(wanted, bit_AVX512VPOPCNTDQ)) return false;
  u32 a = 0, b = 0, c = 0, d = 0;
  return __get_cpuid(0x80000001, &a, &b, &c, &d) && (c & bit_LZCNT);
}

bool machine_has_carryless() {
  u32 a = 0, b = 0, c = 0, d = 0;
  return __get_cpuid(1, &a, &b, &c, &d) && (c & bit_PCLMUL);
}

#else

bool machine_has_carryless() { return false; }
bool machine_has_vectors_256() { return false; }
bool machine_has_vectors_512() { return false; }

#endif

}  // namespace weir
