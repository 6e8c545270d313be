// Memory that the edge lends to the engine: mappings of its own, zeroed, aligned to a page, in huge pages where the
// machine has them. Not EAL's heap, so that a later restart can keep flows. It never grows what it has mapped.
#pragma once
#include "dataplane/edge/error.hpp"

#include <cstddef>
#include <expected>
#include <span>

namespace weir::edge {

// Bytes of the machine's default huge page, as the kernel says; 0 when it has none.
std::size_t huge_page_bytes();

class Mapping {
 public:
  // Zeroed memory of this process. Tries huge pages when `bytes` is worth at least one; is_huge() tells.
  static std::expected<Mapping, Error> anonymous(std::size_t bytes);
  // Zeroed address space of ordinary pages, which cost memory only where they are touched.
  static std::expected<Mapping, Error> sparse(std::size_t bytes);
  // A new file of this length, shared with whoever maps it; replaces an older one by name, so that its readers keep
  // what they mapped.
  static std::expected<Mapping, Error> file(const std::string& path, std::size_t bytes);

  Mapping() = default;
  Mapping(Mapping&& other) noexcept;
  Mapping& operator=(Mapping&& other) noexcept;
  ~Mapping();

  std::span<std::byte> bytes() const { return {data_, bytes_}; }
  bool is_huge() const { return is_huge_; }

 private:
  Mapping(void* data, std::size_t bytes, std::size_t mapped, bool is_huge);

  std::byte* data_ = nullptr;
  std::size_t bytes_ = 0;
  std::size_t mapped_bytes_ = 0;
  bool is_huge_ = false;
};

}  // namespace weir::edge
