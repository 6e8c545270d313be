// What policy wants looked for in a TCP flow's payload, looked for: the protocol it opens with, signatures in the first
// bytes of each direction and in one packet of each MiB after, tensors by their statistics. It says of each segment
// whether it may pass and what was found in it; what a finding does is policy.
//
// Nothing passes unseen: a segment that cannot be read yet is dropped, for its sender to send again, and so is one that
// would cost more than inspection's share of the processor (`busy`). Flows that find no slot are its caller's to deny.
//
// Memory: lent. A Watch of 1.2 KiB for the flow's life; for the first bytes a WatchHistory of 32 KiB and two streams
// of the scanner's. Threads: one. Time is the caller's.
#pragma once
#include "dataplane/base/tick.hpp"
#include "dataplane/inspect/opening.hpp"
#include "dataplane/inspect/pool.hpp"
#include "dataplane/inspect/probe.hpp"
#include "dataplane/inspect/quantised.hpp"
#include "dataplane/inspect/reader.hpp"
#include "dataplane/inspect/scanner.hpp"
#include "dataplane/inspect/tensor.hpp"

namespace weir {

// Of one flow, the same for all its life. Two elements: for what its opener sends, and its replier.
struct WatchWish {
  u64 sets[2] = {0, 0};  // signature sets, a bit each
  bool tensors[2] = {false, false};
  u32 first_bytes = 0;  // of each direction, that are read in order
  Opening protocol = Opening::undecided;  // what it must open as; undecided: whatever it likes
  std::span<const u64> magics = {};  // of NCCL, that policy knows besides its own

  bool scans() const { return (sets[0] | sets[1]) != 0; }
};

// Not smaller than the largest segment (reader.hpp).
struct WatchHistory {
  u8 bytes[2][16384];
};

struct Watch {
  StreamReader readers[2];
  TensorVotes votes[2];
  ByteWatch byte_watches[2];
  u32 history, streams[2];  // slots, or none
  Opening opening;
  u8 told[2];  // findings that were told once, a bit each
};

enum class WatchAnswer : u8 {
  passes,
  ahead,  // cannot be read yet: drop it
  busy,  // inspection has no time left: drop it
  differs,  // contradicts what was sent before: drop it, and what it belongs to
};

enum class WatchFinding : u8 { nothing, signature, protocol, tensor, quantised, opaque };

struct WatchStep {
  WatchAnswer answer = WatchAnswer::passes;
  WatchFinding finding = WatchFinding::nothing;
  u32 pattern = Scanner::none;  // of a signature
};

// How much inspection may do: bytes looked at per second, each way of looking counted, and how many at once. At most
// 10^11 and 10^12.
struct WatchShare {
  u64 bytes_per_s, burst_bytes;
};

class Watches {
 public:
  static constexpr u32 none = ~u32{0};
  // What a packet costs beside its bytes.
  static constexpr u32 packet_bytes = 128;

  Watches(Pool<Watch> watches, Pool<WatchHistory> histories, const Scanner& scanner, const HashKey& secret,
          const WatchShare& share, Lanes lanes)
      : watches_(watches), histories_(histories), scanner_(scanner), secret_(secret), share_(share), lanes_(lanes) {}

  // A flow whose opener's SYN has this number. None: there is no room to see it.
  u32 begin(const WatchWish& wish, u32 opener_syn);
  // The replier's SYN.
  void replier_begins(u32 watch, const WatchWish& wish, u32 replier_syn);
  void end(u32 watch);

  // A segment from the opener (0) or the replier (1). `flow` is a number of the flow's own.
  WatchStep segment(u32 watch, const WatchWish& wish, u64 flow, u32 from, u32 sequence, u32 acknowledgement,
                    std::span<const u8> bytes, Tick now);

 private:
  bool spend(u64 bytes, Tick now);
  u64 cost_of(const Watch& watch, const WatchWish& wish, u32 from, std::span<const u8> bytes, bool is_probed) const;
  void look(Watch& watch, const WatchWish& wish, u32 from, std::span<const u8> fresh, WatchStep& step);
  void weigh(Watch& watch, u32 from, std::span<const u8> bytes, WatchStep& step);
  void release(Watch& watch);

  Pool<Watch> watches_;
  Pool<WatchHistory> histories_;
  Scanner scanner_;
  HashKey secret_;
  WatchShare share_;
  Lanes lanes_;
  u64 spent_ = 0;  // millionths of bytes that time has not paid back yet
  Tick since_ = 0;
};

}  // namespace weir
