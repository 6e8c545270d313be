// Live flows as the door tells them: a header and rows of fixed size in a file of the caller's. Numbers are in the
// machine's order; nothing in it is a pointer or a secret.
#pragma once
#include "dataplane/base/limits.hpp"
#include "dataplane/packet/key.hpp"
#include "dataplane/share/stats.hpp"

#include <type_traits>

namespace weir::door {

inline constexpr u64 flows_magic = 0x3153'574f'4c46'5757;  // "WWFLOWS1"
inline constexpr u32 flow_rows_max = 1u << 20;             // in one answer; what is more is counted

enum class Judged : u8 {
  now = 0,      // by the policy in force: `rule` holds
  before = 1,   // by an older one: its next packet, or the sweep, asks again
  revoked = 2,  // denied when it was last asked
};

struct FlowRow {
  u64 source[2], target[2];      // words of Address; the source opened it
  u32 scope;                     // FlowKey::scope: class, pair and place
  u16 source_port, target_port;  // host order; of ICMP type << 8 | code in target_port; else 0
  u32 rule;                      // index in the policy of the header's generation, or no_rule
  u32 qp;                        // RDMA: to which packets go; each direction has a row
  u32 left_ms;                   // until it is forgotten, unless a packet comes; a full table forgets earlier
  u32 idle_ms;                   // since the last packet that counted
  u8 protocol;
  u8 state;                      // TcpState, or Exchange
  u8 port;                       // 2 * pair + side that the source sends by
  Judged judged;
  u8 worker;
  u8 qp_is_of_source;            // the queue pair is the opener's: what comes back
  u8 zero[2];

  FlowClass flow_class() const { return static_cast<FlowClass>(scope & 7); }
  u32 place() const { return scope & place_mask; }
};
static_assert(std::is_trivially_copyable_v<FlowRow> && sizeof(FlowRow) == 64);

struct FlowsHeader {
  u64 magic;
  u64 generation;  // 0: no policy
  u64 rows;
  u64 not_shown;   // flows that were live beyond flow_rows_max
  u32 row_bytes;
  u32 ports;
  PortName names[ports_max];
};
static_assert(std::is_trivially_copyable_v<FlowsHeader> && sizeof(FlowsHeader) == 40 + 64 * ports_max);

}  // namespace weir::door
