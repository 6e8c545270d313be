// The image's checksum: four lanes, so that multiplications overlap and an image is read at memory speed.
#include "dataplane/policy/image.hpp"

namespace weir::image {

namespace {

constexpr u64 odd_a = 0x9e3779b97f4a7c15, odd_b = 0xd6e8feb86659fd93;

// A bijection of `state` for a given word, and of `word` for a given state: xor, odd product, rotation.
constexpr u64 step(u64 state, u64 word) { return std::rotl((state ^ word) * odd_a, 29); }

constexpr u64 spread(u64 value) {
  value = (value ^ value >> 32) * odd_b;
  value = (value ^ value >> 29) * odd_a;
  return value ^ value >> 32;
}

}  // namespace

u64 checksum_of(std::span<const std::byte> bytes) {
  const std::byte* at = bytes.data();
  const u64 words = bytes.size() / 8;
  u64 lanes[4] = {odd_a, odd_b, ~odd_a, ~odd_b};
  u64 done = 0;
  for (; done + 4 <= words; done += 4)
    for (u32 lane = 0; lane < 4; ++lane) lanes[lane] = step(lanes[lane], load<u64>(at + (done + lane) * 8));
  for (; done < words; ++done) lanes[done & 3] = step(lanes[done & 3], load<u64>(at + done * 8));
  u64 sum = bytes.size();
  for (const u64 lane : lanes) sum = spread(sum ^ lane);
  return sum;
}

}  // namespace weir::image
