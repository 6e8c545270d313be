// Damaged policy images: the input is a list of patches to a sound image, or (first byte 255) an image itself. Its
// checksum is repaired, then verify() refuses it or the policy answers drawn questions. Nothing may read outside the
// image, whose heap memory is of exactly its size. Patches, so that seeds outlive changes of the format.
#include "control/compile/compile.hpp"
#include "dataplane/policy/verify.hpp"
#include "tests/property/ask_policy.hpp"
#include "tests/property/image_memory.hpp"
#include "tests/property/random_model.hpp"

using namespace weir;

namespace {

using Images = std::vector<std::vector<std::byte>>;

const Images& sound_images() {
  static const Images images = [] {
    Images made;
    for (u64 seed = 0; made.size() < 16; ++seed) {
      naive::Draw draw(seed);
      const control::Model model = naive::random_model(draw);
      if (model.statements.size() < 3) continue;
      made.push_back(control::compile(model, seed, control::DecisionForm::matrix)->image);
      made.push_back(control::compile(model, seed, control::DecisionForm::vectors)->image);
    }
    return made;
  }();
  return images;
}

struct Patch {
  u8 section;  // beyond the last: anywhere in the image
  u8 bytes;    // 1 to 8
  u16 at;
  u64 value;
};
constexpr u64 patch_bytes = 12;

void apply(const Patch& patch, std::span<std::byte> image) {
  u64 first = 0, room = image.size();
  if (patch.section < image::sections_count) {
    const u64 entry_at = sizeof(image::Header) + patch.section * sizeof(image::SectionEntry);
    const auto entry = load<image::SectionEntry>(image.data() + entry_at);
    if (entry.offset < image.size() && entry.count != 0) {
      first = entry.offset;
      room = std::min<u64>(image.size() - entry.offset, 65536);
    }
  }
  const u64 at = first + patch.at % room;
  std::memcpy(image.data() + at, &patch.value, std::min<u64>(patch.bytes % 8 + 1, image.size() - at));
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const u8* data, std::size_t size) {
  if (size < 1 + sizeof(image::Header)) {
    if (size == 0 || data[0] == 255) return 0;
  }
  const bool whole = data[0] == 255;
  const auto input = std::as_bytes(std::span(data + 1, size - 1));
  const std::vector<std::byte>& base = sound_images()[data[0] % sound_images().size()];
  ImageMemory memory(whole ? input.first(input.size() / 64 * 64) : std::span<const std::byte>(base));
  const std::span<std::byte> image = memory.bytes();
  for (std::size_t at = 0; !whole && at + patch_bytes <= input.size(); at += patch_bytes)
    apply({data[1 + at], data[2 + at], load<u16>(data + 3 + at), load<u64>(data + 5 + at)}, image);
  const u64 sum = image::checksum_of(image.subspan(image::checksummed_from));
  std::memcpy(image.data() + offsetof(image::Header, checksum), &sum, sizeof sum);
  naive::Draw draw(size + data[size - 1]);
  if (const auto policy = verify(image)) {
    volatile u64 answers = ask_everything(*policy, [&] { return draw.bits(); }, 16);
    (void)answers;
  }
  return 0;
}
