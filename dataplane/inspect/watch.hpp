// What policy wants looked for in a flow's payload, looked for: the protocol it opens with, signatures in the first
// bytes of each direction and in one packet of each MiB after, tensors by their statistics. It says of each packet
// whether it may pass and what was found in it; what a finding does is policy.
//
// A TCP connection met from its SYN on is read in order; any other flow, and one that was met in its middle, packet by
// packet. Nothing passes unseen: a segment that cannot be read yet is dropped, for its sender to send again, and so is
// what would cost more than inspection's share of the processor (`busy`). Flows that find no slot are its caller's to
// deny.
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

// Of one rule. Two elements: for what a flow's opener sends, and its replier.
struct WatchWish {
  u64 sets[2] = {0, 0};  // signature sets, a bit each
  u64 ending_sets = 0;   // those of which a match ends the flow
  bool tensors[2] = {false, false};
  bool opaque[2] = {false, false};  // whether it matters that nothing can be read
  u32 first_bytes = 0;   // of each direction, that are looked at in full
  u16 protocols = 0;     // bit o - 1: it may open as Opening o; 0: as whatever it likes
  std::span<const u64> magics = {};  // of NCCL, that policy knows besides its own

  bool looks() const {
    return (sets[0] | sets[1]) != 0 || protocols != 0 || tensors[0] || tensors[1] || opaque[0] || opaque[1];
  }
};

// Not smaller than the largest segment (reader.hpp).
struct WatchHistory {
  u8 bytes[2][16384];
};

// Windows of bytes cost six times what the vote over packets does: after the first bytes they see one MiB in so many,
// and nobody knows which.
inline constexpr u32 windows_first_mib = 2, windows_one_in = 8;

// What is still to be kept of a flow in which something was found; the caller's.
struct WatchTrail {
  u8 reason = 0, left = 0;
};

struct Watch {
  StreamReader readers[2];
  TensorVotes votes[2];
  ByteWatch byte_watches[2];
  u32 history, streams[2];  // slots, or none
  u64 passed_bytes[2];  // that were looked at packet by packet
  u64 weighed_bytes[2];  // that tensors were looked for in, or might have been
  Opening opening;
  u8 told[2];  // findings that were told once
  u8 end;      // the caller's: why the flow may say no more, or 0
  WatchTrail trail;
};

enum class WatchAnswer : u8 {
  passes,
  ahead,  // cannot be read yet: drop it
  busy,  // inspection has no time left: drop it
  differs,  // contradicts what was sent before: drop it, and what it belongs to
};

// What was found, a bit each.
inline constexpr u8 found_signature = 1, found_protocol = 2, found_tensor = 4, found_quantised = 8, found_opaque = 16;

struct WatchStep {
  WatchAnswer answer = WatchAnswer::passes;
  u8 found = 0;
  ScanFound signatures = {};  // with found_signature
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

  Watches(Pool<Watch> watches, Pool<WatchHistory> histories, const HashKey& secret, const WatchShare& share,
          Lanes lanes)
      : watches_(watches), histories_(histories), secret_(secret), share_(share), lanes_(lanes) {}

  // From now on this is scanned with. What was read in order with another goes on packet by packet: its patterns are
  // others.
  void use(const Scanner& scanner);
  u64 scanner_serial() const { return scanner_.serial; }

  // A connection that will be read in order. None: there is no room to see it.
  u32 begin_stream(const WatchWish& wish);
  // The first number that `from` sends data with: that of its SYN, and one. Again, where it begins anew.
  void restart(u32 watch, const WatchWish& wish, u32 from, u32 first);
  // A flow that is looked at packet by packet.
  u32 begin_packets();
  void end(u32 watch);
  void end_all();

  // A segment from the opener (0) or the replier (1). `flow` is a number of the flow's own.
  WatchStep segment(u32 watch, const WatchWish& wish, u64 flow, u32 from, u32 sequence, u32 acknowledgement,
                    std::span<const u8> bytes, Tick now);
  // Payload without an order. `is_beginning`: a message begins with it.
  WatchStep packet(u32 watch, const WatchWish& wish, u64 flow, u32 from, std::span<const u8> bytes, bool is_beginning,
                   Tick now);

  // Bytes beside every flow: searched by themselves.
  WatchStep once(const WatchWish& wish, u32 from, std::span<const u8> bytes, Tick now);
  // Whether the connection has opened as it should; one that nobody has seen opening has not.
  bool opens_as(u32 watch, const WatchWish& wish) const;
  u8& end_of(u32 watch) { return watches_[watch].end; }
  WatchTrail& trail_of(u32 watch) { return watches_[watch].trail; }
  u32 live() const { return watches_.taken_count(); }
  u32 reading() const { return histories_.taken_count(); }

 private:
  bool spend(u64 bytes, Tick now);
  void read(Watch& watch, const WatchWish& wish, u32 from, std::span<const u8> fresh, WatchStep& step);
  void recognise_opening(Watch& watch, const WatchWish& wish, WatchStep& step);
  void scan_packet(const WatchWish& wish, u32 from, std::span<const u8> bytes, bool is_beginning, WatchStep& step);
  void weigh(Watch& watch, const WatchWish& wish, u64 flow, u32 from, std::span<const u8> bytes, WatchStep& step);
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
