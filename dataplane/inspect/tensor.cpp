#include "dataplane/inspect/tensor.hpp"

#include "dataplane/base/machine.hpp"

namespace weir {

namespace {

// Shares are in 1024ths. What docs/inspection.md measures was measured with these.
constexpr u32 weight_share_min = 717;  // 0.70
constexpr u32 half_share_min = 768;    // 0.75
// The byte before a float's high one is fraction: any value alike, so 40 of 128 are in the range of fp16's high byte.
constexpr u32 fraction_share_min = 225, fraction_share_max = 430;
// Weights have both signs. Numbers without sign, such as pixels and counters, do not.
constexpr u32 negative_share_min = 256, negative_share_max = 768;
// The fraction's first bit is a little seldomer one than not, since small weights are more than large ones.
constexpr u32 second_share_min = 360, second_share_max = 530, uneven_share_min = 430, uneven_share_max = 594;

constexpr bool is_share(u32 part, u32 whole, u32 least, u32 most = 1024) {
  return part * 1024 >= whole * least && part * 1024 <= whole * most;
}

// Counts of the places that hold high bytes (of every pair or every fourth byte), or of the places before them.
struct Place {
  u32 weight, half, negative, second, uneven, bytes;
};

Place place_of(const FloatCounts& counts, u32 place, bool is_pair) {
  const auto both = [=](const u16(&by_place)[4]) {
    return by_place[place & 3] + (is_pair ? u32{by_place[(place + 2) & 3]} : 0);
  };
  return {both(counts.weight), both(counts.half),   both(counts.negative),
          both(counts.second), both(counts.uneven), counts.bytes / (is_pair ? 2u : 4u)};
}

bool has_signs(const Place& place) {
  return is_share(place.negative, place.bytes, negative_share_min, negative_share_max);
}

// What stands before the high byte of a float are fraction bits.
bool is_fraction(const Place& place) {
  return is_share(place.half, place.bytes, fraction_share_min, fraction_share_max) && has_signs(place);
}

bool is_half(const Place& high, const Place& low) {
  return is_share(high.half, high.bytes, half_share_min) && has_signs(high) && is_fraction(low) &&
         is_share(high.second, high.bytes, second_share_min, second_share_max) &&
         is_share(high.uneven, high.bytes, uneven_share_min, uneven_share_max);
}

bool is_weight(const Place& high, const Place& low) {
  return is_share(high.weight, high.bytes, weight_share_min) && has_signs(high) && is_fraction(low);
}

}  // namespace

Lanes lanes_of_machine() {
  if (machine_has_vectors_512()) return Lanes::wide_512;
  return machine_has_vectors_256() ? Lanes::wide_256 : Lanes::plain;
}

FloatCounts count_floats(const u8* at, u32 bytes, Lanes lanes) {
  if (lanes == Lanes::wide_512) return count_floats_512(at, bytes);
  return lanes == Lanes::wide_256 ? count_floats_256(at, bytes) : count_floats_plain(at, bytes);
}

FloatKind float_kind(const FloatCounts& counts) {
  FloatKind kind = FloatKind::none;
  for (u32 high = 0; high < 2; ++high) {
    const Place here = place_of(counts, high, true), before = place_of(counts, high + 3, true);
    if (is_weight(here, before)) return FloatKind::bf16;
    if (is_half(here, before)) kind = FloatKind::fp16;
  }
  for (u32 high = 0; high < 4; ++high)
    if (is_weight(place_of(counts, high, false), place_of(counts, high + 3, false))) return FloatKind::fp32;
  return kind;
}

void TensorVotes::take(const FloatCounts& packet) {
  const u32 turn = pending_.bytes & 3u;  // the packet's first byte stands at this place of the sample
  const auto add = [turn](u16(&to)[4], const u16(&from)[4]) {
    for (u32 place = 0; place < 4; ++place)
      to[(place + turn) & 3] = static_cast<u16>(to[(place + turn) & 3] + from[place]);
  };
  add(pending_.weight, packet.weight);
  add(pending_.half, packet.half);
  add(pending_.negative, packet.negative);
  add(pending_.second, packet.second);
  add(pending_.uneven, packet.uneven);
  const u32 bytes = u32{pending_.bytes} + packet.bytes;
  pending_.bytes = static_cast<u16>(bytes > 0xffff ? 0xffff : bytes);
  if (pending_.bytes < sample_bytes_min) return;
  const FloatKind kind = float_kind(pending_);
  recent_ = static_cast<u16>(recent_ << 1 | (kind == FloatKind::bf16 || kind == FloatKind::fp32));
  recent_halves_ = static_cast<u16>(recent_halves_ << 1 | (kind == FloatKind::fp16));
  if (kind != FloatKind::none) last_kind_ = kind;
  pending_ = {};
}

}  // namespace weir
