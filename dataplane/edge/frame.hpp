// A received frame while it is inside: the mbuf as it came, and what the engine needs to see it whole. A tag that the
// port delivered beside the frame is put back before it is judged; a chain is shown to the engine as one flat copy
// and leaves as the chain. It decides nothing.
#pragma once
#include "dataplane/edge/memory.hpp"
#include "dataplane/pipeline/burst.hpp"

#include <rte_mbuf.h>

#include <vector>

namespace weir::edge {

inline constexpr u32 flat_bytes = 256 * 1024;  // no capture has a longer frame (libpcap's own bound)
inline constexpr u32 answer_bytes = 2048;

struct Frame {
  rte_mbuf* mbuf = nullptr;
  std::byte* flat = nullptr;    // room for flat_bytes, touched only by chains
  std::byte* answer = nullptr;  // room for answer_bytes
  u16 port = 0;                 // index it came in by
  bool is_held = false;
  bool is_cut = false;          // the port lost a part of it: it may be judged by what is there, but not leave
};

// Takes `mbuf` in and describes it to the engine. A frame that cannot be shown as it was on the wire is shown empty,
// which the engine drops.
Packet show(Frame& frame, rte_mbuf* mbuf, u16 port, Tick time, u64 token);

// What leaves once the engine has ended the frame, which is then empty: by `port` what came, by the port that it came
// from an answer. Null: nothing. `lost` counts what should have left and cannot.
struct Leaving {
  rte_mbuf* mbuf;
  u16 port;
  rte_mbuf* answer = nullptr;
  u32 lost = 0;
};
Leaving end(Frame& frame, const Outcome& outcome, rte_mempool* pool);

// `count` frames with their room. Memory is spent only on what chains and answers touch.
class FrameRoom {
 public:
  static std::expected<FrameRoom, Error> make(u32 count);
  Frame& operator[](u64 token) { return frames_[token]; }
  std::size_t size() const { return frames_.size(); }

 private:
  std::vector<Frame> frames_;
  Mapping memory_;
};

}  // namespace weir::edge
