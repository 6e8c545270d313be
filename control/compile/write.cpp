// The checksum is written last, over everything behind it.
#include "control/compile/write.hpp"

namespace weir::control {

using namespace image;

u64 image_bytes(const Contents& contents) {
  u64 end = sections_end;
#define WEIR_SECTION(identifier, element, sentence) end = aligned(end) + contents.identifier.size() * sizeof(element);
  WEIR_IMAGE_SECTIONS(WEIR_SECTION)
#undef WEIR_SECTION
  return aligned(end);
}

std::vector<std::byte> write_image(const Contents& contents, u64 generation) {
  std::vector<std::byte> bytes(image_bytes(contents));
  u64 end = sections_end;
  u32 id = 0;
  const auto put = [&](const auto& elements) {
    const u32 element_bytes = sizeof(elements[0]);
    const SectionEntry entry{id, element_bytes, aligned(end), elements.size()};
    std::memcpy(bytes.data() + sizeof(Header) + id * sizeof(SectionEntry), &entry, sizeof entry);
    if (!elements.empty()) std::memcpy(bytes.data() + entry.offset, elements.data(), elements.size() * element_bytes);
    end = entry.offset + elements.size() * element_bytes;
    ++id;
  };
#define WEIR_SECTION(identifier, element, sentence) put(contents.identifier);
  WEIR_IMAGE_SECTIONS(WEIR_SECTION)
#undef WEIR_SECTION
  Header header{magic, version, sections_count, bytes.size(), 0, generation, {}};
  std::memcpy(bytes.data(), &header, sizeof header);
  header.checksum = checksum_of(std::span(bytes).subspan(checksummed_from));
  std::memcpy(bytes.data(), &header, sizeof header);
  return bytes;
}

}  // namespace weir::control
