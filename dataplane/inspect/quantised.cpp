#include "dataplane/inspect/quantised.hpp"

#include <array>

namespace weir {

namespace {

constexpr u32 bit = 4096;
constexpr u32 entropy_min = 4 * bit;
constexpr u32 entropy_max = bit * 785 / 100;
constexpr u32 opaque_min = bit * 790 / 100;
constexpr u32 sign_distance_max = 123, middle_distance_max = 174;
constexpr u32 halves_loss_max = bit / 4, halves_distance_max = 150, half_entropy_max = bit * 393 / 100;
constexpr u32 top_bits_min = 205, top_bits_max = 819;
// Without order they lie around twice the product of the shares; groups with a zero of their own lie 90 below.
constexpr u32 turns_off_max = 105;

// log2 of 1 to 1024, a binary digit at a time: squaring doubles the logarithm.
constexpr u16 log2_digits(u32 count) {
  u32 whole = 0;
  while (count >> (whole + 1) != 0) ++whole;
  u64 rest = u64{count} << (32 - whole);  // in [1, 2), 32 digits after the point
  u32 digits = 0;
  for (u32 i = 0; i < 13; ++i) {
    const u128 square = u128{rest} * rest >> 32;
    const bool is_two = square >> 33 != 0;
    digits = digits << 1 | is_two;
    rest = static_cast<u64>(is_two ? square >> 1 : square);
  }
  return static_cast<u16>(whole * bit + ((digits + 1) >> 1));
}

constexpr std::array<u16, 1025> log2_table = [] {
  std::array<u16, 1025> table{};
  for (u32 count = 1; count < table.size(); ++count) table[count] = log2_digits(count);
  return table;
}();

// Entropy in 4096ths of a bit of `values` counts that add up to shape_window_bytes.
u32 entropy(const u16* counts, u32 values) {
  u64 sum = 0;
  for (u32 i = 0; i < values; ++i)
    if (counts[i] != 0) sum += u64{counts[i]} * log2_4096(counts[i]);
  const u64 whole = u64{shape_window_bytes} * log2_4096(shape_window_bytes);
  return static_cast<u32>(whole > sum ? (whole - sum) / shape_window_bytes : 0);
}

constexpr u32 apart(u32 a, u32 b) { return a > b ? a - b : b - a; }

}  // namespace

u32 log2_4096(u32 count) {
  u32 shift = 0;
  while (count >> shift >= 1024) ++shift;
  return log2_table[(count + (1u << shift >> 1)) >> shift] + shift * bit;
}

WindowShape window_shape(const ByteCounts& counts, u32 turns) {
  WindowShape shape{};
  u16 high[16]{}, low[16]{};
  for (u32 value = 0; value < 256; ++value) {
    high[value >> 4] = static_cast<u16>(high[value >> 4] + counts[value]);
    low[value & 15] = static_cast<u16>(low[value & 15] + counts[value]);
    shape.sign_distance += apart(counts[value], counts[value ^ 0x80]);
    shape.middle_distance += apart(counts[value], counts[(256 - value) & 0xff]);
  }
  for (u32 value = 0; value < 16; ++value) shape.halves_distance += apart(high[value], low[value]);
  // Of two distributions half of what they are apart; and shape_window_bytes is 1024 sixteen times.
  for (u32* distance : {&shape.sign_distance, &shape.middle_distance, &shape.halves_distance})
    *distance /= 2 * (shape_window_bytes / 1024);
  shape.entropy = entropy(counts, 256);
  shape.high_entropy = entropy(high, 16);
  shape.low_entropy = entropy(low, 16);
  for (u32 value = 8; value < 16; ++value) shape.top_bits += high[value];
  shape.top_bits /= shape_window_bytes / 1024;
  shape.turns = turns / (shape_window_bytes / 1024);
  return shape;
}

WindowKind window_kind(const WindowShape& shape) {
  if (shape.entropy >= opaque_min) return WindowKind::opaque;
  if (shape.entropy < entropy_min || shape.entropy > entropy_max) return WindowKind::other;
  if (shape.top_bits < top_bits_min || shape.top_bits > top_bits_max) return WindowKind::other;
  if (apart(shape.turns, 2 * shape.top_bits * (1024 - shape.top_bits) / 1024) > turns_off_max) return WindowKind::other;
  const bool is_halves = shape.high_entropy + shape.low_entropy <= shape.entropy + halves_loss_max &&
                         shape.halves_distance <= halves_distance_max && shape.high_entropy <= half_entropy_max &&
                         shape.low_entropy <= half_entropy_max;
  return shape.sign_distance <= sign_distance_max || shape.middle_distance <= middle_distance_max || is_halves
             ? WindowKind::quantised
             : WindowKind::other;
}

void ByteWatch::take(const u8* at, u32 bytes) {
  u32 i = skips_;
  while (i < bytes) {
    const u32 left = (bytes - i + 1) / 2, wanted = shape_window_bytes - counted_;
    const u32 now = left < wanted ? left : wanted;
    u32 turns = 0, last = last_;
    for (u32 end = i + 2 * now; i < end; i += 2) {
      turns += (at[i] ^ last) >> 7;
      last = at[i];
      ++counts_[last];
    }
    last_ = static_cast<u8>(last);
    turns_ = static_cast<u16>(turns_ + turns);
    counted_ = static_cast<u16>(counted_ + now);
    if (counted_ < shape_window_bytes) continue;
    close_window();
    ++i;  // the other bytes from here
  }
  skips_ = static_cast<u8>(i - bytes);
}

void ByteWatch::close_window() {
  const WindowKind kind = window_kind(window_shape(counts_, turns_));
  quantised_ = quantised_ << 1 | (kind == WindowKind::quantised);
  opaque_ = opaque_ << 1 | (kind == WindowKind::opaque);
  for (u16& count : counts_) count = 0;
  counted_ = 0;
  turns_ = 0;
}

}  // namespace weir
