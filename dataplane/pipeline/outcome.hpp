// Frames on their way into a pipeline, and what becomes of them.
#pragma once
#include "dataplane/base/tick.hpp"
#include "dataplane/flow/table.hpp"
#include "dataplane/packet/checksum.hpp"
#include "dataplane/packet/reason.hpp"
#include "dataplane/policy/policy.hpp"

#include <cstddef>
#include <span>

namespace weir {

// A frame on its way in. The bytes stay the caller's, in place and unchanged but by a rewrite, until an outcome
// other than hold names the token, or it is misdirected.
struct Packet {
  std::byte* data;
  u32 bytes;        // contiguous bytes present
  u16 port;         // 2 * pair + side; side 0 inside, 1 outside. A forwarded frame leaves by port ^ 1
  Tick time;        // never below an earlier packet's
  u64 token;        // the caller's name for the frame, echoed in its outcome
  std::span<std::byte> answer;  // lent room for an answer frame; may be empty: then nothing is ever answered
  u32 room = 0;     // bytes that may be written from data on: a rewritten frame may grow so far; below `bytes`: `bytes`
  Checksum checksum = Checksum::unverified;  // the transport's, as the port says; unverified: in software
  bool is_gathered = false;  // a fragment whose datagram was whole at another worker, and is this one's
};

inline constexpr u16 nothing_found = 0xffff;

// How a packet ended. Every token gets exactly one outcome that is not `hold`, at most once preceded by a `hold`.
struct Outcome {
  u64 token = 0;
  u64 generation = 0;  // of the policy that judged; 0 when there was none
  u32 rule = no_rule;  // index in that policy
  u32 flow = no_flow;  // record index in this worker's table
  u32 frame_bytes = 0; // verdict rewrite only: how long the frame is now, never shorter than it was
  Verdict verdict = Verdict::drop;
  Reason reason = Reason::undecided;
  bool flow_is_new = false;         // this packet created the record
  u8 depth = 0;                     // how many tunnels deep the packet lies that reason and rule are about
  u16 answer_bytes = 0;             // length of the frame in the lent answer room, which leaves by the port the packet
                                    // came from. Verdict answer always has one, rewrite may, no other does
  u16 source_segment = no_segment;  // filled when PipelineConfig::name_segments
  u16 target_segment = no_segment;
  u16 found = nothing_found;  // the pattern of inspect_signature, a number in that policy
};

// A packet whose flow belongs to another worker: the caller hands its frame over. It has no outcome here, but where it
// had been held. The fragments of a datagram go to one worker together, in order, once it is whole.
struct Misdirected {
  u64 token;
  u32 owner;
  bool is_gathered;  // what Packet::is_gathered must say there
};

}  // namespace weir
