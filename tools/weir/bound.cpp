// `weir bound`: how many bytes of each asset can leave, how soon a copy can be gone, and which lines of the policy
// decide that.
#include "control/bound/bound.hpp"
#include "control/bound/show.hpp"
#include "control/report/report.hpp"
#include "tools/weir/commands.hpp"
#include "tools/weir/rules.hpp"

#include <fmt/format.h>
#include <CLI/CLI.hpp>
#include <algorithm>
#include <memory>

namespace weir {
namespace {

using control::Bounds;
using control::Bytes;
using control::Passage;
using Json = nlohmann::ordered_json;

struct BoundOptions : RulesOptions {
  std::vector<std::string> to;
  std::string asset;
  std::string output = "table";
};

std::string place_of(const control::Model& model, const control::Span& span) {
  if (span.file >= model.files.size()) return "";
  return fmt::format("{}:{}", control::harmless(model.files[span.file]), model.line_of(span));
}

std::string exit_of(const control::Model& model, const Passage& passage) {
  if (passage.nobody) return "(no segment)";
  return passage.exit ? model.segments[*passage.exit].name : "all exits";
}

// As a table:

void print_row(const control::Asset& asset, const std::string& name, const Passage& passage) {
  fmt::print("  {:<30}", name);
  for (const control::Most& most : passage.most) fmt::print(" {:>10}", control::show_bytes(most.bytes));
  fmt::print(" {:>12} {:>12}", control::show_time(passage.raw), control::show_time(passage.sixteen));
  if (asset.compression_thousandths != 1'000 && asset.compression_thousandths != 16'000)
    fmt::print(" {:>12}", control::show_time(passage.compressed));
  fmt::print("\n");
}

void print_head(const control::Asset& asset) {
  fmt::print("  {:<30} {:>10} {:>10} {:>10} {:>10} {:>12} {:>12}", "", "1 h", "1 d", "30 d", "ever", "a copy",
             "at 16:1");
  if (asset.compression_thousandths != 1'000 && asset.compression_thousandths != 16'000)
    fmt::print(" {:>12}", fmt::format("at {}:1", asset.compression_thousandths / 1'000.0));
  fmt::print("\n");
}

// The way that leaves bytes without bound, if that is so in any finite time.
void print_open(const Bounds& bounds, const control::Most& most) {
  const control::Model& model = bounds.model();
  if (most.open.empty()) return;
  fmt::print("\n  unlimited, by this way:\n");
  for (const u32 index : most.open) {
    const control::Lane& way = bounds.network().ways[index];
    if (way.allow == control::no_allow) continue;
    const control::Statement& allow = model.statements[way.allow];
    fmt::print("    {} `{}` at {}\n", way.is_reply ? "replies of allow" : "allow", control::harmless(allow.name),
               place_of(model, allow.span));
  }
}

void print_deciding(const Bounds& bounds, const Passage& whole) {
  if (whole.deciding.empty()) return;
  const bool timed = !whole.raw.never && !whole.raw.beyond && whole.raw.seconds > 0;
  fmt::print("\n  what decides, in {}:\n", control::show_time(timed ? whole.raw.seconds : u64{86'400}));
  for (const control::Part& part : whole.deciding) {
    const control::Account& account = bounds.network().accounts[part.account];
    fmt::print("    {:>10}  {}  {}\n", control::show_bytes(part.bytes), control::harmless(bounds.name(account)),
               place_of(bounds.model(), bounds.span(account)));
  }
}

// Holders one by one, where one of them alone reaches less than all do.
void print_pairs(const Bounds& bounds, const control::AssetBound& found) {
  const control::Model& model = bounds.model();
  const auto same = [](const Passage& a, const Passage& b) {
    return std::equal(a.most.begin(), a.most.end(), b.most.begin(),
                      [](const auto& x, const auto& y) { return x.bytes == y.bytes; });
  };
  bool any = false, all = true;
  for (const Passage& pair : found.pairs) {
    const auto of_exit = std::ranges::find_if(
        found.exits, [&](const Passage& one) { return one.exit == pair.exit && one.nobody == pair.nobody; });
    if (of_exit != found.exits.end() && same(*of_exit, pair)) continue;
    if (!any) fmt::print("\n");
    any = true;
    print_row(model.assets[found.asset],
              fmt::format("{} > {}", model.segments[*pair.holder].name, exit_of(model, pair)), pair);
    all = false;
  }
  if (found.pairs.empty()) return;
  fmt::print("\n  {}\n", all ? "each holder alone gets as much out as all of them together"
                             : "every other holder alone gets as much to an exit as all of them together");
}

void print_table(const Bounds& bounds, const std::vector<control::AssetBound>& found) {
  const control::Model& model = bounds.model();
  for (const control::AssetBound& one : found) {
    const control::Asset& asset = model.assets[one.asset];
    std::string holders;
    for (const u32 segment : asset.held) holders += (holders.empty() ? "" : ", ") + model.segments[segment].name;
    fmt::print("{}: {}, held by {} ({})\n\n", asset.name, control::show_bytes(asset.bytes), holders,
               place_of(model, asset.span));
    print_head(asset);
    print_row(asset, "all exits", one.whole);
    for (const Passage& passage : one.exits) print_row(asset, "  " + exit_of(model, passage), passage);
    print_pairs(bounds, one);
    std::string closed;
    for (const u32 segment : one.closed) closed += (closed.empty() ? "" : ", ") + model.segments[segment].name;
    if (!closed.empty()) fmt::print("\n  nothing can reach: {}\n", closed);
    print_open(bounds, one.whole.most[2]);
    print_deciding(bounds, one.whole);
    fmt::print("\n");
  }
  fmt::print(
      "Bytes are the most that can leave in any interval of that length, times the least in which a copy can.\n");
  for (const std::string& sentence : bounds.assumptions()) fmt::print("- {}\n", control::harmless(sentence));
}

// As JSON:

// Numbers above 2^53 as text: JSON's readers keep no more.
Json json_of(Bytes bytes) {
  if (bytes >= control::unlimited) return nullptr;
  if (bytes >> 53 == 0) return static_cast<u64>(bytes);
  return fmt::format("{}", bytes);
}

Json json_of(const control::Shortest& time) {
  if (time.never) return nullptr;
  return {{"seconds", time.seconds}, {"or_longer", true}, {"beyond", time.beyond}};
}

Json json_of(const Bounds& bounds, const std::vector<control::Part>& parts) {
  Json made = Json::array();
  for (const control::Part& part : parts) {
    const control::Account& account = bounds.network().accounts[part.account];
    const control::Span span = bounds.span(account);
    Json one = {{"name", bounds.name(account)}, {"bytes", json_of(part.bytes)}, {"file", nullptr}, {"line", nullptr}};
    if (span.file < bounds.model().files.size()) {
      one["file"] = bounds.model().files[span.file];
      one["line"] = bounds.model().line_of(span);
    }
    made.push_back(one);
  }
  return made;
}

Json json_of(const Bounds& bounds, const Passage& passage) {
  const control::Model& model = bounds.model();
  Json made;
  made["holder"] = passage.holder ? Json(model.segments[*passage.holder].name) : Json(nullptr);
  made["exit"] = exit_of(model, passage);
  constexpr const char* names[] = {"1h", "1d", "30d", "ever"};
  for (std::size_t i = 0; i < passage.most.size(); ++i) made["bytes"][names[i]] = json_of(passage.most[i].bytes);
  made["copy"] = {
      {"raw", json_of(passage.raw)}, {"16:1", json_of(passage.sixteen)}, {"compressed", json_of(passage.compressed)}};
  made["deciding"] = json_of(bounds, passage.deciding);
  return made;
}

void print_json(const Bounds& bounds, const std::vector<control::AssetBound>& found, bool one_line) {
  const control::Model& model = bounds.model();
  Json assets = Json::array();
  for (const control::AssetBound& one : found) {
    const control::Asset& asset = model.assets[one.asset];
    Json made = {{"asset", asset.name},
                 {"bytes", asset.bytes},
                 {"compression", asset.compression_thousandths / 1'000.0},
                 {"whole", json_of(bounds, one.whole)},
                 {"exits", Json::array()},
                 {"pairs", Json::array()},
                 {"closed", Json::array()}};
    for (const Passage& passage : one.exits) made["exits"].push_back(json_of(bounds, passage));
    for (const Passage& passage : one.pairs) made["pairs"].push_back(json_of(bounds, passage));
    for (const u32 segment : one.closed) made["closed"].push_back(model.segments[segment].name);
    assets.push_back(made);
  }
  fmt::print("{}", text_of({{"assets", assets}, {"assumptions", bounds.assumptions()}}, one_line));
}

// Segments that --to names; nothing when one of them is unknown.
std::optional<std::vector<u32>> exits_of(const control::Names& names, const std::vector<std::string>& to) {
  std::vector<u32> segments;
  for (const std::string& name : to) {
    const auto found = names.nouns.find(name);
    if (found == names.nouns.end()) {
      fmt::print(stderr, "weir bound: --to {}: no such segment, group or list\n", control::harmless(name));
      return std::nullopt;
    }
    segments.insert(segments.end(), found->second.segments.begin(), found->second.segments.end());
  }
  return segments;
}

int run_bound(const BoundOptions& options) {
  const auto now_s = time_of(options.at);
  if (!now_s) {
    fmt::print(stderr, "weir: --at {}: not a date (YYYY-MM-DD)\n", options.at);
    return exit_invalid;
  }
  control::Checked checked = control::check(control::load(options.policy), *now_s, control::Purpose::read);
  auto& diagnostics = checked.diagnostics;
  if (!checked.ok()) {
    print(diagnostics, checked.sources, options.format);
    return exit_invalid;
  }
  const auto to = exits_of(checked.names, options.to);
  if (!to) return exit_invalid;
  std::erase_if(diagnostics.all, [](const control::Diagnostic& one) { return !one.is_error(); });
  control::check_bounds(checked.model, *now_s, diagnostics);
  if (diagnostics.errors() > 0) print(diagnostics, checked.sources, options.format);

  const Bounds bounds(checked.model, *now_s);
  std::vector<control::AssetBound> found;
  for (u32 asset = 0; asset < checked.model.assets.size(); ++asset)
    if (options.asset.empty() || checked.model.assets[asset].name == options.asset)
      found.push_back(bounds.of(asset, *to));
  if (found.empty() && !options.asset.empty()) {
    fmt::print(stderr, "weir bound: --asset {}: no such asset\n", control::harmless(options.asset));
    return exit_invalid;
  }
  if (options.format == "human") {
    if (options.output != "table") print_json(bounds, found, options.output == "jsonl");
    else if (found.empty()) fmt::print("the policy declares no [asset]: there is nothing to bound\n");
    else print_table(bounds, found);
  }
  return diagnostics.errors() > 0 ? exit_no : exit_yes;
}

}  // namespace

void add_bound(CLI::App& app, int& exit_code) {
  const auto options = std::make_shared<BoundOptions>();
  CLI::App* command =
      app.add_subcommand("bound", "Say how much of each asset can leave, and how soon a copy can be gone");
  add_rules_options(*command, *options);
  command->add_option("--to", options->to, "Further exits: segments, groups or lists");
  command->add_option("--asset", options->asset, "Of this asset alone");
  command->add_option("-o,--output", options->output, "Of the result, on stdout: table, json or jsonl")
      ->check(CLI::IsMember({"table", "json", "jsonl"}));
  command->callback([options, &exit_code] { exit_code = run_bound(*options); });
}

}  // namespace weir
