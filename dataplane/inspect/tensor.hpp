// Float tensors told by the statistics of their bytes: per packet counts that do not care where in a number the packet
// begins, and per flow a vote. Knows nothing of file formats, and nothing through encryption or compression: it
// catches mistakes and careless thieves, and budgets bound the rest (docs/inspection.md).
//
// Weights of neural networks lie almost all between 2^-11 and 0.5 in size, with either sign. In little-endian bf16 and
// fp32 that is the high byte without its sign in 3a to 3e, at every second or fourth byte; in fp16, 10 to 37. Those
// are also the high bytes of very small bf16, such as gradients; but the lowest two bits of an fp16's high byte belong
// to its fraction and are near to even, and those of a bf16's belong to its exponent and are not.
#pragma once
#include "dataplane/base/bytes.hpp"

namespace weir {

// By place modulo 4, from the first byte counted.
struct FloatCounts {
  u16 weight[4]{};  // (byte & 7f) in 3a to 3e
  u16 half[4]{};  // (byte & 7f) in 10 to 37
  u16 negative[4]{};  // byte & 80
  u16 second[4]{};  // byte & 2
  u16 uneven[4]{};  // one of byte & 2 and byte & 1, not both
  u16 bytes = 0;

  bool operator==(const FloatCounts&) const = default;
};

enum class Lanes : u8 { plain, wide_256, wide_512 };

// The widest that this machine has. Asks the processor: once, not per packet.
Lanes lanes_of_machine();

// One payload, of at most 65535 bytes and any alignment. All lanes give the same counts.
FloatCounts count_floats(const u8* at, u32 bytes, Lanes lanes);
FloatCounts count_floats_plain(const u8* at, u32 bytes);
FloatCounts count_floats_256(const u8* at, u32 bytes);
FloatCounts count_floats_512(const u8* at, u32 bytes);

enum class FloatKind : u8 { none, bf16, fp32, fp16 };

// What a sample of at least sample_bytes_min bytes looks like. Integer arithmetic: the same on every machine.
FloatKind float_kind(const FloatCounts& counts);

inline constexpr u32 sample_bytes_min = 512;

// The vote of one direction of a flow: a sample is a packet, or as many successive small ones as make sample_bytes_min.
// Invariants: what is pending has fewer than sample_bytes_min bytes. Threads: the flow's worker.
class TensorVotes {
 public:
  static constexpr u32 needed = 3, needed_halves = 6;  // of the last 16 samples; fp16, which is less sure, has its own

  // The counts of the next payload in the order in which it passed.
  void take(const FloatCounts& packet);
  bool is_tensor() const {
    return __builtin_popcount(recent_) >= static_cast<int>(needed) ||
           __builtin_popcount(recent_halves_) >= static_cast<int>(needed_halves);
  }
  FloatKind last_kind() const { return last_kind_; }

 private:
  FloatCounts pending_;
  u16 recent_ = 0, recent_halves_ = 0;  // a bit per sample, the youngest lowest
  FloatKind last_kind_ = FloatKind::none;  // of the youngest sample that was one
};
static_assert(sizeof(TensorVotes) <= 48);

}  // namespace weir
