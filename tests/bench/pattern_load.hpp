// What the benchmarks of inspection look for, and in what: the same for all of them.
#pragma once
#include "control/inspect/patterns.hpp"
#include "dataplane/base/bytes.hpp"

#include <fmt/format.h>

#include <random>
#include <vector>

namespace weir::bench {

// Literals of 8 to 24 letters, and one in eight an expression.
inline control::PatternSet random_set(u32 count) {
  std::mt19937_64 random(20);
  control::PatternSet set{"bench", {}};
  for (u32 i = 0; i < count; ++i) {
    std::string letters;
    for (u32 j = 0; j < 8 + random() % 17; ++j) letters += static_cast<char>('a' + random() % 26);
    control::Pattern pattern{fmt::format("p{}", i), letters, "", {}, false, false};
    if (i % 8 == 7) pattern.regex = letters + "[0-9]{1,8}" + letters.substr(0, 4), pattern.bytes.clear();
    set.patterns.push_back(pattern);
  }
  return set;
}

// So many bytes: letters and spaces, or noise.
inline std::vector<u8> random_bytes(std::size_t count, bool is_text) {
  std::mt19937_64 random(21);
  std::vector<u8> bytes(count);
  for (u8& byte : bytes) byte = static_cast<u8>(is_text ? " etaoinshrdlucmfwypvbgkqjxz"[random() % 27] : random());
  return bytes;
}

}  // namespace weir::bench
