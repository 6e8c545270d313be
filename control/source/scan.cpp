// Strings and comments are stepped over as TOML 1.0 defines them; everything else is looked at byte by byte.
#include "control/source/scan.hpp"

#include <fmt/format.h>
#include <algorithm>
#include <cctype>
#include <charconv>
#include <chrono>
#include <vector>

namespace weir::control {
namespace {

bool is_digit(char c) { return c >= '0' && c <= '9'; }
bool is_bare(char c) { return is_digit(c) || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' || c == '-'; }
bool is_blank(char c) { return c == ' ' || c == '\t'; }

// Offset behind the string or comment that begins at `at`, or `at` when there is none.
std::size_t step_over(std::string_view text, std::size_t at) {
  const char c = text[at];
  if (c == '#') return std::min(text.find('\n', at), text.size());
  if (c != '"' && c != '\'') return at;
  const bool multi = text.substr(at).starts_with(c == '"' ? "\"\"\"" : "'''");
  std::size_t next = at + (multi ? 3 : 1);
  while (next < text.size()) {
    if (c == '"' && text[next] == '\\') next += 2;
    else if (!multi && (text[next] == c || text[next] == '\n')) return next + 1;
    else if (multi && text[next] == c && text.substr(next, 3) == std::string(3, c)) return next + 3;
    else ++next;
  }
  return text.size();
}

// One mark of a parser's message: a line, a column in bytes, a width and what it says.
struct Mark {
  std::uint32_t line = 0, column = 0, width = 1;
  std::string says;
};

// toml11 writes " 12 | the line" and, below it, "    |   ^--- words" or "    |   ~~~ words".
std::vector<Mark> marks_of(std::string_view message) {
  std::vector<Mark> marks;
  std::uint32_t line = 0;
  for (std::size_t begin = 0; begin < message.size();) {
    const std::size_t end = std::min(message.find('\n', begin), message.size());
    const std::string_view row = message.substr(begin, end - begin);
    begin = end + 1;
    const std::size_t bar = row.find(" |");
    if (bar == std::string_view::npos) continue;
    const std::size_t digits = row.find_first_not_of(' ');
    if (digits < bar && std::ranges::all_of(row.substr(digits, bar - digits), is_digit)) {
      std::from_chars(row.data() + digits, row.data() + bar, line);
      continue;
    }
    const std::size_t mark = row.find_first_of("^~", bar);
    if (digits <= bar || mark == std::string_view::npos || line == 0) continue;
    Mark made{line, static_cast<std::uint32_t>(mark - bar - 3), 1, ""};
    const std::size_t behind = std::min(row.find_first_not_of(row[mark] == '^' ? "^-" : "~", mark), row.size());
    if (row[mark] == '~') made.width = static_cast<std::uint32_t>(behind - mark);
    made.says = row.substr(std::min(behind + 1, row.size()));
    marks.push_back(std::move(made));
  }
  return marks;
}

// "[error] toml::parse_array: words" to "words".
std::string words_of(std::string_view message) {
  std::string_view words = message.substr(0, message.find('\n'));
  for (const std::string_view prefix : {"[error] ", "toml::"})
    if (words.starts_with(prefix)) words.remove_prefix(prefix.size());
  const std::size_t colon = words.find(": ");
  if (colon != std::string_view::npos && words.substr(0, colon).find(' ') == std::string_view::npos)
    words.remove_prefix(colon + 2);
  while (!words.empty() && (words.back() == '.' || words.back() == ' ' || words.back() == ':')) words.remove_suffix(1);
  return std::string(words);
}

struct Found {
  std::size_t begin, end;
};

// An unquoted `a-b` of ports on a line. A date has a second dash.
std::optional<Found> unquoted_range(std::string_view line) {
  for (std::size_t at = 0; at < line.size();) {
    const std::size_t behind = step_over(line, at);
    if (behind != at || !is_digit(line[at]) || (at > 0 && (is_bare(line[at - 1]) || line[at - 1] == '.'))) {
      at = std::max(behind, at + 1);
      continue;
    }
    std::size_t end = at;
    while (end < line.size() && is_digit(line[end])) ++end;
    std::size_t second = end;
    while (second < line.size() && is_blank(line[second])) ++second;
    if (second < line.size() && line[second] == '-') {
      do ++second;
      while (second < line.size() && is_blank(line[second]));
      std::size_t last = second;
      while (last < line.size() && is_digit(line[last])) ++last;
      if (last > second && (last == line.size() || line[last] != '-')) return Found{at, last};
    }
    at = std::max(end, at + 1);
  }
  return std::nullopt;
}

// The bare word where a value should be: `from = trainers`.
std::optional<Found> bare_value(std::string_view line) {
  for (std::size_t at = 0; at < line.size(); at = std::max(step_over(line, at), at + 1)) {
    if (line[at] != '=' && line[at] != '[' && line[at] != ',') continue;
    std::size_t begin = at + 1;
    while (begin < line.size() && is_blank(line[begin])) ++begin;
    std::size_t end = begin;
    while (end < line.size() && (is_bare(line[end]) || line[end] == '.' || line[end] == '/')) ++end;
    const std::string_view word = line.substr(begin, end - begin);
    std::size_t next = end;
    while (next < line.size() && is_blank(line[next])) ++next;
    const bool is_key = next < line.size() && line[next] == '=';
    if (word.empty() || is_key || word == "true" || word == "false" || word == "inf" || word == "nan") continue;
    if (!is_digit(word[0]) && word[0] != '-') return Found{begin, end};
  }
  return std::nullopt;
}

bool explain_line(const Sources& sources, std::uint32_t file, std::uint32_t line, Diagnostics& out) {
  const std::string_view text = sources.line(file, line);
  const auto span = [&](const Found& found) {
    const std::uint32_t start = sources.files[file].line_starts[line - 1];
    return Span{file, static_cast<std::uint32_t>(start + found.begin), static_cast<std::uint32_t>(start + found.end)};
  };
  if (const auto range = unquoted_range(text)) {
    std::string digits(text.substr(range->begin, range->end - range->begin));
    std::erase_if(digits, is_blank);
    out.add("E0111", span(*range), "a port range stands without quotes", "TOML reads this as a number or a date")
        .helped(fmt::format("put it in quotes: \"{}\"", digits));
    return true;
  }
  if (text.starts_with('[')) return false;
  if (const auto word = bare_value(text)) {
    const std::string_view written = text.substr(word->begin, word->end - word->begin);
    out.add("E0101", span(*word), fmt::format("`{}` is not a value", written), "text needs quotes")
        .helped(fmt::format("put it in quotes: \"{}\"", written));
    return true;
  }
  return false;
}

}  // namespace

std::optional<std::uint32_t> first_deeper_than(std::string_view text, std::size_t depth) {
  std::size_t brackets = 0, dots = 0;
  for (std::size_t at = 0; at < text.size();) {
    if (const std::size_t behind = step_over(text, at); behind != at) {
      at = behind;
      continue;
    }
    const char c = text[at];
    if (c == '[' || c == '{') ++brackets;
    if ((c == ']' || c == '}') && brackets > 0) --brackets;
    if (c == '.') ++dots;
    if (c == '\n' || c == '=' || c == ',' || c == '{') dots = 0;
    if (brackets > depth || dots > depth) return static_cast<std::uint32_t>(at);
    ++at;
  }
  return std::nullopt;
}

std::optional<std::uint32_t> first_not_utf8(std::string_view text) {
  for (std::size_t at = 0; at < text.size();) {
    const auto byte = [&](std::size_t i) {
      return at + i < text.size() ? static_cast<unsigned char>(text[at + i]) : 0u;
    };
    const unsigned lead = byte(0);
    const std::size_t length = lead < 0x80   ? 1
                               : lead < 0xC2 ? 0
                               : lead < 0xE0 ? 2
                               : lead < 0xF0 ? 3
                               : lead < 0xF5 ? 4
                                             : 0;
    // The second byte is what keeps out overlong forms, surrogates and code points above the last.
    const unsigned low = lead == 0xE0 ? 0xA0 : lead == 0xF0 ? 0x90 : 0x80;
    const unsigned high = lead == 0xED ? 0x9F : lead == 0xF4 ? 0x8F : 0xBF;
    bool whole = length > 0 && (length == 1 || (byte(1) >= low && byte(1) <= high));
    for (std::size_t i = 2; i < length; ++i) whole = whole && (byte(i) & 0xC0) == 0x80;
    if (!whole) return static_cast<std::uint32_t>(at);
    at += length;
  }
  return std::nullopt;
}

Span find_key_before(std::string_view text, const Span& value) {
  std::size_t end = std::min<std::size_t>(value.begin, text.size());
  while (end > 0 && is_blank(text[end - 1])) --end;
  if (end == 0 || text[end - 1] != '=') return value;
  --end;
  while (end > 0 && is_blank(text[end - 1])) --end;
  std::size_t begin = end;
  if (begin > 0 && (text[begin - 1] == '"' || text[begin - 1] == '\'')) {
    const std::size_t quote = begin > 1 ? text.rfind(text[begin - 1], begin - 2) : std::string_view::npos;
    begin = quote == std::string_view::npos ? begin - 1 : quote;
  } else {
    while (begin > 0 && is_bare(text[begin - 1])) --begin;
  }
  return {value.file, static_cast<std::uint32_t>(begin), static_cast<std::uint32_t>(end)};
}

Span find_key_in(std::string_view text, const Span& header, std::string_view key) {
  const std::string_view words = text.substr(header.begin, header.end - header.begin);
  for (std::size_t at = 0; (at = words.find(key, at)) != std::string_view::npos && !key.empty(); ++at) {
    const std::size_t behind = at + key.size();
    if ((at > 0 && is_bare(words[at - 1])) || (behind < words.size() && is_bare(words[behind]))) continue;
    const auto begin = static_cast<std::uint32_t>(header.begin + at);
    return {header.file, begin, static_cast<std::uint32_t>(begin + key.size())};
  }
  return header;
}

bool integer_fits(std::string_view written) {
  std::string digits(written);
  std::erase(digits, '_');
  std::string_view rest = digits;
  if (rest.starts_with('+')) rest.remove_prefix(1);
  int base = 10;
  for (const auto& [prefix, radix] : {std::pair("0x", 16), std::pair("0o", 8), std::pair("0b", 2)})
    if (rest.starts_with(prefix)) {
      rest.remove_prefix(2);
      base = radix;
    }
  std::int64_t value = 0;
  return std::from_chars(rest.data(), rest.data() + rest.size(), value, base).ec == std::errc{};
}

std::int64_t days_from_civil(int year, int month, int day) {
  using namespace std::chrono;
  const year_month_day date{std::chrono::year(year), std::chrono::month(static_cast<unsigned>(month)),
                            std::chrono::day(static_cast<unsigned>(day))};
  return sys_days(date).time_since_epoch().count();
}

void explain_syntax(const Sources& sources, std::uint32_t file, std::string_view message, Diagnostics& out) {
  const auto marks = marks_of(message);
  const auto& starts = sources.files[file].line_starts;
  const auto span = [&](const Mark& mark) {
    const std::uint32_t line = std::clamp<std::uint32_t>(mark.line, 1, static_cast<std::uint32_t>(starts.size()));
    const auto size = static_cast<std::uint32_t>(sources.files[file].text.size());
    const std::uint32_t begin = std::min(starts[line - 1] + mark.column, size);
    return Span{file, begin, std::min(begin + std::max(mark.width, 1u), size)};
  };
  for (const Mark& mark : marks)
    if (mark.line >= 1 && mark.line <= starts.size() && explain_line(sources, file, mark.line, out)) return;
  std::string words = words_of(message);
  if (words.empty()) words = "this is not TOML";
  if (marks.empty()) {
    out.add("E0101", {file, 0, 0}, words);
    return;
  }
  auto& made = out.add("E0101", span(marks.back()), words, marks.back().says);
  for (std::size_t i = 0; i + 1 < marks.size(); ++i) made.with(span(marks[i]), marks[i].says);
}

}  // namespace weir::control
