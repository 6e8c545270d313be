// Signature sets as people write them: TOML files of [[pattern]] tables (rules/signatures), each a name and either
// bytes (`hex`, `text`) or a `regex`; `at` is an offset in the stream, `base64` finds the bytes in that coding too.
// Says what a file means or where it is wrong; what a match does is policy.
#pragma once
#include "control/model/patterns.hpp"
#include "control/source/tree.hpp"

#include <cstdint>
#include <expected>
#include <string>
#include <string_view>

namespace weir::control {

inline constexpr std::uint32_t pattern_at_max = 4096;

// The text of a set's file. `shown` is its path as the person would type it. The error is "PATH:LINE: what is wrong".
std::expected<PatternSet, std::string> read_pattern_set(const std::string& name, const std::string& shown,
                                                        const std::string& text);

struct PatternFault {
  Span span;
  std::string sentence;
};
// The same from the tree of file `file`.
std::expected<PatternSet, PatternFault> read_pattern_set(const std::string& name, std::uint32_t file, const Node& tree);
// One [[pattern]] table, for policies that have patterns of their own; `name` is for one without.
std::expected<Pattern, PatternFault> read_pattern(const Node& table, std::string_view name = "");

// The characters that stand for `bytes` in base64 whatever comes before and after, after 0, 1 or 2 bytes of a group of
// three (RFC 4648, section 4).
std::string base64_core(std::string_view bytes, unsigned before);

}  // namespace weir::control
