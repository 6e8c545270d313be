// TOML as it was typed: lines, keys, values and comments by their texts, nothing evaluated. What weir fmt moves about.
// It reads what a TOML parser has taken already; of anything else it says that it cannot.
#pragma once
#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace weir::control {

struct TypedComment {
  std::string text;        // from `#` on, without blanks at its end; empty: none
  std::size_t column = 0;  // at which it stood, in characters from 0
};

struct TypedItem;

struct TypedValue {
  enum class Kind { scalar, array, table } kind = Kind::scalar;
  std::string text;              // scalar: as it was typed
  bool has_lines = false;        // array: with a line break inside its brackets
  std::vector<TypedItem> items;  // of an array, or of an inline table, which have keys
  std::vector<std::string> comments_at_end;  // array: on lines of their own before `]`
};

struct TypedItem {
  std::string key;  // of a table
  TypedValue value;
  bool on_new_line = false, after_blank = false;
  std::vector<std::string> comments_before;  // on lines of their own
  TypedComment comment;                      // behind it
};

struct TypedLine {
  enum class Kind { blank, comment, header, pair } kind = Kind::blank;
  std::string text;  // of a header with its brackets, of a pair its key
  TypedValue value;  // of a pair
  TypedComment comment;
};

std::optional<std::vector<TypedLine>> read_layout(std::string_view text);

// How many characters of UTF-8.
std::size_t width_of(std::string_view text);

}  // namespace weir::control
