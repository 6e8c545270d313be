// What a planned restart hands over, as bytes: the policy in force and, where it is on trial, its fallback; who is in
// quarantine and jobs that are sealed; the flows. Written by a process that has stopped cleanly, for the next one of
// this machine, of the same layout, before the machine is started again, once. Whatever is not so is refused whole,
// with a sentence: then that process starts empty.
//
// Layout: KeptHead, then gates, hosts and flows in quarantine, the policy's image, the fallback's, flows, each from a
// multiple of 64 bytes on. Numbers are in the machine's order: it is the same machine.
#pragma once
#include "dataplane/pipeline/keeping.hpp"
#include "dataplane/share/quarantine_rows.hpp"

#include <expected>
#include <string>

namespace weir::edge {

// Identifies a run of the dataplane.
struct RunId {
  u64 words[2] = {};
  bool operator==(const RunId&) const = default;
};

struct KeptHead {
  static constexpr u64 magic_value = 0x3130'5350'4545'4b57;  // "WKEEPS01"
  static constexpr u64 mark_value = 0x4c4c'4557'5044'4e45;   // "ENDPWELL"
  // Goes up when anything changes that a flow's row means: the record, its states, the numbers of classes.
  static constexpr u32 layout_value = 3;

  u64 magic;
  u64 mark;      // mark_value, once all else has been written
  u64 checksum;  // image::checksum_of() of what follows it
  u64 total_bytes;
  u32 layout, row_bytes;
  char boot_id[40];         // of the kernel's start, NUL-terminated
  RunId run;                // who wrote it
  u64 ports;                // which ports they were: ports_mark()
  u64 stopped_us;           // CLOCK_BOOTTIME, when it looked for frames for the last time
  u64 flows, left_behind;   // in it; and those that lived and are not
  u64 policy_bytes, fallback_bytes;  // 0: no policy, no trial
  u64 awaited_generation, trial_ends_ns;  // of a trial: CLOCK_BOOTTIME
  char breakglass[64];      // likewise: the allow that it opens, NUL-terminated; empty: it can be confirmed
  u64 given_checksum;       // of the image that --policy named; 0: none
  u64 cookie_secret[2];
  u64 cookies_until;        // ticks
  u32 quarantined;          // bit by port index
  u32 gates;
  u32 workers;              // told, not asked: flows are shared out anew
  u32 held;                 // hosts and flows in quarantine
};
inline constexpr std::size_t kept_checksummed_from = 24;
static_assert(std::is_trivially_copyable_v<KeptHead> && sizeof(KeptHead) == 272);

// A job whose window for queue pairs has begun.
struct KeptGate {
  char job[64];  // NUL-terminated
  u64 began;     // ticks
  u64 is_sealed; // 1: by an operator
};

// Where its parts stand; total_bytes is what this says of a head's counts.
struct KeptPlaces {
  u64 gates, held, policy, fallback, flows, total;
};
KeptPlaces places_of(const KeptHead& head);

// What a state must be of to be taken up.
struct KeptFor {
  std::string boot_id;
  RunId run;   // the last run here
  u64 ports;
  u32 pairs;
  u64 now_us;  // CLOCK_BOOTTIME
};

// A view of bytes that were found good.
struct KeptState {
  const KeptHead* head;
  std::span<const KeptGate> gates;
  std::span<const door::QuarantineRow> held;
  std::span<const std::byte> policy, fallback;
  std::span<const KeptFlow> flows;
};

// `bytes` begin at a multiple of 64. Or why they are not taken.
std::expected<KeptState, std::string> read_kept(std::span<const std::byte> bytes, const KeptFor& here);

// The checksum for a state whose parts stand; then only the mark is missing.
u64 kept_checksum(std::span<const std::byte> bytes);

}  // namespace weir::edge
