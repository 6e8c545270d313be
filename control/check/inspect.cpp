// [inspect.NAME] and the names of inspections in allows: judged, and kept in no model until the dataplane looks into
// payload. Regular expressions are judged by the engine that runs them, not here.
#include "control/check/names.hpp"
#include "control/check/reading.hpp"
#include "control/check/resolver.hpp"

#include <fmt/format.h>
#include <algorithm>

namespace weir::control {
namespace {

constexpr std::uint64_t first_bytes_max = 16 << 20;
constexpr std::uint32_t offset_max = 16 << 20;
constexpr std::string_view pattern_kinds[] = {"hex", "text", "regex"};

bool is_hex(std::string_view text) {
  std::size_t digits = 0;
  for (const char c : text) {
    const bool is_digit = (c >= '0' && c <= '9') || ((c | 32) >= 'a' && (c | 32) <= 'f');
    if (!is_digit && (c != ' ' || digits % 2 != 0)) return false;
    digits += is_digit;
  }
  return digits != 0 && digits % 2 == 0;
}

// Exactly one of `hex`, `text` and `regex`.
void check_pattern(const Node& pattern, Diagnostics& out) {
  const Entry* found = nullptr;
  for (const std::string_view kind : pattern_kinds) {
    const Entry* entry = pattern.find(kind);
    if (entry != nullptr && found != nullptr)
      out.add("E0214", entry->key_span, fmt::format("`{}` beside `{}`", kind, found->key), "one pattern, one of them")
          .with(found->key_span, "said here");
    found = entry != nullptr ? entry : found;
  }
  if (found == nullptr) {
    out.add("E0214", pattern.span, "this pattern looks for nothing", "needs `hex`, `text` or `regex`")
        .helped("for example text = \"GGUF\"");
    return;
  }
  if (found->key == "hex" && found->value.kind == NodeKind::string && !is_hex(found->value.text))
    out.add("E0420", found->value.span, fmt::format("`{}` is not bytes in hex", found->value.text), "two digits a byte")
        .helped("for example hex = \"7B 22 5F 5F\"");
  std::uint32_t at = 0;
  Reading(pattern, out).count("at", at, 0, offset_max);
}

}  // namespace

void Resolver::check_inspection(const NamedTable& table) {
  const Entry& entry = *table.entry;
  const auto [at, fresh] = inspections_.try_emplace(entry.key, std::pair(entry.key_span, false));
  if (!fresh)
    out_.add("E0203", entry.key_span, fmt::format("inspection `{}` is defined twice", entry.key), "again here")
        .with(at->second.first, "first here");
  const Node& node = entry.value;
  const Node* patterns = value_of(node, "pattern");
  bool tensors = false;
  const Reading values(node, out_);
  values.flag("tensors", tensors);
  if (patterns == nullptr && node.find("signatures") == nullptr && !tensors)
    out_.add("E0214", entry.key_span, fmt::format("inspection `{}` looks for nothing", entry.key),
             "needs `signatures`, `tensors = true` or a pattern")
        .helped(fmt::format("[[inspect.{}.pattern]] with text = \"GGUF\"", entry.key));
  for (std::size_t i = 0; patterns != nullptr && i < patterns->items.size(); ++i)
    if (patterns->items[i].kind == NodeKind::table) check_pattern(patterns->items[i], out_);
  std::uint64_t first = 0;
  values.amount("first", KeyType::size, first, first_bytes_max);
  std::uint32_t share = 0;
  values.share("max_quarantined", share);
  const Entry* quarantined = node.find("max_quarantined");
  if (quarantined != nullptr && text_of(node, "on_match") != "quarantine")
    out_.add("W0411", quarantined->key_span, "`max_quarantined` without `on_match = \"quarantine\"`",
             "nothing is quarantined");
}

void Resolver::use_inspections(const Node& statement) {
  const Node* named = value_of(statement, "inspect");
  if (named == nullptr) return;
  const auto use = [&](const Node& item) {
    if (item.kind != NodeKind::string) return;
    const auto found = inspections_.find(item.text);
    if (found != inspections_.end()) {
      found->second.second = true;
      return;
    }
    std::vector<std::string_view> known;
    for (const auto& [name, place] : inspections_) known.push_back(name);
    unknown("E0213", "inspection", item, known);
  };
  use(*named);
  for (const Node& item : named->items) use(item);
}

void Resolver::tell_unused_inspections() {
  for (const auto& [name, place] : inspections_)
    if (!place.second)
      out_.add("W0205", place.first, fmt::format("inspection `{}` is never named", name), "no allow asks for it")
          .helped(fmt::format("inspect = [\"{}\"] in an [[allow]]", name));
}

}  // namespace weir::control
