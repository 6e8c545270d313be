// Damaged images. Every change of a single byte is refused. Random damage behind a recomputed checksum is refused, or
// the policy answers every question without reading outside the image; the image lies in heap memory of exactly its
// size, so run it under ASan for the whole meaning.
// usage: image_corruption [RANDOM_DAMAGES, default 20000] [VALUES_PER_BYTE, default 8, at most 255]
#include "control/compile/compile.hpp"
#include "dataplane/policy/verify.hpp"
#include "tests/property/ask_policy.hpp"
#include "tests/property/image_memory.hpp"
#include "tests/property/random_inspections.hpp"

#include <cstdio>
#include <cstdlib>
#include <map>
#include <string>

using namespace weir;

namespace {

std::vector<std::vector<std::byte>> sound_images() {
  std::vector<std::vector<std::byte>> images;
  for (u64 seed = 0; images.size() < 12; ++seed) {
    naive::Draw draw(seed);
    control::Model model = naive::random_model(draw);
    if (model.segments.size() < 5 || model.statements.size() < 8) continue;
    naive::add_budgets(draw, model);
    naive::add_inspections(draw, model);
    for (control::PortPin& pin : model.ports) pin.macs.push_back({2, 0, 0, 0, 0, static_cast<u8>(seed)});
    for (const auto form : {control::DecisionForm::matrix, control::DecisionForm::vectors})
      images.push_back(control::compile(model, seed, form)->image);
  }
  return images;
}

void recompute_checksum(std::span<std::byte> image) {
  const u64 sum = image::checksum_of(image.subspan(image::checksummed_from));
  std::memcpy(image.data() + offsetof(image::Header, checksum), &sum, sizeof sum);
}

// Anywhere in the image, or in a section drawn first, so that small sections get their share.
u64 place(naive::Draw& draw, std::span<const std::byte> image) {
  if (draw.one_in(8)) return draw.below(image.size() - 8);
  if (draw.one_in(8)) return draw.below(image::sections_end);
  const u64 section = draw.below(image::sections_count);
  const u64 entry_at = sizeof(image::Header) + section * sizeof(image::SectionEntry);
  const auto entry = load<image::SectionEntry>(image.data() + entry_at);
  const u64 bytes = entry.count * entry.element_bytes;
  return std::min(bytes == 0 ? draw.below(image.size()) : entry.offset + draw.below(bytes), image.size() - 8);
}

void damage(naive::Draw& draw, std::span<std::byte> image) {
  const u64 at = place(draw, image);
  constexpr u64 widths[] = {1, 2, 4, 8};
  const u64 width = widths[draw.below(4)];
  u64 value = load<u64>(image.data() + at);
  switch (draw.below(5)) {
    case 0: value = draw.bits(); break;
    case 1: value ^= u64{1} << draw.below(width * 8); break;
    case 2: value += draw.below(3) - 1; break;
    case 3: value = draw.one_in(2) ? ~u64{0} : 0; break;
    case 4: value = draw.below(64); break;
  }
  std::memcpy(image.data() + at, &value, width);
}

bool refuses_single_bytes(std::span<const std::byte> sound, u64 values) {
  const ImageMemory fresh(sound);
  ImageMemory memory(sound);
  const std::span<std::byte> bytes = memory.bytes();
  for (u64 at = 0; at < bytes.size(); ++at)
    for (u64 step = 1; step <= values; ++step) {
      bytes[at] = sound[at] ^ static_cast<std::byte>(values == 255 ? step : step * 255 / values);
      if (verify(bytes)) {
        std::printf("byte %llu changed and the image was accepted\n", static_cast<unsigned long long>(at));
        return false;
      }
      bytes[at] = sound[at];
    }
  return verify(bytes).has_value();
}

}  // namespace

int main(int count, char** arguments) {
  const u64 damages = count > 1 ? std::strtoull(arguments[1], nullptr, 10) : 20'000;
  const u64 values = count > 2 ? std::strtoull(arguments[2], nullptr, 10) : 8;
  const std::vector<std::vector<std::byte>> images = sound_images();
  u64 bytes = 0;
  for (u64 form = 0; form < 2; ++form) {
    if (!refuses_single_bytes(images[form], values)) return 1;
    bytes += images[form].size();
  }
  std::printf("%llu bytes, %llu other values each: every image refused\n", static_cast<unsigned long long>(bytes),
              static_cast<unsigned long long>(values));

  naive::Draw draw(1);
  u64 accepted = 0, sum = 0;
  std::map<std::string, u64> refused;
  for (u64 i = 0; i < damages; ++i) {
    ImageMemory memory(images[draw.below(images.size())]);
    for (u64 times = 1 + draw.below(4); times > 0; --times) damage(draw, memory.bytes());
    recompute_checksum(memory.bytes());
    const auto policy = verify(memory.bytes());
    if (!policy) {
      ++refused[std::string(policy.error().section) + " " + std::string(policy.error().sentence)];
      continue;
    }
    ++accepted;
    sum += ask_everything(*policy, [&] { return draw.bits(); }, 16);
  }
  for (const auto& [sentence, times] : refused)
    if (count > 1) std::printf("%8llu %s\n", static_cast<unsigned long long>(times), sentence.c_str());
  std::printf("%llu damages: %llu refused in %zu ways, %llu accepted and asked (answers %llx)\n",
              static_cast<unsigned long long>(damages), static_cast<unsigned long long>(damages - accepted),
              refused.size(), static_cast<unsigned long long>(accepted), static_cast<unsigned long long>(sum));
  return accepted * 100 > damages && refused.size() > 30 ? 0 : 1;
}
