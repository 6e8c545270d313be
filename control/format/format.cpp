#include "control/format/format.hpp"

#include "control/format/layout.hpp"
#include "control/source/toml.hpp"

#include <algorithm>
#include <bit>
#include <vector>

namespace weir::control {
namespace {

constexpr std::size_t width_max = 120;
constexpr std::size_t indent_step = 2;
constexpr std::size_t comment_gap = 2;

using Kind = TypedLine::Kind;

std::string spaces(std::size_t count) { return std::string(count, ' '); }

// Of what may have several lines.
std::size_t last_width(std::string_view text) { return width_of(text.substr(text.rfind('\n') + 1)); }

void add_comment(std::string& line, const TypedComment& comment) {
  if (comment.text.empty()) return;
  const std::size_t width = last_width(line);
  line += spaces(std::max(comment.column, width + comment_gap) - width) + comment.text;
}

class Writer {
 public:
  // `indent`: of the line that the value begins on.
  std::string value(const TypedValue& one, std::size_t indent) const {
    if (one.kind == TypedValue::Kind::scalar) return one.text;
    if (one.kind == TypedValue::Kind::table) return table(one, indent);
    return one.has_lines ? array_of_lines(one, indent) : array(one, indent);
  }

  // Broken where it does not fit behind `before` columns.
  std::string value_behind(const TypedValue& one, std::size_t before) const {
    std::string made = value(one, 0);
    const bool is_wide = before + width_of(std::string_view(made).substr(0, made.find('\n'))) > width_max;
    if (one.kind != TypedValue::Kind::array || one.has_lines || one.items.empty() || !is_wide) return made;
    TypedValue broken = one;
    broken.has_lines = true;
    for (TypedItem& item : broken.items) item.on_new_line = true;
    return value(broken, 0);
  }

 private:
  std::string table(const TypedValue& one, std::size_t indent) const {
    std::string made = "{";
    for (const TypedItem& item : one.items)
      made += (made.size() == 1 ? " " : ", ") + item.key + " = " + value(item.value, indent);
    return made + (one.items.empty() ? "}" : " }");
  }

  std::string array(const TypedValue& one, std::size_t indent) const {
    std::string made = "[";
    for (const TypedItem& item : one.items) made += (made.size() == 1 ? "" : ", ") + value(item.value, indent);
    return made + "]";
  }

  std::string array_of_lines(const TypedValue& one, std::size_t indent) const {
    const std::size_t inner = indent + indent_step;
    std::string made = "[";
    bool must_break = true;
    for (const TypedItem& item : one.items) {
      if (item.after_blank) made += "\n";
      for (const std::string& comment : item.comments_before) made += "\n" + spaces(inner) + comment;
      must_break |= item.on_new_line || !item.comments_before.empty();
      made += must_break ? "\n" + spaces(inner) : std::string(" ");
      made += value(item.value, inner) + ",";
      add_comment(made, item.comment);
      must_break = !item.comment.text.empty();
    }
    for (const std::string& comment : one.comments_at_end) made += "\n" + spaces(inner) + comment;
    return made + "\n" + spaces(indent) + "]";
  }
};

// Width of the widest key among the adjacent pairs from `first` on.
std::size_t key_width(const std::vector<TypedLine>& lines, std::size_t first) {
  std::size_t widest = 0;
  for (std::size_t at = first; at < lines.size() && lines[at].kind == Kind::pair; ++at)
    widest = std::max(widest, width_of(lines[at].text));
  return widest;
}

// Whether a table begins here, perhaps with comments that stand right before its header.
bool begins_table(const std::vector<TypedLine>& lines, std::size_t at) {
  while (at < lines.size() && lines[at].kind == Kind::comment) ++at;
  return at < lines.size() && lines[at].kind == Kind::header;
}

std::string write_layout(const std::vector<TypedLine>& lines) {
  const Writer writer;
  std::string made;
  std::size_t keys = 0;
  Kind before = Kind::blank;
  for (std::size_t at = 0; at < lines.size(); ++at) {
    const TypedLine& line = lines[at];
    if (line.kind == Kind::blank) {
      before = Kind::blank;
      continue;
    }
    const bool is_new_block = before != Kind::comment && begins_table(lines, at);
    if (!made.empty() && (before == Kind::blank || is_new_block)) made += "\n";
    std::string text;
    if (line.kind == Kind::comment) {
      text = line.comment.text;
    } else {
      text = line.text;
      if (line.kind == Kind::pair) {
        if (before != Kind::pair) keys = key_width(lines, at);
        text += spaces(keys - width_of(text)) + " = ";
        text += writer.value_behind(line.value, last_width(text));
      }
      add_comment(text, line.comment);
    }
    made += text + "\n";
    before = line.kind;
  }
  return made;
}

void collect(const TypedValue& value, std::vector<std::string>& texts) {
  for (const TypedItem& item : value.items) {
    texts.insert(texts.end(), item.comments_before.begin(), item.comments_before.end());
    texts.push_back(item.key);
    collect(item.value, texts);
    texts.push_back(item.comment.text);
  }
  texts.insert(texts.end(), value.comments_at_end.begin(), value.comments_at_end.end());
  texts.push_back(value.text);
}

// Keys, values and comments by their letters, in their order.
std::vector<std::string> letters_of(const std::vector<TypedLine>& lines) {
  std::vector<std::string> texts;
  for (const TypedLine& line : lines) {
    if (line.kind == Kind::blank) continue;
    texts.push_back(line.text);
    collect(line.value, texts);
    texts.push_back(line.comment.text);
  }
  return texts;
}

// As kinds of one tree are; times that are no date are told apart by their letters alone.
bool is_same(const Node& one, const Node& other) {
  if (one.kind != other.kind || one.has_header != other.has_header || one.text != other.text ||
      one.integer != other.integer ||
      std::bit_cast<std::uint64_t>(one.floating) != std::bit_cast<std::uint64_t>(other.floating))
    return false;
  const auto same_entry = [](const Entry& a, const Entry& b) { return a.key == b.key && is_same(a.value, b.value); };
  return std::ranges::equal(one.entries, other.entries, same_entry) &&
         std::ranges::equal(one.items, other.items, is_same);
}

std::optional<Node> tree_of(std::string_view text) {
  Sources sources;
  sources.add("rules.toml", "rules.toml", std::string(text));
  Diagnostics told;
  auto tree = parse_toml(sources, 0, told);
  if (tree) tree->has_header = false;  // of the whole file it says whether a bracket is its first letter
  return tree;
}

}  // namespace

std::expected<std::string, std::string> format_rules(std::string_view text) {
  const auto meant = tree_of(text);
  const auto lines = meant ? read_layout(text) : std::nullopt;
  if (!lines) return std::unexpected("no TOML that can be read: `weir check` says where");
  std::string made = write_layout(*lines);
  const auto again = read_layout(made);
  const auto tree = tree_of(made);
  if (!again || !tree || letters_of(*again) != letters_of(*lines) || !is_same(*meant, *tree))
    return std::unexpected("its layout cannot be changed without changing what it says: nothing was written");
  return made;
}

}  // namespace weir::control
