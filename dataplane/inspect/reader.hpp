// Reads the first bytes of one direction of a TCP stream in order, each once: says of every segment which of its bytes
// are new and come next, and holds what is sent a second time to what was sent the first time. It keeps no frame and
// puts nothing in order itself: a segment beyond a gap is its caller's to drop, and the sender's to send again.
//
// What was read is what the receiver gets: every byte that it has not acknowledged yet is remembered, so that a changed
// retransmission is `differs`. Where the memory for that is smaller than what is read in all, a segment that would push
// out something unacknowledged `waits`: it is dropped like one beyond a gap. What was acknowledged and is remembered
// no more cannot be compared. Such bytes are of no use to an honest receiver; a dishonest one could take them, so they
// may not be more than the window in all.
//
// Memory: 20 bytes a direction, and a history, lent with each call and always the same: not smaller than the largest
// segment, or such a one waits for ever; as large as the window (64 KiB say) and nothing ever waits. One of 16 KiB
// holds the ten segments that a sender begins with (RFC 6928) at an MTU of 1500.
// Invariants: at most as many bytes are unacknowledged as are remembered; nothing is delivered twice or after a gap.
// Threads: one. Numbers wrap; once it is_over() they go round, and the reader may not be asked any more.
// Source: RFC 9293, sections 3.4 and 3.10.7.4; a keep-alive may carry one byte that was never sent (3.8.4).
#pragma once
#include "dataplane/base/bytes.hpp"

#include <span>

namespace weir {

class StreamReader {
 public:
  enum class Answer : u8 {
    fresh,  // some bytes are new and in order: `fresh`; the segment may pass
    again,  // nothing is new, and what there is was the same before: it may pass
    old,  // nothing is new, and it is not remembered any more; the receiver has it: it may pass
    past,  // begins after the window, or goes on after it: it may pass
    ahead,  // begins after a byte that has not come: drop it
    waits,  // would push out what the receiver may still take: drop it
    differs,  // says otherwise what was said before: drop it, and what it belongs to
    forgotten,  // too much that cannot be compared: drop it
  };
  static constexpr u32 answers = 8;
  static constexpr bool may_pass(Answer answer) { return answer <= Answer::past; }

  struct Step {
    Answer answer;
    std::span<const u8> fresh;  // a part of the segment; empty unless the answer is `fresh`
  };

  StreamReader() = default;
  // Of the `window` bytes that begin at sequence number `begin` (that of a SYN, and one).
  StreamReader(u32 begin, u32 window) : begin_(begin), window_bytes_(window), next_(begin), acknowledged_(begin) {}

  // A segment's data and the sequence number that it begins with.
  Step offer(u32 sequence, std::span<const u8> bytes, std::span<u8> history);
  // The other side has all before `number`.
  void acknowledge(u32 number);

  // All that was delivered, in one piece. Only while it is not more than the history holds.
  std::span<const u8> so_far(std::span<const u8> history) const;
  u32 delivered_bytes() const { return next_ - begin_; }
  u32 begin() const { return begin_; }
  u32 window_bytes() const { return window_bytes_; }
  bool is_complete() const { return delivered_bytes() == window_bytes_; }
  // All is read, and the receiver has it: nothing can be changed any more, and the reader's memory may be given back.
  bool is_over() const { return is_complete() && acknowledged_ == next_; }

 private:
  bool equals(std::span<const u8> bytes, u32 offset, std::span<const u8> history) const;
  void remember(std::span<const u8> bytes, std::span<u8> history);

  u32 begin_ = 0, window_bytes_ = 0;
  u32 next_ = 0;  // the number of the first byte not read
  u32 acknowledged_ = 0;  // never after next_
  u32 old_bytes_ = 0;  // that passed without being compared
};
static_assert(sizeof(StreamReader) == 20);

}  // namespace weir
