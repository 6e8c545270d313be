// JSON and SARIF of diagnostics. Keys are ordered and nothing depends on the machine, so that runs can be compared.
#include "control/report/catalogue.hpp"
#include "control/report/report.hpp"

#include <nlohmann/json.hpp>
#include <set>

namespace weir::control {
namespace {

using Json = nlohmann::ordered_json;

Json place(const Span& span, const Sources& sources) {
  if (span.file >= sources.files.size()) return nullptr;
  const Place begin = sources.place(span.file, span.begin), end = sources.place(span.file, span.end);
  return {{"file", harmless(sources.files[span.file].shown)},
          {"line", begin.line},
          {"column", begin.column},
          {"end_line", end.line},
          {"end_column", end.column}};
}

Json texts(const std::vector<std::string>& lines) {
  Json out = Json::array();
  for (const std::string& one : lines) out.push_back(harmless(one));
  return out;
}

Json location(const Span& span, const Sources& sources, std::string_view text) {
  const Place begin = sources.place(span.file, span.begin), end = sources.place(span.file, span.end);
  Json made = {{"physicalLocation",
                {{"artifactLocation", {{"uri", harmless(sources.files[span.file].shown)}}},
                 {"region",
                  {{"startLine", begin.line},
                   {"startColumn", begin.column},
                   {"endLine", end.line},
                   {"endColumn", end.column}}}}}};
  if (!text.empty()) made["message"] = {{"text", harmless(text)}};
  return made;
}

std::string said(const Diagnostic& one) {
  std::string text = harmless(one.sentence);
  for (const std::string& note : one.notes) text += "\nnote: " + harmless(note);
  for (const std::string& help : one.help) text += "\nhelp: " + harmless(help);
  return text;
}

Json rules(const Diagnostics& diagnostics) {
  std::set<std::string_view> used;
  for (const Diagnostic& one : diagnostics.all) used.insert(one.code);
  Json out = Json::array();
  for (const std::string_view code : used)
    if (const CodeRow* row = find_code(code))
      out.push_back(
          {{"id", code}, {"shortDescription", {{"text", row->title}}}, {"fullDescription", {{"text", row->text}}}});
  return out;
}

}  // namespace

std::string json(const Diagnostics& diagnostics, const Sources& sources) {
  Json list = Json::array();
  for (const Diagnostic& one : diagnostics.all) {
    Json labels = Json::array();
    for (const Label& label : one.secondary)
      labels.push_back({{"text", harmless(label.text)}, {"place", place(label.span, sources)}});
    list.push_back({{"code", one.code},
                    {"level", one.is_error() ? "error" : "warning"},
                    {"sentence", harmless(one.sentence)},
                    {"place", place(one.primary.span, sources)},
                    {"label", harmless(one.primary.text)},
                    {"labels", labels},
                    {"notes", texts(one.notes)},
                    {"help", texts(one.help)}});
  }
  const Json whole = {{"diagnostics", list}, {"errors", diagnostics.errors()}, {"warnings", diagnostics.warnings()}};
  return whole.dump(2) + "\n";
}

std::string sarif(const Diagnostics& diagnostics, const Sources& sources, std::string_view version) {
  Json results = Json::array();
  for (const Diagnostic& one : diagnostics.all) {
    Json result = {
        {"ruleId", one.code}, {"level", one.is_error() ? "error" : "warning"}, {"message", {{"text", said(one)}}}};
    if (one.primary.span.file < sources.files.size())
      result["locations"] = Json::array({location(one.primary.span, sources, one.primary.text)});
    Json related = Json::array();
    for (const Label& label : one.secondary) related.push_back(location(label.span, sources, label.text));
    if (!related.empty()) result["relatedLocations"] = related;
    results.push_back(result);
  }
  const Json driver = {{"name", "weir"}, {"version", version}, {"rules", rules(diagnostics)}};
  const Json run = {{"tool", {{"driver", driver}}}, {"columnKind", "unicodeCodePoints"}, {"results", results}};
  const Json whole = {
      {"$schema", "https://json.schemastore.org/sarif-2.1.0.json"}, {"version", "2.1.0"}, {"runs", Json::array({run})}};
  return whole.dump(2) + "\n";
}

}  // namespace weir::control
