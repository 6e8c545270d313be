#include "control/inspect/patterns.hpp"

#include "control/source/toml.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cctype>

namespace weir::control {
namespace {

// What is shorter occurs by chance: 9 characters are 54 bits.
constexpr std::size_t base64_core_min = 9;

using Fault = std::unexpected<PatternFault>;

Fault fault(Span span, std::string sentence) { return Fault({span, std::move(sentence)}); }

std::optional<std::string> bytes_of_hex(std::string_view written) {
  std::string digits;
  std::ranges::copy_if(written, std::back_inserter(digits), [](char one) { return one != ' '; });
  const auto is_digit = [](char one) { return std::isxdigit(static_cast<unsigned char>(one)) != 0; };
  if (digits.empty() || digits.size() % 2 != 0 || !std::ranges::all_of(digits, is_digit)) return std::nullopt;
  std::string bytes;
  for (std::size_t i = 0; i < digits.size(); i += 2)
    bytes += static_cast<char>(std::stoi(digits.substr(i, 2), nullptr, 16));
  return bytes;
}

bool has_core(const std::string& bytes) {
  for (unsigned before = 0; before < 3; ++before)
    if (base64_core(bytes, before).size() < base64_core_min) return false;
  return true;
}

NodeKind kind_of(std::string_view key) {
  if (key == "at") return NodeKind::integer;
  return key == "base64" || key == "any_case" ? NodeKind::boolean : NodeKind::string;
}

// The keys one by one; what they mean together is read_pattern's.
std::optional<PatternFault> read_key(const Entry& entry, Pattern& pattern, int& ways) {
  constexpr std::array<std::string_view, 7> keys = {"name", "hex", "text", "regex", "at", "base64", "any_case"};
  const auto& [key, key_span, value] = entry;
  if (std::ranges::find(keys, key) == keys.end())
    return PatternFault{key_span, fmt::format("a pattern has no `{}`", key)};
  if (value.kind != kind_of(key))
    return PatternFault{value.span,
                        fmt::format("`{}` is {}, not {}", key, kind_name(kind_of(key)), kind_name(value.kind))};
  if (key == "name") pattern.name = value.text;
  if (key == "base64") pattern.base64 = value.integer != 0;
  if (key == "any_case") pattern.any_case = value.integer != 0;
  if (key == "text") pattern.bytes = value.text;
  if (key == "regex") pattern.regex = value.text;
  if (key == "regex" && value.text.starts_with('^'))
    return PatternFault{value.span, "say `at = 0` for what stands at the beginning, without ^"};
  if (key == "hex") {
    const auto bytes = bytes_of_hex(value.text);
    if (!bytes) return PatternFault{value.span, "`hex` is pairs of hexadecimal digits"};
    pattern.bytes = *bytes;
  }
  if (key == "hex" || key == "text" || key == "regex") {
    pattern.span = value.span;
    ways += !value.text.empty();
  }
  if (key == "at") {
    if (value.integer < 0 || value.integer > pattern_at_max)
      return PatternFault{value.span, fmt::format("`at` is 0 to {}", pattern_at_max)};
    pattern.at = static_cast<std::uint32_t>(value.integer);
  }
  return std::nullopt;
}

}  // namespace

std::expected<Pattern, PatternFault> read_pattern(const Node& table, std::string_view name) {
  if (table.kind != NodeKind::table) return fault(table.span, "a pattern is a table");
  Pattern pattern;
  pattern.name = name;
  int ways = 0;
  for (const Entry& entry : table.entries)
    if (auto wrong = read_key(entry, pattern, ways)) return Fault(std::move(*wrong));
  if (pattern.name.empty()) return fault(table.span, "a pattern needs a `name`");
  if (ways != 1) return fault(table.span, fmt::format("`{}` needs one of `hex`, `text` and `regex`", pattern.name));
  if (pattern.base64 && (!pattern.regex.empty() || pattern.at || pattern.any_case))
    return fault(table.span, fmt::format("`{}`: base64 is for bytes that stand anywhere", pattern.name));
  if (pattern.base64 && !has_core(pattern.bytes))
    return fault(table.span, fmt::format("`{}` is too short for base64: it would be found by chance", pattern.name));
  return pattern;
}

std::expected<PatternSet, std::string> read_pattern_set(const std::string& name, const std::string& shown,
                                                        const std::string& text) {
  Sources sources;
  Diagnostics found;
  const std::uint32_t file = sources.add(name, shown, text);
  const auto wrong = [&](const Span& span, std::string_view sentence) {
    return std::unexpected(fmt::format("{}:{}: {}", shown, sources.place(file, span.begin).line, sentence));
  };
  const auto tree = parse_toml(sources, file, found);
  if (!tree) return wrong(found.all.front().primary.span, found.all.front().sentence);
  auto set = read_pattern_set(name, file, *tree);
  if (!set) return wrong(set.error().span, set.error().sentence);
  return std::move(*set);
}

std::expected<PatternSet, PatternFault> read_pattern_set(const std::string& name, std::uint32_t file,
                                                         const Node& tree) {
  PatternSet set{name, {}};
  for (const auto& [key, key_span, value] : tree.entries) {
    if (key == "version") {
      if (value.kind != NodeKind::integer || value.integer != 1) return fault(value.span, "`version` is 1");
    } else if (key == "pattern" && value.kind == NodeKind::array) {
      for (const Node& item : value.items) {
        auto pattern = read_pattern(item);
        if (!pattern) return std::unexpected(pattern.error());
        set.patterns.push_back(std::move(*pattern));
      }
    } else {
      return fault(key_span, fmt::format("a signature set has `version` and [[pattern]], not `{}`", key));
    }
  }
  if (tree.find("version") == nullptr) return fault({file, 0, 0}, "`version = 1` is missing");
  if (set.patterns.empty()) return fault({file, 0, 0}, "no [[pattern]]");
  return set;
}

std::string base64_core(std::string_view bytes, unsigned before) {
  constexpr std::string_view letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  const std::size_t begin = (before * 8 + 5) / 6, end = (before + bytes.size()) * 8 / 6;
  std::string core;
  for (std::size_t letter = begin; letter < end; ++letter) {
    unsigned value = 0;
    for (std::size_t bit = letter * 6; bit < letter * 6 + 6; ++bit) {
      const auto byte = static_cast<unsigned char>(bytes[bit / 8 - before]);
      value = value << 1 | (byte >> (7 - bit % 8) & 1);
    }
    core += letters[value];
  }
  return core;
}

}  // namespace weir::control
