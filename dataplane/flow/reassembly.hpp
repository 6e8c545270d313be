// Fragments of datagrams that are not whole yet: which pieces there are, where each frame stands, and when a datagram
// is whole, doubtful or too late. Frames stay where the caller has them, and it keeps bytes and place until the piece
// has been taken. It puts nothing together and forwards nothing; what a whole datagram may do is the pipeline's matter.
//
// A datagram is whole when its pieces, none overlapping, reach from 0 to the end that its last piece says. Pieces that
// overlap or disagree leave no such datagram: it is poisoned, its pieces are dropped, and so are those that come until
// its time is over (RFC 5722, RFC 8200 4.5; for IPv4 the same, RFC 1858 and 3128). Order of arrival does not matter.
//
// Bounds: datagrams and pieces by this object, pieces of one datagram, time, and shares: a port may have half, a source
// a quarter. Sources are told apart by a keyed hash. A held frame costs its buffer, whatever its length, so that bytes
// are bounded by pieces.
//
// Invariants: a piece is in one datagram's list or free; a datagram is in one bucket and in the list by age, or free;
// a poisoned datagram has no piece; pieces of one datagram do not overlap.
// Threads: one. Memory: the object itself, about 130 KiB, lent by whoever makes it.
#pragma once
#include "dataplane/base/limits.hpp"
#include "dataplane/base/tick.hpp"
#include "dataplane/packet/parse.hpp"

#include <array>
#include <span>

namespace weir {

// A fragment as it is held.
struct Piece {
  const std::byte* frame;
  u64 token;
  u32 frame_bytes;
  u32 offset = 0, end = 0;  // in the datagram's payload
  u16 payload_offset = 0;   // of its part of the payload, in the frame
  u16 next = 0;
};

class Reassembly {
 public:
  static constexpr u32 none = ~u32{0};

  explicit Reassembly(const HashKey& secret);
  Reassembly(const Reassembly&) = delete;

  struct Step {
    Reason reason;           // fragment_held: kept. undecided: the datagram is whole. Else the fragment is dropped,
    u32 datagram = none;     // and if this says one, the pieces held of it as well: take() them
  };
  // A fragment that parse() has described. `piece` says frame, token and frame_bytes; the rest is filled in.
  Step add(const Headers& headers, u16 port, Piece piece, Tick now);

  // The pieces of a datagram in order of arrival, no longer held; valid until the next call. It is forgotten, unless it
  // is poisoned.
  std::span<const Piece> take(u32 datagram);

  // When the next datagram's time is over; the end of time when there is none.
  Tick next_end() const { return oldest_ == nil ? ~Tick{0} : datagrams_[oldest_].end; }
  // The datagram whose time has been over longest, and why its pieces are dropped. Only when next_end() is not after
  // now; take_over() forgets it, poisoned or not.
  struct Over {
    Reason reason;
    u16 port;
    std::span<const Piece> pieces;
  };
  Over take_over();

  u32 held() const { return held_; }

 private:
  static constexpr u16 nil = 0xffff;
  static constexpr u32 buckets = 1024, source_buckets = 1024;
  static constexpr u32 unknown = ~u32{0};

  struct Datagram {
    FlowKey key;
    Tick end;
    u32 whole_bytes, received_bytes, reach;  // reach: the highest end of a piece
    u16 port;
    u16 source;                  // bucket of its source
    u16 first_piece, last_piece; // by arrival
    u16 next, older, newer;      // in its bucket; by age
    u16 pieces;
    u16 bucket;
    Reason poison;               // undecided while sound
    u8 protocol;
    bool has_first, marks_ecn, is_plain;  // some piece is ECN-capable; some is not
  };
  struct Share {
    u16 datagrams = 0, pieces = 0;
  };

  u32 find(const Headers& headers, u16 port, u32 bucket) const;
  u32 begin(const Headers& headers, u16 port, u32 bucket, Tick now);
  Reason doubt(const Datagram& datagram, const Headers& headers, const Piece& piece) const;
  Reason compare(const Datagram& datagram, const Piece& piece) const;
  bool has_room(const Share& source, const Share& port) const;
  void append(Datagram& datagram, const Piece& piece);
  std::span<const Piece> empty(Datagram& datagram);
  void forget(u32 datagram);

  const HashKey secret_;
  std::array<Datagram, held_datagrams_max> datagrams_;
  std::array<Piece, held_frames_max> pieces_;
  std::array<Piece, datagram_pieces_max> taken_;
  std::array<u16, buckets> heads_;
  std::array<Share, source_buckets> sources_{};
  std::array<Share, ports_max> ports_{};
  u16 free_datagram_ = 0, free_piece_ = 0, oldest_ = nil, newest_ = nil;
  u32 held_ = 0;
};

}  // namespace weir
