// The part of an image about RDMA and jobs: what a rule lets a queue pair do, the jobs, declared queue pairs, and the
// settings of [rdma]. Part of dataplane/policy/image.hpp, which has the sections; verify() says what must hold.
#pragma once
#include "dataplane/base/bytes.hpp"
#include "dataplane/base/rate.hpp"
#include "dataplane/packet/rdma.hpp"

namespace weir::image {

// A piece of the section `strings`.
struct Text {
  u32 offset, bytes;
};

// Without `operations`: everything but READ, which then depends on the assets of whom is read.
inline constexpr u8 rdma_default_operations = rdma_operations_all & ~rdma_read;
inline constexpr u64 read_credit_max = u64{1} << 40;
inline constexpr u32 first_use_max = 1u << 20;
inline constexpr u32 nak_penalty_ms_max = 3'600'000;
inline constexpr u64 seal_after_us_max = u64{30} * 86'400 * 1'000'000;
inline constexpr u64 burst_bytes_max = u64{1} << 50, watch_window_us_max = u64{3600} * 1'000'000;
inline constexpr u32 watch_ratio_most = 1'000'000, uet_job_max = 0xff'ffff;

// By rule; of a forbid all zero.
struct RdmaRule {
  u64 read_credit;        // READ bytes that may be outstanding on one queue pair
  u32 read_mtu;           // by which READ responses are charged
  u32 first_use;          // queue pairs of one source that may be learned by their first packet; 0: none
  u8 operations;
  u8 read_unless_asset;   // READ too, unless the side that is read holds an asset that the reader does not
  u8 zero[6];
};
static_assert(sizeof(RdmaRule) == 24);

inline constexpr u32 jobs_max = 64, rdma_assets_max = 64;  // bits of ZoneFacts
inline constexpr u8 transport_roce = 1, transport_nccl = 2, transport_tcp = 4, transport_every = 7;
struct Job {
  Text name, file;
  u32 line;
  u32 read_mtu;        // 0: as the rule has it
  u64 read_credit;     // 0: as the rule has it
  u64 seal_after_us;   // after its first queue pair; 0: sealed only over the door
  u64 tag;             // NCCL's magic, where has_tag
  u64 burst;           // bytes from one member to another within `window_us` that are looked at; 0: unwatched
  u64 window_us;
  u32 ratio;           // so many times what the other sends is one-way
  u32 uet;             // JobID of Ultra Ethernet, 24 bits, where has_uet
  u8 transports;       // transport_*; never 0
  u8 operations;       // and those of the rule
  u8 has_tag;
  u8 has_uet;
  u8 zero[4];
};
static_assert(sizeof(Job) == 80);

// One direction of a declared queue pair, by (source, target, qp) as native integers of the address words.
struct StaticPair {
  u64 source_high, source_low, target_high, target_low;  // words of Address
  u32 qp;       // 24 bits, at the target
  u32 peer_qp;  // at the source; no_peer_qp where the declaration does not say
  u32 answers;  // 1: the declaration's `to` sends this way, so that policy is asked about the other
  u32 line;
};
constexpr bool stands_before(const StaticPair& a, const StaticPair& b) {
  if (a.source_high != b.source_high) return a.source_high < b.source_high;
  if (a.source_low != b.source_low) return a.source_low < b.source_low;
  if (a.target_high != b.target_high) return a.target_high < b.target_high;
  if (a.target_low != b.target_low) return a.target_low < b.target_low;
  return a.qp < b.qp;
}
inline constexpr u32 no_peer_qp = ~u32{0};
inline constexpr u32 qp_max = 0xff'ffff;
inline constexpr u32 static_pairs_max = 1u << 21;  // directions

// [rdma]; one element.
struct RdmaSettings {
  Rate cnp, cm;         // of one source
  u32 nak_penalty_ms;   // after a refused READ; doubles
  u8 icrc;              // Checksums
  u8 used;              // some allow opens RDMA
  u8 reads_handshakes;  // and not by monitor mode alone, where nothing need be learned
  u8 zero;
};

}  // namespace weir::image
