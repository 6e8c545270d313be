// What this machine can do beyond the baseline that everything is compiled for, for the few loops that are compiled
// twice. Asks the processor, which takes microseconds: once, not per packet. Where the answer is no, or not known, the
// baseline is used.
// Source: Intel SDM volume 1, sections 14.3 and 15.2 to 15.4: the instructions by CPUID, and that the system keeps
// their registers by XCR0.
#pragma once

namespace weir {

// AVX2.
bool machine_has_vectors_256();
// AVX-512 F, BW, DQ, VL, CD and VPOPCNTDQ, and BMI 1 and 2, LZCNT, POPCNT.
bool machine_has_vectors_512();

// PCLMULQDQ.
bool machine_has_carryless();

}  // namespace weir
