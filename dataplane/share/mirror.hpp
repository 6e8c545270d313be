// Packets that somebody asked to see while they are judged (`weir capture`, `weir trace`): what ended as the wish says
// is copied into its worker's ring with what it met, by the worker that decided it, and leaves by the door. Lossy by
// design: no packet waits for who looks on, and what did not fit is counted.
//
// Looking must not become the way out: of what a holder of an asset sends, or may have sent, headers and 32 bytes are
// copied, unless who started the dataplane says why not (--evidence-whole). That is done where the copy is made.
//
// Threads: of the order as it says; of a ring a worker puts, the door takes.
#pragma once
#include "dataplane/base/tick.hpp"
#include "dataplane/packet/parse.hpp"
#include "dataplane/share/mirror_wish.hpp"
#include "dataplane/share/ring.hpp"
#include "dataplane/share/stats.hpp"

#include <atomic>
#include <cstddef>

namespace weir {

inline constexpr u32 mirrored_magic = 0x4b50'524d;          // "MRPK"
inline constexpr u32 mirrored_payload_least = 32;           // of what a holder of an asset sends
inline constexpr u32 mirrored_unread_bytes = 128;           // likewise, of what could not be parsed to its payload
inline constexpr u32 mirrored_flow_none = ~u32{0};

enum class MirroredJudged : u8 { now = 0, before = 1, revoked = 2 };  // as door::Judged

// What is remembered of the packet's flow (of an ICMP error, of the flow that it quotes) at one moment.
struct MirroredFlow {
  u32 flow = mirrored_flow_none;  // record in the worker's table; or none, and nothing below is said
  u32 rule = 0;                   // index in the packet's policy; where it is of an older one, or denied: all ones
  u32 left_ms = 0;                // until it is forgotten, unless a packet comes
  u8 flow_class = 0, state = 0;   // FlowClass; TcpState, Exchange or QueuePairState
  MirroredJudged judged = MirroredJudged::now;
  u8 is_from_opener = 0;          // this packet is
  u8 is_attended = 0;             // looked at longer than plain ones: translated, or read or inspected
  u8 is_watched = 0;              // an inspection reads it
  u8 ended_by = 0;                // the Reason by which an inspection has ended it, or 0
  u8 limits = 0, purses = 0;      // that this packet of it meets, by its bill
  u8 zero[3] = {};
};
static_assert(sizeof(MirroredFlow) == 24);

// What the policy in force says of the connection: of the flow's first packet where there is a flow, else of this one
// as a first one. Asked when the packet had been decided, by the worker that decided it.
struct MirroredJudgement {
  u8 is_asked = 0;
  Reason reason = Reason::undecided;
  u16 decision = 0;
  u32 rule = 0;
  u32 source_zone = 0, target_zone = 0;
};

// As Outside, from the wire inward.
struct MirroredOutside {
  Address source{}, target{};
  u32 place = 0;
  u16 target_port = 0;
  u8 protocol = 0, is_ipv4 = 0;
};

// What the parser found; of a packet that is not well-formed the doubt alone.
struct MirroredLayers {
  Address source{}, target{};
  u32 place = 0, payload_bytes = 0;
  u16 l3_offset = 0, l4_offset = 0, payload_offset = 0, fragment = 0;
  u16 source_port = 0, target_port = 0;
  Reason doubt = Reason::undecided;
  PacketKind kind = PacketKind::flow;
  u8 is_ipv4 = 0, protocol = 0, tcp_flags = 0, icmp_type = 0, icmp_code = 0, tunnels = 0;
  u8 rdma_opcode = rdma_opcode_none;
  u8 zero[3] = {};
  MirroredOutside outsides[tunnels_max] = {};
};

struct Mirrored {
  static constexpr u32 bytes_max = 1920;

  u32 magic;
  u32 frame_bytes;  // of the whole frame, as it is shown
  u64 generation;   // of the policy that judged; 0: none
  Tick time;
  u32 rule;         // index in that policy, or all ones
  u32 flow;         // as MirroredFlow
  u16 bytes;        // that follow
  u16 port;         // 2 * pair + side that it came in by
  u16 source_segment, target_segment;  // of that policy, or no_segment
  u16 found;        // the signature, as Outcome has it
  u16 answer_bytes;
  Verdict verdict;  // rewrite: the frame is shown as it leaves
  Reason reason;
  u8 depth;         // how many tunnels deep the packet lies that reason and rule are about
  u8 is_first;      // it made its flow
  u8 is_bare;       // cut to headers and 32 bytes, since its sender holds an asset, or may
  u8 has_stages;    // before, after and judged are said
  u8 worker, workers;  // the one that owns it, and how many there are
  u8 is_named_port;    // an attached segment or a pin is of its port
  u8 zero[3];
  MirroredLayers layers;
  MirroredFlow before, after;
  MirroredJudgement judged;
  std::byte frame[bytes_max];
};
static_assert(std::is_trivially_copyable_v<Mirrored>);
inline constexpr std::size_t mirrored_head_bytes = offsetof(Mirrored, frame);

// The wish of all workers: none, or one at a time.
//
// Threads: one arms and disarms, workers read. A number is odd while an order is armed; the wish is written again only
// when every worker has heard an even one (MirrorRing::heard), so who has heard an odd one may read it until then.
class MirrorOrder {
 public:
  u64 number() const { return number_.load(std::memory_order_acquire); }
  bool is_armed() const { return (number() & 1) != 0; }
  const MirrorWish& wish() const { return wish_; }

  // Door. Of an order that is not armed and that all have heard of.
  void arm(const MirrorWish& wish) {
    wish_ = wish;
    number_.store(number() + 1, std::memory_order_release);
  }
  void disarm() { number_.store(number() + 1, std::memory_order_release); }

 private:
  std::atomic<u64> number_{0};
  MirrorWish wish_{};
};

struct MirrorRing {
  Ring<Mirrored> packets;
  const MirrorOrder& order;
  bool keeps_whole;
  std::atomic<u64> heard{0};  // the order's number that the worker goes by
  Counter lost{};             // packets that were wanted and found no room

  MirrorRing(std::span<Mirrored> slots, const MirrorOrder& of, bool whole)
      : packets(slots), order(of), keeps_whole(whole) {}
};

}  // namespace weir
