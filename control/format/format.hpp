// `weir fmt`: rule files in one layout. It moves blanks, line breaks and commas at the end of arrays and nothing else:
// keys keep their order, strings, numbers, dates and comments their letters. What it writes is read again and compared
// with what was there; a difference is an error, never a file.
//
// The layout: `key = value`, the `=` of adjacent lines in one column; a blank line before a table and its comments,
// never two; `[a, b]` and `{ a = 1 }`; an array that has line breaks keeps them, one that is wider than 120 columns has
// its items on lines of their own; a comment behind something stays in its column where there is room.
#pragma once
#include <expected>
#include <string>
#include <string_view>

namespace weir::control {

// The error is a sentence for people: of a text that is no TOML that Weir reads, `weir check` says more.
std::expected<std::string, std::string> format_rules(std::string_view text);

}  // namespace weir::control
