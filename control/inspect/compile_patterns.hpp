// Signature sets to what the dataplane scans with (dataplane/inspect/pattern_image.hpp): one database of Hyperscan's
// for streams and one for single packets, and the name behind each number. For the kind of processor it runs on.
#pragma once
#include "control/inspect/patterns.hpp"

#include <cstddef>
#include <span>

namespace weir::control {

struct PatternsFault {
  std::string sentence;  // names set and pattern
  Span span;             // of the pattern at fault; file ~0 where it is none's
};
// Patterns are numbered in order, sets as well; a pattern with base64 has a number for each way it is written, all of
// the same name.
std::expected<std::vector<std::byte>, PatternsFault> compile_patterns(std::span<const PatternSet> sets);

}  // namespace weir::control
