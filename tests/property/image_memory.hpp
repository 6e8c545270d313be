// Image bytes in memory of exactly their size, aligned as verify() wants them, so that ASan sees each byte beyond.
#pragma once
#include "dataplane/base/bytes.hpp"

#include <cstdlib>
#include <new>
#include <span>
#include <vector>

namespace weir {

class ImageMemory {
 public:
  explicit ImageMemory(std::span<const std::byte> image)
      : data_(static_cast<std::byte*>(std::aligned_alloc(64, image.size()))), size_(image.size()) {
    if (data_ == nullptr) throw std::bad_alloc();
    std::memcpy(data_, image.data(), image.size());
  }
  ~ImageMemory() { std::free(data_); }
  ImageMemory(const ImageMemory&) = delete;
  ImageMemory& operator=(const ImageMemory&) = delete;

  std::span<std::byte> bytes() { return {data_, size_}; }
  std::span<const std::byte> bytes() const { return {data_, size_}; }

 private:
  std::byte* data_;
  std::size_t size_;
};

}  // namespace weir
