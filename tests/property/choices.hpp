// Choices read from bytes, so that a random test and a fuzzer share what is made of them; zero for ever after the last.
#pragma once
#include "dataplane/base/bytes.hpp"

#include <span>

namespace weir {

class Choices {
 public:
  explicit Choices(std::span<const u8> bytes) : bytes_(bytes) {}
  bool left() const { return !bytes_.empty(); }
  u32 below(u32 bound) {
    if (bytes_.empty()) return 0;
    const u32 value = bytes_.front();
    bytes_ = bytes_.subspan(1);
    return value % bound;
  }

 private:
  std::span<const u8> bytes_;
};

}  // namespace weir
