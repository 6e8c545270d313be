// Complete verification of a policy image in the reader's own copy: bounds, alignment, order, non-overlap, every
// index in every table, and a checksum over everything after itself. A bad image is an ImageError, never a crash.
#pragma once
#include "dataplane/policy/policy.hpp"

#include <expected>
#include <span>
#include <string_view>

namespace weir {

// Names the section and what does not hold. The sentence is static text.
struct ImageError {
  std::string_view section;
  std::string_view sentence;
};

// `image` is 64-byte aligned, belongs to the caller and outlives the Policy unchanged.
// Cost: linear in the image. Reads nothing outside it, whatever it holds.
std::expected<Policy, ImageError> verify(std::span<const std::byte> image);

}  // namespace weir
