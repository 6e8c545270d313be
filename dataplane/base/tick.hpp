// Time as an argument: microseconds since the Unix epoch, never going back. Live it is a start time plus the
// TSC's progress, in replay the capture's own; the engine never asks a clock.
#pragma once
#include "dataplane/base/bytes.hpp"

namespace weir {

using Tick = u64;  // microseconds

inline constexpr Tick tick_second = 1'000'000;

// Idle deadlines are kept in beats of 2^19 microseconds, about half a second, modulo 2^16. Two of them are comparable
// while they lie less than 4.77 hours apart, so no timeout is longer than beats_apart_max, and the flow table forgets
// what has passed before it is that old (dataplane/pipeline/burst.cpp).
using Beat = u16;

inline constexpr u32 beat_shift = 19;
inline constexpr Tick beat_us = Tick{1} << beat_shift;
inline constexpr Tick beats_apart_max = Tick{4} * 3600 * tick_second;  // a round number below 2^15 beats

inline Beat beat_of(Tick now) { return static_cast<Beat>(now >> beat_shift); }
inline bool deadline_passed(Beat deadline, Beat now) {
  return static_cast<std::int16_t>(static_cast<u16>(now - deadline)) >= 0;
}

// Beats from now, wherever in its beat now is, that are over not before `ms` have gone by: at most two beats longer.
constexpr Beat beats_lasting(u32 ms) { return static_cast<Beat>((u64{ms} * 1000 + beat_us - 1) / beat_us + 1); }

}  // namespace weir
