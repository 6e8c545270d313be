// Hosts and flows in quarantine as they go through the door: rows of fixed size in a file, of the caller's where it
// asks, to the dataplane where one is put there or let go. Numbers are in the machine's order.
#pragma once
#include "dataplane/base/bytes.hpp"

#include <type_traits>

namespace weir::door {

inline constexpr u64 quarantine_magic = 0x3152'5241'5551'5757;  // "WWQUARR1"

struct QuarantineRow {
  u64 magic;
  u64 source[2], target[2];      // words of Address; of a host both are its own
  u16 source_port, target_port;  // of a flow, host order
  u8 protocol;                   // 0: a host, in all that it says; 6, 17, 132: a flow, in both directions
  u8 zero[3];
  u64 left_ms;  // 0: until it is let go; of a request that puts it there: for how long. Only of flows
};
static_assert(std::is_trivially_copyable_v<QuarantineRow> && sizeof(QuarantineRow) == 56);

}  // namespace weir::door
