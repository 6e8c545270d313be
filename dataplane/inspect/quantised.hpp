// Quantised tensors (fp8, int8, int4 and their block formats) and opaque data (encrypted, compressed), told by how the
// values of bytes are distributed, window after window of one direction of a flow. Says nothing about a single packet,
// and cannot tell what is inside opaque data: policy says which flows may be opaque.
//
// A window is 16 KiB of every second byte, by turns the even and the odd ones: numbers of two or four bytes then give
// windows that differ, numbers of one byte or less do not. What marks a quantised tensor is that values lie around
// zero with either sign: the distribution is its own mirror image, in the sign bit (fp8), around a middle (int8) or,
// for two numbers to a byte, the product of two halves that are alike (int4); and that the sign of one says nothing of
// the next, as it does in sound and pictures. Text, code and their encodings are none of these.
#pragma once
#include "dataplane/base/bytes.hpp"

namespace weir {

inline constexpr u32 shape_window_bytes = 16384;
using ByteCounts = u16[256];

// log2(count) in 4096ths, for 1 to 65535; off by less than 8.
u32 log2_4096(u32 count);

// Of one full window. Entropies in 4096ths of a bit, distances as shares in 1024ths: 0 is an exact mirror image.
struct WindowShape {
  u32 entropy;
  u32 sign_distance;  // between b and b ^ 80
  u32 middle_distance;  // between b and -b: numbers in two's complement, or with 128 for zero
  u32 high_entropy, low_entropy;  // of the high and of the low four bits: together at least `entropy`
  u32 halves_distance;  // between the high and the low four bits
  u32 top_bits;  // bytes with the top bit
  u32 turns;  // bytes whose top bit is not that of the one before
};
// `turns` in bytes of the window.
WindowShape window_shape(const ByteCounts& counts, u32 turns);

enum class WindowKind : u8 { other, quantised, opaque };
WindowKind window_kind(const WindowShape& shape);

// 528 bytes of state: give them to flows that policy inspects, not to all. Threads: the flow's worker.
class ByteWatch {
 public:
  static constexpr u32 remembered = 32;  // windows: 1 MiB of the stream
  static constexpr u32 needed = 29;  // of these alike, for a verdict

  // The next bytes of the stream, cut anywhere. Costs about half a nanosecond a byte.
  void take(const u8* at, u32 bytes);

  bool is_quantised() const { return __builtin_popcount(quantised_) >= static_cast<int>(needed); }
  bool is_opaque() const { return __builtin_popcount(opaque_) >= static_cast<int>(needed); }

 private:
  void close_window();

  ByteCounts counts_{};
  u32 quantised_ = 0, opaque_ = 0;  // a bit per window, the youngest lowest
  u16 counted_ = 0, turns_ = 0;  // of the open window: bytes, changes of the top bit
  u8 last_ = 0;  // the byte counted last
  u8 skips_ = 0;  // bytes before the next that is counted: at most two
};
static_assert(sizeof(ByteWatch) <= 528);

}  // namespace weir
