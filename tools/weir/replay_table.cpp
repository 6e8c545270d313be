// The two tables of replay_summary.hpp: aligned columns, verdicts coloured on a terminal.
#include "tools/weir/replay_summary.hpp"

#include <fmt/format.h>
#include <algorithm>

namespace weir {
namespace {

struct Column {
  std::string head;
  bool right = false;
};

// Characters, not bytes: names may be UTF-8.
std::size_t width_of(const std::string& text) {
  return static_cast<std::size_t>(std::ranges::count_if(text, [](char c) { return (c & 0xc0) != 0x80; }));
}

// The first cell of every row is its verdict.
std::string laid_out(const std::vector<Column>& columns, const std::vector<std::vector<std::string>>& rows,
                     bool colour) {
  std::vector<std::size_t> widths;
  for (std::size_t column = 0; column < columns.size(); ++column) {
    widths.push_back(columns[column].head.size());
    for (const auto& cells : rows) widths[column] = std::max(widths[column], width_of(cells[column]));
  }
  std::string text;
  const auto cell = [&](std::size_t column, const std::string& content, std::string_view paint) {
    const std::string gap(widths[column] - width_of(content), ' ');
    const std::string painted = paint.empty() ? content : std::string(paint) + content + "\x1b[0m";
    const bool is_last = column + 1 == columns.size();
    text += columns[column].right ? gap + painted : is_last ? painted : painted + gap;
    text += is_last ? "\n" : "  ";
  };
  for (std::size_t column = 0; column < columns.size(); ++column)
    cell(column, columns[column].head, colour ? "\x1b[1m" : "");
  for (const auto& cells : rows)
    for (std::size_t column = 0; column < columns.size(); ++column)
      cell(column, cells[column], !colour || column != 0 ? "" : cells[0] == "drop" ? "\x1b[31m" : "\x1b[32m");
  return text;
}

}  // namespace

std::string ReplaySummary::reason_table(bool colour) const {
  std::vector<std::vector<std::string>> rows;
  for (const Verdict verdict : {Verdict::forward, Verdict::rewrite, Verdict::answer, Verdict::hold, Verdict::drop})
    for (std::size_t reason = 0; reason < reasons_count; ++reason)
      if (reason_rows[reason].verdict == verdict && reasons_[reason].packets != 0)
        rows.push_back({std::string(verdict_name(verdict)), std::string(reason_rows[reason].name),
                        std::to_string(reasons_[reason].packets), std::to_string(reasons_[reason].bytes),
                        std::string(reason_rows[reason].sentence)});
  return laid_out({{"VERDICT"}, {"REASON"}, {"PACKETS", true}, {"BYTES", true}, {"MEANING"}}, rows, colour);
}

std::string ReplaySummary::flow_table(bool colour) const {
  std::vector<std::vector<std::string>> rows;
  const auto or_dash = [](const std::string& text) { return text.empty() ? std::string("-") : text; };
  for (const ConversationLine& line : lines_)
    rows.push_back({std::string(verdict_name(line.verdict)), std::string(row(line.reason).name), line.source,
                    line.target, line.service, std::to_string(line.packets), std::to_string(line.bytes),
                    or_dash(line.rule), or_dash(line.place)});
  return laid_out({{"VERDICT"},
                   {"REASON"},
                   {"SOURCE"},
                   {"TARGET"},
                   {"SERVICE"},
                   {"PACKETS", true},
                   {"BYTES", true},
                   {"RULE"},
                   {"WRITTEN AT"}},
                  rows, colour);
}

}  // namespace weir
