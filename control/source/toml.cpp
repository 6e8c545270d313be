// toml11 behind a wall: what it cannot bear is refused before (depth, size, encoding), what it says quietly is told
// (saturated integers, unquoted ranges), places are byte offsets taken from its regions (its own location() counts
// lines from the start each time), and no exception leaves this file.
#include "control/source/toml.hpp"

#include "control/source/scan.hpp"

#include <fmt/format.h>
#include <limits>
#include <map>
#include <sstream>
#include <toml.hpp>

namespace weir::control {
namespace {

using Value = toml::basic_value<toml::discard_comments, std::map, std::vector>;

class Converter {
 public:
  Converter(const Sources& sources, std::uint32_t file, Diagnostics& out)
      : text_(sources.files[file].text), file_(file), out_(out) {}

  Node node(const Value& value) {
    Node made;
    made.span = span_of(value);
    switch (value.type()) {
      case toml::value_t::table: table(value, made); break;
      case toml::value_t::array: array(value, made); break;
      case toml::value_t::string: text(value, made); break;
      case toml::value_t::integer: integer(value, made); break;
      case toml::value_t::floating:
        made.kind = NodeKind::floating;
        made.floating = value.as_floating();
        break;
      case toml::value_t::boolean:
        made.kind = NodeKind::boolean;
        made.integer = value.as_boolean() ? 1 : 0;
        break;
      case toml::value_t::local_date: date(value, made); break;
      default: made.kind = NodeKind::other_time; break;
    }
    return made;
  }

 private:
  Span span_of(const Value& value) const {
    const auto* region = dynamic_cast<const toml::detail::region*>(toml::detail::get_region(value));
    if (region == nullptr) return {file_, 0, 0};
    const auto begin = static_cast<std::uint32_t>(region->first() - region->begin());
    const auto end = static_cast<std::uint32_t>(region->last() - region->begin());
    return {file_, begin, std::min(end, static_cast<std::uint32_t>(text_.size()))};
  }

  void table(const Value& value, Node& made) {
    made.kind = NodeKind::table;
    made.has_header = made.span.begin < text_.size() && text_[made.span.begin] == '[';
    if (made.has_header) trim_header(made.span);
    for (const auto& [key, child] : value.as_table()) {
      Entry entry{key, {}, node(child)};
      entry.key_span = key_span(key, child, entry.value);
      made.entries.push_back(std::move(entry));
    }
  }

  // The key of a value stands before it, behind `=`. The key of a table under a header stands in the header, that of
  // a table made by a dotted key in the dotted key.
  Span key_span(const std::string& key, const Value& child, const Node& made) const {
    const bool in_header = made.kind == NodeKind::table && text_[made.span.begin] != '{';
    const bool header_array = made.kind == NodeKind::array && !child.as_array().empty() && !made.items.empty() &&
                              made.items.front().has_header;
    if (in_header || header_array) return find_key_in(text_, made.span, key);
    return find_key_before(text_, made.span);
  }

  void trim_header(Span& span) const {
    while (span.end > span.begin && text_[span.end - 1] != ']') --span.end;
  }

  void array(const Value& value, Node& made) {
    made.kind = NodeKind::array;
    for (const Value& child : value.as_array()) made.items.push_back(node(child));
    if (!made.items.empty() && made.items.front().has_header) made.span = made.items.front().span;
  }

  void text(const Value& value, Node& made) {
    made.kind = NodeKind::string;
    made.text = value.as_string().str;
  }

  void integer(const Value& value, Node& made) {
    made.kind = NodeKind::integer;
    made.integer = value.as_integer();
    const bool at_edge = made.integer == std::numeric_limits<std::int64_t>::max() ||
                         made.integer == std::numeric_limits<std::int64_t>::min();
    const std::string_view written = std::string_view(text_).substr(made.span.begin, made.span.end - made.span.begin);
    if (at_edge && !integer_fits(written))
      out_.add("E0113", made.span, fmt::format("`{}` does not fit a 64-bit integer", written), "too large");
  }

  void date(const Value& value, Node& made) {
    made.kind = NodeKind::date;
    const auto& date = value.as_local_date();
    made.integer = days_from_civil(date.year, date.month + 1, date.day);
  }

  const std::string& text_;
  std::uint32_t file_;
  Diagnostics& out_;
};

}  // namespace

std::optional<Node> parse_toml(const Sources& sources, std::uint32_t file, Diagnostics& out) {
  const std::string& text = sources.files[file].text;
  // toml11 3.7.1 answers a string that is not UTF-8 by walking two buffers with one iterator: it must never see one.
  if (const auto broken = first_not_utf8(text)) {
    out.add("E0101", {file, *broken, *broken + 1}, "the file is not UTF-8", "this byte")
        .helped("save the file as UTF-8");
    return std::nullopt;
  }
  if (const auto deep = first_deeper_than(text, nesting_max)) {
    out.add("E0107", {file, *deep, *deep + 1}, fmt::format("nested deeper than {} levels", nesting_max),
            "one level too many");
    return std::nullopt;
  }
  const std::size_t before = out.errors();
  try {
    std::istringstream stream(text);
    const auto value = toml::parse<toml::discard_comments, std::map, std::vector>(stream, "");
    Node root = Converter(sources, file, out).node(value);
    if (out.errors() > before) return std::nullopt;
    return root;
  } catch (const std::exception& fault) {
    explain_syntax(sources, file, fault.what(), out);
    return std::nullopt;
  }
}

}  // namespace weir::control
