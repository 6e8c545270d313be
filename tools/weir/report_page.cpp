// Sections from the most asked to the least: who reaches whom, why, what can leave, what check found.
#include "tools/weir/report.hpp"

#include "control/bound/show.hpp"
#include "control/diff/spoken.hpp"
#include "control/model/services.hpp"
#include "control/report/report.hpp"

#include <fmt/format.h>
#include <algorithm>

namespace weir {

namespace {

// A larger matrix is no picture any more: the list of statements is then the way to read it.
constexpr std::size_t matrix_segments_max = 60;

constexpr std::string_view style = R"(
body { font: 15px/1.45 system-ui, sans-serif; margin: 2rem auto; max-width: 1200px; padding: 0 1rem; color: #1b2430 }
h1 { font-size: 1.6rem; margin-bottom: .2rem } h2 { font-size: 1.15rem; margin: 2.2rem 0 .6rem }
p, .note { color: #46525f } .scroll { overflow-x: auto }
table { border-collapse: collapse; font-size: .87rem } th, td { border: 1px solid #cfd6de; padding: .3rem .5rem;
  text-align: left; vertical-align: top } th { background: #eef2f6; font-weight: 600 }
td.open { background: #dff0e2 } td.part { background: #fdf3d6 } td.none { background: #fafbfc }
td.number { text-align: right; white-space: nowrap } code { font-size: .92em }
.error { color: #a11 } .warning { color: #8a5a00 }
@media print { body { max-width: none } })";

std::string place_of(const control::Model& model, const control::Span& span) {
  if (span.file >= model.files.size()) return "";
  return fmt::format("<code>{}:{}</code>", escaped(model.files[span.file]), model.line_of(span));
}

std::string names_of(const control::Model& model, const std::vector<u32>& segments, bool any) {
  if (any) return "anyone";
  std::string out;
  for (const u32 segment : segments) out += (out.empty() ? "" : ", ") + escaped(model.segments[segment].name);
  return out;
}

std::string services_of(const control::ServiceSet& set) {
  const auto is_all_of = [&](const control::ServiceSet& whole) { return empty(subtract(whole, set)); };
  if (is_all_of(control::everything())) return "everything";
  if (is_all_of(control::default_of_allow()) && empty(subtract(set, control::default_of_allow())))
    return "TCP, UDP, SCTP and ping";
  return escaped(control::show(set));
}

std::string cell_of(const control::Reach* reach) {
  if (reach == nullptr) return "<td class=\"none\"></td>";
  if (reach->some == reach->every) return fmt::format("<td class=\"open\">{}</td>", escaped(reach->some));
  std::string text = fmt::format("some of them: {}", escaped(reach->some));
  if (!reach->every.empty()) text = fmt::format("{}; {}", escaped(reach->every), text);
  return fmt::format("<td class=\"part\">{}</td>", text);
}

std::string matrix(const ReportFacts& facts) {
  const control::Model& model = facts.rules.checked.model;
  std::string out = "<h2>Who may open connections to whom</h2>\n";
  if (model.segments.size() > matrix_segments_max)
    return out +
           fmt::format("<p>{} segments are too many for a table: see the statements.</p>\n", model.segments.size());
  out +=
      "<p>Rows open, columns answer. Replies follow by state. What is empty is denied.</p>\n"
      "<div class=\"scroll\"><table>\n<tr><th>from \\ to</th>";
  for (const auto& segment : model.segments) out += fmt::format("<th>{}</th>", escaped(segment.name));
  out += "</tr>\n";
  for (u32 from = 0; from < model.segments.size(); ++from) {
    out += fmt::format("<tr><th>{}</th>", escaped(model.segments[from].name));
    for (u32 to = 0; to < model.segments.size(); ++to) {
      const auto found = std::ranges::find_if(
          facts.reach, [&](const control::Reach& one) { return one.from == from && one.to == to; });
      out += cell_of(found == facts.reach.end() ? nullptr : &*found);
    }
    out += "</tr>\n";
  }
  return out + "</table></div>\n";
}

std::string statements(const ReportFacts& facts, bool forbids) {
  const control::Model& model = facts.rules.checked.model;
  std::string rows;
  for (std::size_t i = 0; i < model.statements.size(); ++i) {
    const control::Statement& one = model.statements[i];
    if (one.is_forbid != forbids) continue;
    const Said& said = facts.said[i];
    const bool is_over = one.expires_s && *one.expires_s <= facts.rules.now_s;
    rows += fmt::format("<tr><td>{}</td><td>{}</td><td>{}</td><td>{}</td><td>{}</td><td>{}</td><td>{}</td>",
                        escaped(one.name), names_of(model, one.from, one.from_any), names_of(model, one.to, one.to_any),
                        services_of(one.services), escaped(said.owner), escaped(said.why), escaped(said.ticket));
    if (!forbids) rows += fmt::format("<td>{}{}</td>", escaped(said.expires), is_over ? " (over)" : "");
    rows += fmt::format("<td>{}</td></tr>\n", place_of(model, one.span));
  }
  if (rows.empty()) return fmt::format("<h2>{}</h2>\n<p>None.</p>\n", forbids ? "Forbids" : "Allows");
  return fmt::format(
      "<h2>{}</h2>\n<div class=\"scroll\"><table>\n<tr><th>name</th><th>from</th><th>to</th><th>with</th>"
      "<th>owner</th><th>why</th><th>ticket</th>{}<th>place</th></tr>\n{}</table></div>\n",
      forbids ? "Forbids" : "Allows", forbids ? "" : "<th>expires</th>", rows);
}

// Exits that are closed, and that one person may open for a while.
std::string breakglass(const ReportFacts& facts) {
  const control::Model& model = facts.rules.checked.model;
  if (model.breakglass.empty()) return "";
  std::string out =
      "<h2>Breakglass</h2>\n<p>Closed, until somebody opens one with <code>weir breakglass</code>; it closes by "
      "itself. Every figure on this page counts all of them as open.</p>\n<div class=\"scroll\"><table>\n<tr>"
      "<th>name</th><th>from</th><th>to</th><th>with</th><th>for at most</th><th>owner</th><th>why</th><th>ticket</th>"
      "<th>expires</th><th>place</th></tr>\n";
  for (std::size_t i = 0; i < model.breakglass.size(); ++i) {
    const control::Statement& one = model.breakglass[i];
    const Said& said = facts.said[model.statements.size() + i];
    out += fmt::format(
        "<tr><td>{}</td><td>{}</td><td>{}</td><td>{}</td><td>{}</td><td>{}</td><td>{}</td><td>{}</td><td>{}</td>"
        "<td>{}</td></tr>\n",
        escaped(one.name), names_of(model, one.from, one.from_any), names_of(model, one.to, one.to_any),
        services_of(one.services), control::spoken_ms(u64{one.breakglass_s} * 1000), escaped(said.owner),
        escaped(said.why), escaped(said.ticket), escaped(said.expires), place_of(model, one.span));
  }
  return out + "</table></div>\n";
}

std::string bound_row(const std::string& name, const control::Passage& passage) {
  std::string out = fmt::format("<tr><td>{}</td>", name);
  for (const control::Most& most : passage.most)
    out += fmt::format("<td class=\"number\">{}</td>", control::show_bytes(most.bytes));
  for (const control::Shortest* time : {&passage.raw, &passage.sixteen, &passage.compressed})
    out += fmt::format("<td class=\"number\">{}</td>", control::show_time(*time));
  return out + "</tr>\n";
}

std::string asset(const ReportFacts& facts, const control::AssetBound& bound) {
  const control::Model& model = facts.rules.checked.model;
  const control::Asset& one = model.assets[bound.asset];
  std::string out = fmt::format(
      "<h3>{}</h3>\n<p>{}, held by {} ({})</p>\n<div class=\"scroll\"><table>\n<tr><th>exit</th><th>1 h</th><th>1 "
      "d</th>"
      "<th>30 d</th><th>ever</th><th>a copy</th><th>at 16:1</th><th>at {:g}:1</th></tr>\n",
      escaped(one.name), control::show_bytes(one.bytes), names_of(model, one.held, false), place_of(model, one.span),
      one.compression_thousandths / 1000.0);
  out += bound_row("all exits together", bound.whole);
  for (const control::Passage& passage : bound.exits)
    out += bound_row(passage.nobody ? "no segment" : escaped(model.segments[*passage.exit].name), passage);
  out += "</table></div>\n";
  if (!bound.whole.deciding.empty()) out += "<p>What decides:</p>\n<ul>\n";
  for (const control::Part& part : bound.whole.deciding) {
    const control::Account& account = facts.bounds->network().accounts[part.account];
    out += fmt::format("<li>{} {} {}</li>\n", control::show_bytes(part.bytes), escaped(facts.bounds->name(account)),
                       place_of(model, facts.bounds->span(account)));
  }
  return out + (bound.whole.deciding.empty() ? "" : "</ul>\n");
}

std::string exits(const ReportFacts& facts) {
  std::string out = "<h2>What can leave, and how fast</h2>\n";
  if (facts.bounds == nullptr) return out + "<p>The policy names no asset: nothing is bounded.</p>\n";
  if (facts.bounds->is_off()) return out + "<p>The policy is in monitor mode: nothing is bounded.</p>\n";
  out +=
      "<p>The most bytes in any interval, and the shortest time in which one copy can be gone. Nothing of it is what "
      "has been measured: it follows from the policy alone.</p>\n";
  for (u32 index = 0; index < facts.rules.checked.model.assets.size(); ++index)
    out += asset(facts, facts.bounds->of(index, {}));
  out += "<p>Taken for granted:</p>\n<ul>\n";
  for (const std::string& one : facts.bounds->assumptions()) out += fmt::format("<li>{}</li>\n", escaped(one));
  return out + "</ul>\n";
}

std::string budgets(const ReportFacts& facts) {
  const control::Model& model = facts.rules.checked.model;
  if (model.budgets.empty()) return "";
  std::string out =
      "<h2>Budgets</h2>\n<div class=\"scroll\"><table>\n<tr><th>name</th><th>from</th><th>to</th><th>with</th>"
      "<th>windows</th><th>beyond</th><th>place</th></tr>\n";
  constexpr const char* ends[] = {"deny", "throttle", "alert"};
  for (const control::Budget& one : model.budgets) {
    std::vector<std::string> windows;
    for (const control::Window& window : one.windows)
      windows.push_back(
          fmt::format("{} {}", control::show_bytes(window.bytes),
                      window.length_s == 0 ? "ever" : "in " + control::spoken_ms(window.length_s * 1000)));
    out += fmt::format(
        "<tr><td>{}</td><td>{}</td><td>{}</td><td>{}</td><td>{}</td><td>{}{}</td><td>{}</td></tr>\n", escaped(one.name),
        names_of(model, one.from, false), one.to_any ? "everything outside" : names_of(model, one.to, false),
        one.any_service ? "everything" : escaped(control::show(one.services)), fmt::join(windows, ", "),
        ends[static_cast<std::size_t>(one.on_exceed)], one.monitor ? " (monitor)" : "", place_of(model, one.span));
  }
  return out + "</table></div>\n";
}

std::string findings(const ReportFacts& facts) {
  const control::Checked& checked = facts.rules.checked;
  std::string out =
      fmt::format("<h2>What check says</h2>\n<p>{} errors, {} warnings; {} of {} claims of tests hold.</p>\n",
                  checked.diagnostics.errors(), checked.diagnostics.warnings(), facts.held, facts.claims);
  if (checked.diagnostics.all.empty()) return out;
  out += "<ul>\n";
  for (const control::Diagnostic& one : checked.diagnostics.all)
    out += fmt::format("<li class=\"{}\">{}: {} {}</li>\n", one.is_error() ? "error" : "warning", escaped(one.code),
                       escaped(one.sentence), place_of(checked.model, one.primary.span));
  return out + "</ul>\n";
}

}  // namespace

std::string escaped(std::string_view text) {
  std::string out;
  for (const char letter : control::harmless(text)) {
    switch (letter) {
      case '&': out += "&amp;"; break;
      case '<': out += "&lt;"; break;
      case '>': out += "&gt;"; break;
      case '"': out += "&quot;"; break;
      case '\'': out += "&#39;"; break;
      default: out += letter;
    }
  }
  return out;
}

std::string html_page(const ReportFacts& facts) {
  const control::Model& model = facts.rules.checked.model;
  const std::string name = escaped(model.name.empty() ? "a policy without a name" : model.name);
  std::string out = fmt::format(
      "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n"
      "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'\">\n"
      "<meta name=\"viewport\" content=\"width=device-width\">\n<title>{0}</title>\n<style>{1}\n</style>\n</head>\n"
      "<body>\n<h1>{0}</h1>\n<p>As of {2}: {3} segments, {4} statements. Everything not allowed is denied.</p>\n",
      name, style, facts.day, model.segments.size(), model.statements.size());
  out += matrix(facts) + statements(facts, false) + breakglass(facts) + statements(facts, true) + exits(facts) +
         budgets(facts) + findings(facts);
  return out + "</body>\n</html>\n";
}

}  // namespace weir
