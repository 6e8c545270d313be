// `weir diff OLD NEW`: what a change of policy does to traffic, for people and for review bots (docs/diff.md). The
// comparison is control/diff's; here it is read from files and shown.
#include "control/diff/diff.hpp"

#include "control/diff/show.hpp"
#include "control/diff/words.hpp"
#include "control/report/report.hpp"
#include "tools/weir/commands.hpp"
#include "tools/weir/rules.hpp"

#include <fmt/format.h>
#include <CLI/CLI.hpp>
#include <memory>
#include <set>

namespace weir {
namespace {

using control::ChangeKind, control::Diff, control::DiffEntry, control::DiffExample;
using Json = nlohmann::ordered_json;

struct DiffOptions {
  std::array<std::string, 2> paths;
  std::string at, output = "table";
};

constexpr std::string_view kind_names[] = {"newly_allowed", "newly_denied", "treated_otherwise"};

// Both policies, with what of them is shown.
struct Pair {
  std::array<Rules, 2> rules;
  Diff diff;
  std::vector<std::string> not_compared;  // words that are known, not enforced and not modelled
};

// What asks `weir explain` about the example; empty where its words cannot.
std::string question_of(const DiffExample& example) {
  std::string out = fmt::format("'{} > {} {}'", example.source, example.target, example.service);
  if (example.network) return out + fmt::format(" --vni {}", *example.network);
  if (example.port.empty()) return "";
  out += fmt::format(" --port {}", example.port);
  return example.out_port.empty() ? out : out + fmt::format(" --to-port {}", example.out_port);
}

Json numbers_json(const control::ServicePoints& points) { return control::numbers_of(points); }

Json places_json(const Diff& diff, const std::vector<control::DiffPlaces>& places) {
  Json out = Json::array();
  for (const control::DiffPlaces& place : places) {
    Json ports = Json::array(), networks = Json::array();
    for (const u32 index : place.classes) {
      const control::JointClass& one = diff.classes[index];
      if (one.kind != image::ClassKind::network)
        ports.push_back(index == 0 ? "" : one.pattern + (one.kind == image::ClassKind::prefix ? "*" : ""));
      else if (one.networks.empty()) networks.push_back("other");
      else
        for (const u32 network : one.networks) networks.push_back(network);
    }
    out.push_back({{"ports", ports}, {"networks", networks}, {"prefixes", control::prefixes_of(place.addresses)}});
  }
  return out;
}

Json statement_json(const Rules& rules, u32 index) {
  const control::Model& model = rules.checked.model;
  const control::Statement& one = model.statements[index];
  return {{"name", one.name},
          {"kind", one.is_forbid ? "forbid" : "allow"},
          {"file", model.files[one.span.file]},
          {"line", model.line_of(one.span)}};
}

Json side_json(const Diff& diff, const Rules& rules, const DiffEntry& entry, u32 policy) {
  const Judgement& judgement = entry.example.judgements[policy];
  Json out = {{"verdict", verdict_name(row(judgement.reason).verdict)},
              {"reason", row(judgement.reason).name},
              {"rule", nullptr}};
  if (judgement.rule != no_rule) {
    const RuleView rule = rules.compiled->policy.rule(judgement.rule);
    out["rule"] = {
        {"name", rule.name}, {"kind", rule.is_forbid ? "forbid" : "allow"}, {"file", rule.file}, {"line", rule.line}};
  }
  if (entry.kind == ChangeKind::treated_otherwise) out["treatment"] = control::show_fate(diff, entry.fates[policy]);
  out["statements"] = Json::array();
  for (const u32 index : entry.statements[policy]) out["statements"].push_back(statement_json(rules, index));
  return out;
}

Json entry_json(const Pair& pair, const DiffEntry& entry) {
  const DiffExample& example = entry.example;
  Json packet = {
      {"source", example.source}, {"target", example.target}, {"service", example.service},     {"port", nullptr},
      {"to_port", nullptr},       {"network", nullptr},       {"explain", question_of(example)}};
  if (!example.port.empty()) packet["port"] = example.port;
  if (!example.out_port.empty()) packet["to_port"] = example.out_port;
  if (example.network) packet["network"] = *example.network;
  Json families = Json::array();
  if (entry.ipv4) families.push_back("ipv4");
  if (entry.ipv6) families.push_back("ipv6");
  return {{"from", entry.from},
          {"to", entry.to},
          {"services", entry.services},
          {"families", families},
          {"inside", entry.domain},
          {"example", packet},
          {"old", side_json(pair.diff, pair.rules[0], entry, 0)},
          {"new", side_json(pair.diff, pair.rules[1], entry, 1)},
          {"exactly",
           {{"from", places_json(pair.diff, entry.sources)},
            {"to", places_json(pair.diff, entry.targets)},
            {"services", numbers_json(entry.points)}}}};
}

Json figures_json(const std::vector<std::string>& figures) {
  if (figures.empty()) return nullptr;
  Json out = Json::object();
  for (std::size_t i = 0; i < figures.size(); ++i) out[std::string(control::bound_labels[i])] = figures[i];
  return out;
}

void print_json(const DiffOptions& options, const Pair& pair) {
  Json whole = {{"old", options.paths[0]}, {"new", options.paths[1]}, {"same", pair.diff.same()}};
  for (const std::string_view kind : kind_names) whole[std::string(kind)] = Json::array();
  for (const DiffEntry& entry : pair.diff.entries)
    whole[std::string(kind_names[static_cast<std::size_t>(entry.kind)])].push_back(entry_json(pair, entry));
  whole["claims"] = Json::array();
  for (const auto& one : pair.diff.claims)
    whole["claims"].push_back({{"ports", one.ports},
                               {"change", one.accepted ? "accepted" : "refused"},
                               {"all_but", one.all_but},
                               {"prefixes", one.prefixes}});
  whole["settings"] = Json::array();
  for (const auto& [key, before, after] : pair.diff.settings)
    whole["settings"].push_back({{"key", key}, {"old", before}, {"new", after}});
  whole["bounds"] = Json::array();
  for (const auto& one : pair.diff.bounds)
    whole["bounds"].push_back({{"asset", one.asset},
                               {"moved", one.moved()},
                               {"old", figures_json(one.figures[control::old_policy])},
                               {"new", figures_json(one.figures[control::new_policy])}});
  whole["not_compared"] = pair.not_compared;
  whole["renamed"] = Json::array();
  for (const auto& [before, after] : pair.diff.renamed) whole["renamed"].push_back({{"old", before}, {"new", after}});
  fmt::print("{}", text_of(whole, options.output == "jsonl"));
}

// Words that either policy uses, that this version does not enforce and that a Model does not have either.
std::vector<std::string> not_compared(const Pair& pair) {
  constexpr std::string_view modelled[] = {"limit.", "policy.mode", "policy.monitor_until"};
  std::set<std::string> words;
  for (const Rules& rules : pair.rules)
    for (const control::Diagnostic& one : rules.checked.diagnostics.all) {
      if (one.code != "W0110") continue;
      const std::size_t begin = one.sentence.find('`') + 1;
      const std::string word = one.sentence.substr(begin, one.sentence.find('`', begin) - begin);
      if (std::ranges::none_of(modelled, [&](std::string_view known) { return word.starts_with(known); }))
        words.insert(word);
    }
  return {words.begin(), words.end()};
}

int run_diff(const DiffOptions& options) {
  const auto now_s = time_of(options.at);
  if (!now_s) {
    fmt::print(stderr, "weir diff: --at {}: not a date (YYYY-MM-DD)\n", control::harmless(options.at));
    return exit_invalid;
  }
  constexpr auto read = control::Purpose::read;
  Pair pair{{read_rules(options.paths[0], *now_s, first_generation, read),
             read_rules(options.paths[1], *now_s, first_generation, read)},
            {},
            {}};
  constexpr std::string_view sides[] = {"old", "new"};
  bool sound = true;
  for (std::size_t i = 0; i < 2; ++i) {
    if (pair.rules[i].ok()) continue;
    print(pair.rules[i].checked.diagnostics, pair.rules[i].checked.sources, "human");
    fmt::print(stderr, "weir diff: the {} policy, {}, is not valid\n", sides[i], control::harmless(options.paths[i]));
    sound = false;
  }
  if (!sound) return exit_invalid;
  const auto side = [&](std::size_t i) {
    const Rules& rules = pair.rules[i];
    return control::PolicySide{rules.checked.model, &rules.checked.names, rules.compiled->policy};
  };
  auto made = control::diff(side(0), side(1), *now_s);
  if (!made) {
    fmt::print(stderr, "weir diff: {}\n", made.error());
    return exit_invalid;
  }
  pair.diff = std::move(*made);
  pair.not_compared = not_compared(pair);
  if (options.output == "table") fmt::print("{}", control::show_diff(pair.diff, {side(0), side(1)}, pair.not_compared));
  else print_json(options, pair);
  return pair.diff.same() ? exit_yes : exit_no;
}

}  // namespace

void add_diff(CLI::App& app, int& exit_code) {
  const auto options = std::make_shared<DiffOptions>();
  CLI::App* command =
      app.add_subcommand("diff", "What traffic a change of policy newly allows, denies or treats otherwise");
  command->add_option("old", options->paths[0], "The root rule file before")->required();
  command->add_option("new", options->paths[1], "The root rule file after")->required();
  command->add_option("--at", options->at, "YYYY-MM-DD: as if today were that day");
  command->add_option("-o,--output", options->output, "table, json or jsonl")
      ->check(CLI::IsMember({"table", "json", "jsonl"}));
  command->callback([options, &exit_code] { exit_code = run_diff(*options); });
}

}  // namespace weir
