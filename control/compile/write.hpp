// Sections to image bytes. Knows the frame of an image (header, table, alignment, checksum) and nothing of its meaning.
#pragma once
#include "dataplane/policy/image.hpp"

#include <cstddef>
#include <string_view>
#include <vector>

namespace weir::control {

struct Contents {
#define WEIR_SECTION(identifier, element, sentence) std::vector<image::element> identifier;
  WEIR_IMAGE_SECTIONS(WEIR_SECTION)
#undef WEIR_SECTION

  image::Text text(std::string_view written) {
    const auto offset = static_cast<u32>(strings.size());
    strings.insert(strings.end(), written.begin(), written.end());
    return {offset, static_cast<u32>(written.size())};
  }
};

u64 image_bytes(const Contents& contents);
std::vector<std::byte> write_image(const Contents& contents, u64 generation);

}  // namespace weir::control
