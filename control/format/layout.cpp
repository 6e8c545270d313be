#include "control/format/layout.hpp"

#include <algorithm>
#include <cctype>

namespace weir::control {

std::size_t width_of(std::string_view text) {
  return static_cast<std::size_t>(std::ranges::count_if(text, [](char byte) { return (byte & 0xc0) != 0x80; }));
}

namespace {

constexpr std::size_t nesting_most = 64;

bool is_blank(char letter) { return letter == ' ' || letter == '\t'; }
bool is_digit(char letter) { return letter >= '0' && letter <= '9'; }

// Thrown and caught in this file alone.
struct NotToml {};

class Reader {
 public:
  explicit Reader(std::string_view text) : text_(text) {}

  std::vector<TypedLine> lines() {
    std::vector<TypedLine> made;
    while (!is_over()) made.push_back(line());
    return made;
  }

 private:
  bool is_over() const { return at_ >= text_.size(); }
  char now() const { return is_over() ? '\0' : text_[at_]; }
  bool begins(std::string_view what) const { return text_.substr(at_).starts_with(what); }
  bool at_line_end() const { return is_over() || now() == '\n' || begins("\r\n"); }
  void skip_blanks() {
    while (!is_over() && is_blank(now())) ++at_;
  }
  void expect(char letter) {
    if (is_over() || now() != letter) throw NotToml{};
    ++at_;
  }
  void end_line() {
    if (is_over()) return;
    if (begins("\r\n")) ++at_;
    expect('\n');
  }

  TypedLine line() {
    TypedLine made;
    skip_blanks();
    if (now() == '[') {
      made.kind = TypedLine::Kind::header;
      made.text = header();
    } else if (!at_line_end() && now() != '#') {
      made.kind = TypedLine::Kind::pair;
      made.text = key();
      expect('=');
      skip_blanks();
      made.value = value(0);
    }
    skip_blanks();
    if (now() == '#') made.comment = comment();
    if (made.kind == TypedLine::Kind::blank && !made.comment.text.empty()) made.kind = TypedLine::Kind::comment;
    end_line();
    return made;
  }

  std::string header() {
    const bool is_of_array = begins("[[");
    at_ += is_of_array ? 2 : 1;
    const std::string name = key();
    for (int brackets = is_of_array ? 2 : 1; brackets != 0; --brackets) expect(']');
    return is_of_array ? "[[" + name + "]]" : "[" + name + "]";
  }

  // Parts and dots, without the blanks between them.
  std::string key() {
    std::string made;
    for (;;) {
      skip_blanks();
      const std::size_t first = at_;
      if (now() == '"' || now() == '\'') {
        skip_string();
      } else {
        while (std::isalnum(static_cast<unsigned char>(now())) != 0 || now() == '_' || now() == '-') ++at_;
      }
      if (at_ == first) throw NotToml{};
      made += text_.substr(first, at_ - first);
      skip_blanks();
      if (now() != '.') return made;
      made += '.', ++at_;
    }
  }

  TypedComment comment() {
    const std::size_t line_begin = text_.rfind('\n', at_) + 1;  // 0 where there is none
    TypedComment made;
    made.column = width_of(text_.substr(line_begin, at_ - line_begin));
    const std::size_t first = at_;
    while (!at_line_end()) ++at_;
    std::size_t end = at_;
    while (end > first && is_blank(text_[end - 1])) --end;
    made.text = text_.substr(first, end - first);
    return made;
  }

  TypedValue value(std::size_t depth) {
    if (depth > nesting_most) throw NotToml{};
    if (now() == '[') return array(depth);
    if (now() == '{') return table(depth);
    TypedValue made;
    const std::size_t first = at_;
    now() == '"' || now() == '\'' ? skip_string() : skip_bare();
    made.text = text_.substr(first, at_ - first);
    return made;
  }

  void skip_string() {
    const char quote = now();
    const bool is_long = begins(quote == '"' ? "\"\"\"" : "'''");
    at_ += is_long ? 3 : 1;
    for (;; ++at_) {
      if (is_over() || (!is_long && at_line_end())) throw NotToml{};
      if (quote == '"' && now() == '\\') {
        ++at_;
      } else if (now() == quote) {
        std::size_t quotes = 0;
        while (at_ + quotes < text_.size() && text_[at_ + quotes] == quote) ++quotes;
        if (is_long && quotes < 3) continue;
        at_ += is_long ? std::min<std::size_t>(quotes, 5) : 1;
        return;
      }
    }
  }

  // A number, a word or a date; a date may have a blank before its time.
  void skip_bare() {
    const std::size_t first = at_;
    while (!at_line_end() && !is_blank(now()) && std::string_view(",]}#").find(now()) == std::string_view::npos) ++at_;
    if (at_ == first) throw NotToml{};
    const bool is_date = at_ - first == 10 && text_[first + 4] == '-' && text_[first + 7] == '-';
    if (!is_date || now() != ' ' || at_ + 1 >= text_.size() || !is_digit(text_[at_ + 1])) return;
    ++at_;
    skip_bare();
  }

  TypedValue table(std::size_t depth) {
    TypedValue made;
    made.kind = TypedValue::Kind::table;
    expect('{');
    skip_blanks();
    while (now() != '}') {
      TypedItem& item = made.items.emplace_back();
      item.key = key();
      expect('=');
      skip_blanks();
      item.value = value(depth + 1);
      skip_blanks();
      if (now() != '}') expect(',');
      skip_blanks();
    }
    expect('}');
    return made;
  }

  TypedValue array(std::size_t depth) {
    TypedValue made;
    made.kind = TypedValue::Kind::array;
    expect('[');
    TypedItem next;
    bool is_fresh = true;  // nothing since the bracket or a line break: a comment stands alone
    std::size_t breaks = 0;
    while (now() != ']') {
      if (is_blank(now()) || now() == ',') {
        ++at_;
      } else if (at_line_end()) {
        if (is_over()) throw NotToml{};
        end_line();
        made.has_lines = next.on_new_line = is_fresh = true;
        next.after_blank |= ++breaks > 1 && !made.items.empty() && next.comments_before.empty();
      } else if (now() == '#') {
        const TypedComment found = comment();
        if (is_fresh || made.items.empty()) next.comments_before.push_back(found.text), made.has_lines = true;
        else made.items.back().comment = found;
        breaks = 0;
      } else {
        next.value = value(depth + 1);
        made.items.push_back(std::move(next));
        next = {}, is_fresh = false, breaks = 0;
      }
    }
    expect(']');
    made.comments_at_end = std::move(next.comments_before);
    return made;
  }

  const std::string_view text_;
  std::size_t at_ = 0;
};

}  // namespace

std::optional<std::vector<TypedLine>> read_layout(std::string_view text) {
  try {
    return Reader(text).lines();
  } catch (const NotToml&) {
    return std::nullopt;
  }
}

}  // namespace weir::control
