// The keys of one table as numbers and flags, each within its bounds. Kinds, units and words have been judged in
// values.cpp; what is missing or wrong there leaves the given value as it is.
#pragma once
#include "control/check/quantity.hpp"
#include "control/model/diagnostic.hpp"
#include "control/source/tree.hpp"

#include <string>
#include <string_view>

namespace weir::control {

// nullptr when the table does not have the key.
const Node* value_of(const Node& table, std::string_view key);
// "" when it is no text.
std::string text_of(const Node& table, std::string_view key);
// Whether it is missing, or a text of blanks.
bool says_nothing(const Node& table, std::string_view key);
// "1h", "90s", "250ms".
std::string spoken_ms(std::uint64_t ms);

class Reading {
 public:
  Reading(const Node& table, Diagnostics& out) : table_(table), out_(out) {}

  void flag(std::string_view key, bool& value) const;
  bool says(std::string_view key, std::string_view word) const;
  void count(std::string_view key, std::uint32_t& value, std::uint32_t least, std::uint32_t most) const;
  bool time_ms(std::string_view key, std::uint32_t& value, std::uint32_t least, std::uint32_t most) const;
  // A frequency, with `key`_burst beside it where that is stated.
  void rate(std::string_view key, Frequency& value) const;
  // A size in bytes or a rate in bit/s, exactly, rounded down; at least 1. False when it is not stated or wrong.
  bool amount(std::string_view key, KeyType type, std::uint64_t& value, std::uint64_t most) const;
  // A share in ten-thousandths, 1 to 10,000.
  bool share(std::string_view key, std::uint32_t& value) const;
  // A number in thousandths, rounded up; at least one whole.
  bool thousandths(std::string_view key, std::uint32_t& value) const;

  void out_of_bounds(std::string_view key, const Node& node, const std::string& bounds) const;

 private:
  const Node& table_;
  Diagnostics& out_;
};

}  // namespace weir::control
