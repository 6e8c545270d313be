// Reading TOML text without parsing it: how deep it nests, where a key stands, and what a parser's complaint means to
// the person who wrote the line. Knows strings and comments; refuses nothing but depth.
#pragma once
#include "control/model/diagnostic.hpp"
#include "control/source/sources.hpp"

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace weir::control {

// Offset of the first bracket, brace or dotted key that nests deeper than `depth`.
std::optional<std::uint32_t> first_deeper_than(std::string_view text, std::size_t depth);

// Offset of the first byte that is not UTF-8 (RFC 3629: no overlong form, no surrogate, nothing above U+10FFFF).
std::optional<std::uint32_t> first_not_utf8(std::string_view text);

// The key that stands before `value`, its last part if it is dotted; and the part `key` of a header or dotted key.
Span find_key_before(std::string_view text, const Span& value);
Span find_key_in(std::string_view text, const Span& header, std::string_view key);

bool integer_fits(std::string_view written);
std::int64_t days_from_civil(int year, int month, int day);  // days since 1970-01-01, proleptic Gregorian

// Turns toml11's message into E0101, or E0111 for an unquoted port range.
void explain_syntax(const Sources& sources, std::uint32_t file, std::string_view message, Diagnostics& out);

}  // namespace weir::control
