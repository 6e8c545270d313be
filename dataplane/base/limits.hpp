// Every fixed limit of the engine, in one place. A limit that an operator can meet is documented in
// docs/architecture.md; the compiler refuses what exceeds it (E06xx).
#pragma once
#include "dataplane/base/bytes.hpp"

namespace weir {

inline constexpr u32 burst_packets_max = 32;
inline constexpr u32 held_frames_max = 1024;         // per worker: what the engine may hold at once
inline constexpr u32 held_datagrams_max = 512;       // per worker: datagrams of which fragments have come
inline constexpr u32 datagram_pieces_max = 64;       // of 64 KiB at IPv6's least MTU there are 54
inline constexpr u32 vlan_tags_max = 2;
inline constexpr u32 tunnels_max = 2;               // one inside the other
inline constexpr u32 ipv6_options_max = 16;         // options in one extension header, padding included
inline constexpr u32 workers_max = 16;
inline constexpr u32 pairs_max = 8;                 // FlowKey holds the pair in 3 bits
inline constexpr u32 ports_max = 2 * pairs_max;
inline constexpr u32 zones_max = 65535;
inline constexpr u32 services_max = 65535;
inline constexpr u32 decisions_max = 65535;         // FlowRecord holds a decision in 16 bits
inline constexpr u32 port_classes_max = 256;
inline constexpr u32 networks_max = 4096;           // numbers (VNI) that `vni` names
inline constexpr u32 budgets_max = 131072;
inline constexpr u32 limits_max = 65535;
inline constexpr u32 accounts_max = 2097152;      // of all budgets together, hosts included
inline constexpr u32 budget_windows_max = 8;        // of one budget
inline constexpr u32 budget_reserves_max = 16;
inline constexpr u32 budget_alerts_max = 8;         // percentages of `alert_at`
inline constexpr u32 charge_items_max = 30;         // on a flow's bill: its limits, and purses of both directions
inline constexpr u32 surcharge_max = 16777215;      // a purse's draw has 24 bits for it
inline constexpr u32 throttle_bucket_bytes = 65557;  // the largest frame: an IP packet, Ethernet's header, two tags
inline constexpr u32 limit_bits_per_s_min = 8;
inline constexpr u32 limit_burst_bytes_min = 2048;  // below it a full-sized frame could never pass
inline constexpr u32 limit_burst_s_max = 30 * 86400;  // of the rate, that may pass at once
inline constexpr u64 budget_bytes_max = u64{1} << 60;
inline constexpr u32 budget_window_s_max = 30 * 86400;
inline constexpr u64 image_bytes_max = u64{4} << 30;

}  // namespace weir
