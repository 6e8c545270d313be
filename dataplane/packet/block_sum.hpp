// The plain sum of native 16-bit words over blocks of 64 bytes: the long part of a transport checksum. Compiled for the
// baseline and for wider vectors, which take half the time.
#pragma once
#include "dataplane/base/bytes.hpp"

namespace weir {

inline constexpr u32 block_bytes = 64;
inline constexpr u32 blocks_max = 1024;  // of one call: sums of words in 32 bits hold

// Up to blocks_max blocks from `at`, of any alignment. The wide one only where machine_has_vectors_256().
u64 block_sum_plain(const u8* at, u32 blocks);
u64 block_sum_wide(const u8* at, u32 blocks);

}  // namespace weir
