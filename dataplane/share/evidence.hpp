// What an inspection has found, kept for people: the packet that held it and the next of its flow, on the way from a
// worker to who writes them down. Lossy by design: nobody's packets wait for a disk, and what did not fit is counted.
//
// Evidence must not become the way out: of what a holder of an asset sends, headers and 32 bytes are kept, unless an
// administrator wants more and says why.
//
// Threads: a worker puts, one reader takes.
#pragma once
#include "dataplane/base/tick.hpp"
#include "dataplane/packet/reason.hpp"
#include "dataplane/share/ring.hpp"
#include "dataplane/share/stats.hpp"

namespace weir {

inline constexpr u32 evidence_neighbours = 7;       // packets of the flow after the one
inline constexpr u32 evidence_payload_least = 32;   // kept of what a holder of an asset sends

struct Evidence {
  static constexpr u32 bytes_max = 1920, name_bytes_max = 64;

  Tick time;
  u64 generation;
  u32 frame_bytes;  // of the whole frame
  u16 bytes;        // kept of it
  u8 port;          // that it came in by
  Reason reason;    // what was found
  u8 after;         // packets of the flow since
  u8 zero[7];
  char rule[name_bytes_max], found[name_bytes_max];  // NUL-terminated, cut where they are longer
  std::byte frame[bytes_max];
};
static_assert(sizeof(Evidence) == 32 + 128 + Evidence::bytes_max);

struct EvidenceRing {
  Ring<Evidence> packets;
  bool keeps_whole = false;
  Counter lost{};

  EvidenceRing(std::span<Evidence> slots, bool whole) : packets(slots), keeps_whole(whole) {}
};

}  // namespace weir
