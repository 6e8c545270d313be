// What bytes are searched for: patterns, in sets by name. Plain data, as people wrote it; control/inspect reads and
// compiles it.
#pragma once
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace weir::control {

// Bytes [begin, end) of file `file` in Sources::files. Line and column are derived only to be shown.
struct Span {
  std::uint32_t file = 0;
  std::uint32_t begin = 0;
  std::uint32_t end = 0;
};

struct Pattern {
  std::string name;
  std::string bytes;                // of `hex` and `text`
  std::string regex;                // else this
  std::optional<std::uint32_t> at;  // where it begins; nothing: anywhere
  bool base64 = false;
  bool any_case = false;
  Span span{};                      // of the bytes or the regex
};

struct PatternSet {
  std::string name;  // as policies name it
  std::vector<Pattern> patterns;
};

}  // namespace weir::control
