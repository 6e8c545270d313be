// For how long a port may go unlooked at: arithmetic alone.
//
// A ring of F frames fills no sooner than F of the shortest frames take to come over a link of M megabits a second: 84
// bytes of the wire each, 64 with 8 of preamble and start before them and a gap of 12 behind (IEEE 802.3, clauses 3.1.1
// and 4.4.2). A nap may last half of that: the other half is for waking up, and for coming round to the port.
#pragma once
#include "dataplane/base/limits.hpp"

#include <algorithm>

namespace weir::edge {

inline constexpr u64 wire_bits_min = 84 * 8;

// Nanoseconds. Who asks a worker something (an install, a stop, a watchdog) waits no longer, whatever rings hold.
inline constexpr u64 nap_most_ns = 1'000'000;
// Shorter is no sleep: falling asleep and waking up take as long.
inline constexpr u64 nap_least_ns = 5'000;

constexpr u64 nap_bound_ns(u64 ring_frames, u64 megabits) {
  if (megabits == 0) return 0;
  return std::min(nap_most_ns, ring_frames * wire_bits_min * 1000 / megabits / 2);
}

// The next nap where another has ended without a frame.
constexpr u64 longer_nap_ns(u64 nap_ns, u64 bound_ns) { return std::min(2 * nap_ns, bound_ns); }

}  // namespace weir::edge
