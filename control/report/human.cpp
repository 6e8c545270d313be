// The look: level and code, the primary place, source lines with underlines, "..." between lines that are apart, notes
// and help last. Lines of another file follow under `::: `.
#include "control/report/report.hpp"

#include "control/source/scan.hpp"

#include <fmt/format.h>
#include <algorithm>
#include <map>

namespace weir::control {
namespace {

constexpr std::size_t shown_max = 160;  // characters of a source line that are shown

struct Colours {
  std::string_view error, warning, help, frame, bold, end;
};
constexpr Colours plain{"", "", "", "", "", ""};
constexpr Colours ansi{"\x1b[1;31m", "\x1b[1;33m", "\x1b[1;36m", "\x1b[1;34m", "\x1b[1m", "\x1b[0m"};

std::size_t characters(std::string_view text) {
  return static_cast<std::size_t>(std::ranges::count_if(text, [](char c) { return (c & 0xC0) != 0x80; }));
}

// One underline: columns [begin, end) in characters of its line.
struct Mark {
  std::size_t begin, end;
  std::string text;
  bool primary;
};

struct Rendering {
  const Sources& sources;
  const Colours& colours;
  std::string_view level_colour;
  std::size_t gutter = 1;
  std::string out;

  void frame(std::string_view what) {
    out += fmt::format("{}{:>{}} {}{}", colours.frame, "", gutter, what, colours.end);
  }

  void mark(const Mark& one, std::size_t offset) {
    frame("|");
    const std::size_t begin = one.begin - std::min(offset, one.begin);
    const std::size_t width =
        std::max<std::size_t>(1, std::min(one.end - std::min(offset, one.end), shown_max) - std::min(begin, shown_max));
    out += fmt::format(" {:>{}}{}{}", "", begin, one.primary ? level_colour : colours.frame,
                       std::string(width, one.primary ? '^' : '-'));
    if (!one.text.empty()) out += " " + harmless(one.text);
    out += fmt::format("{}\n", colours.end);
  }

  void line(std::uint32_t file, std::uint32_t number, std::vector<Mark>& marks) {
    std::string text = harmless(sources.line(file, number));
    std::size_t offset = 0;
    if (characters(text) > shown_max) {
      offset = marks.front().begin > shown_max / 2 ? marks.front().begin - shown_max / 2 : 0;
      std::string cut;
      std::size_t at = 0;
      for (const char c : text) {
        if ((c & 0xC0) != 0x80) ++at;
        if (at > offset && at <= offset + shown_max) cut += c;
      }
      text = std::move(cut);
    }
    while (text.ends_with(' ')) text.pop_back();
    out += fmt::format("{}{:>{}} |{}{}{}\n", colours.frame, number, gutter, colours.end, text.empty() ? "" : " ", text);
    std::ranges::stable_sort(marks, {}, &Mark::begin);
    for (const Mark& one : marks) mark(one, offset);
  }
};

using Lines = std::map<std::uint32_t, std::vector<Mark>>;

// `gutter` grows to the widest line number.
void place_label(const Sources& sources, const Label& label, bool primary, Lines& lines) {
  const Place begin = sources.place(label.span.file, label.span.begin);
  const std::string_view whole = sources.slice(label.span);
  const std::string_view first_line = whole.substr(0, whole.find('\n'));
  const std::size_t width = std::max<std::size_t>(1, characters(first_line));
  lines[begin.line].push_back({begin.column - 1u, begin.column - 1u + width, label.text, primary});
}

void blocks(Rendering& made, const Diagnostic& diagnostic) {
  std::map<std::uint32_t, Lines> files;
  place_label(made.sources, diagnostic.primary, true, files[diagnostic.primary.span.file]);
  for (const Label& label : diagnostic.secondary) place_label(made.sources, label, false, files[label.span.file]);
  for (const auto& [file, lines] : files)
    made.gutter = std::max(made.gutter, std::to_string(lines.rbegin()->first).size());
  const auto block = [&](std::uint32_t file, std::string_view arrow, Place place) {
    made.out += fmt::format("{}{:>{}}{}{} {}:{}:{}\n", made.colours.frame, "", made.gutter, arrow, made.colours.end,
                            harmless(made.sources.files[file].shown), place.line, place.column);
    made.frame("|");
    made.out += '\n';
    std::uint32_t last = 0;
    for (auto& [number, marks] : files[file]) {
      if (last != 0 && number > last + 1) made.out += fmt::format("{}...{}\n", made.colours.frame, made.colours.end);
      made.line(file, number, marks);
      last = number;
    }
  };
  const Span& primary = diagnostic.primary.span;
  block(primary.file, "-->", made.sources.place(primary.file, primary.begin));
  for (const auto& [file, lines] : files)
    if (file != primary.file)
      block(file, ":::", {lines.begin()->first, static_cast<std::uint32_t>(lines.begin()->second.front().begin + 1)});
}

}  // namespace

std::string harmless(std::string_view text) {
  std::string out;
  for (std::size_t at = 0; at < text.size();) {
    const auto c = static_cast<unsigned char>(text[at]);
    const std::size_t length = c < 0x80                ? 1
                               : c >= 0xC2 && c < 0xE0 ? 2
                               : c >= 0xE0 && c < 0xF0 ? 3
                               : c >= 0xF0 && c < 0xF5 ? 4
                                                       : 0;
    const bool whole = length > 0 && !first_not_utf8(text.substr(at, length));
    if (c == '\t') out += ' ';
    else if (!whole || c < 0x20 || c == 0x7f || (c == 0xC2 && static_cast<unsigned char>(text[at + 1]) < 0xA0))
      out += "\xEF\xBF\xBD";
    else out += text.substr(at, length);
    at += whole ? length : 1;
  }
  return out;
}

std::string human(const Diagnostic& diagnostic, const Sources& sources, bool colour) {
  const Colours& colours = colour ? ansi : plain;
  const bool error = diagnostic.is_error();
  Rendering made{sources, colours, error ? colours.error : colours.warning, 1, ""};
  made.out = fmt::format("{}{}[{}]{}{}: {}{}\n", made.level_colour, error ? "error" : "warning", diagnostic.code,
                         colours.end, colours.bold, harmless(diagnostic.sentence), colours.end);
  if (diagnostic.primary.span.file < sources.files.size()) blocks(made, diagnostic);
  for (const std::string& note : diagnostic.notes) {
    made.frame("= ");
    made.out += fmt::format("note: {}\n", harmless(note));
  }
  for (const std::string& help : diagnostic.help) {
    made.frame("= ");
    made.out += fmt::format("{}help{}: {}\n", colours.help, colours.end, harmless(help));
  }
  return std::move(made.out);
}

std::string human(const Diagnostics& diagnostics, const Sources& sources, bool colour) {
  std::string out;
  for (const Diagnostic& one : diagnostics.all) out += human(one, sources, colour) + "\n";
  const std::size_t errors = diagnostics.errors(), warnings = diagnostics.warnings();
  const auto counted = [](std::size_t n, std::string_view what) {
    return fmt::format("{} {}{}", n, what, n == 1 ? "" : "s");
  };
  if (errors + warnings > 0) {
    out += errors > 0 ? counted(errors, "error") : "";
    if (errors > 0 && warnings > 0) out += ", ";
    out += warnings > 0 ? counted(warnings, "warning") : "";
    out += '\n';
  }
  return out;
}

}  // namespace weir::control
