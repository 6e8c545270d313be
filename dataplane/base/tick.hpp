// Time as an argument: microseconds since the Unix epoch, never going back. Live it is a start time plus the
// TSC's progress, in replay the capture's own; the engine never asks a clock.
#pragma once
#include "dataplane/base/bytes.hpp"

namespace weir {

using Tick = u64;  // microseconds

inline constexpr Tick tick_second = 1'000'000;

// Idle deadlines are kept in milliseconds modulo 2^32. Two of them are comparable while they lie less than
// 24.8 days apart; the flow table empties itself when time jumps further than that (every deadline has passed).
inline u32 deadline_ms(Tick now) { return static_cast<u32>(now / 1000); }
inline bool deadline_passed(u32 deadline, u32 now_ms) { return static_cast<std::int32_t>(now_ms - deadline) >= 0; }

}  // namespace weir
