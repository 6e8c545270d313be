// `weir report POLICY`: reads the policy and collects what the page tells. A broken policy has no page.
#include "tools/weir/report.hpp"

#include "control/ask/ask.hpp"
#include "control/report/report.hpp"
#include "tools/weir/commands.hpp"

#include <fmt/chrono.h>
#include <fmt/format.h>
#include <CLI/CLI.hpp>
#include <memory>

namespace weir {
namespace {

struct ReportOptions {
  std::string policy, at;
};

std::string text_at(const control::Node& table, std::string_view key) {
  const control::Entry* entry = table.find(key);
  return entry == nullptr ? "" : entry->value.text;
}

// By where a statement stands: what its file says of it beside the rule.
std::map<std::pair<u32, u32>, Said> said_in(const control::Loaded& loaded) {
  std::map<std::pair<u32, u32>, Said> found;
  for (const control::Document& document : loaded.documents)
    for (const std::string_view kind : {"allow", "forbid"}) {
      const control::Entry* statements = document.tree.find(kind);
      if (statements == nullptr) continue;
      for (const control::Node& one : statements->value.items) {
        const control::Entry* name = one.find("name");
        const control::Span span = name == nullptr ? one.span : name->value.span;
        found[{span.file, span.begin}] = {text_at(one, "owner"), text_at(one, "why"), text_at(one, "ticket"), ""};
      }
    }
  return found;
}

int fail(const std::string& sentence) {
  fmt::print(stderr, "weir report: {}\n", control::harmless(sentence));
  return exit_invalid;
}

int run_report(const ReportOptions& options) {
  const auto now_s = time_of(options.at);
  if (!now_s) return fail(fmt::format("--at {}: not a date (YYYY-MM-DD)", options.at));
  Rules rules = read_rules(options.policy, *now_s, first_generation, control::Purpose::read);
  if (!rules.ok()) {
    print(rules.checked.diagnostics, rules.checked.sources, "human");
    return exit_invalid;
  }
  const control::Model& model = rules.checked.model;
  auto reach = control::reach_of(model, rules.checked.names, *now_s);
  if (!reach) return fail(reach.error());
  const auto by_place = said_in(control::load(options.policy));
  std::vector<Said> said;
  for (const auto* list : {&model.statements, &model.breakglass})
    for (const control::Statement& one : *list) {
      const auto found = by_place.find({one.span.file, one.span.begin});
      said.push_back(found == by_place.end() ? Said{} : found->second);
      if (one.expires_s)
        said.back().expires = fmt::format("{:%Y-%m-%d}", fmt::gmtime(static_cast<std::time_t>(*one.expires_s - 1)));
    }
  std::size_t claims = 0;
  for (const control::Test& test : rules.checked.tests)
    if (!test.expires_s || *now_s < *test.expires_s) claims += test.from.size() * test.claims.size();
  const std::size_t held = control::run_tests(rules.checked, rules.compiled->policy, *now_s, rules.checked.diagnostics);
  const std::optional<control::Bounds> bounds =
      model.assets.empty() ? std::nullopt : std::optional<control::Bounds>(std::in_place, model, *now_s);
  const std::string day = fmt::format("{:%Y-%m-%d}", fmt::gmtime(static_cast<std::time_t>(*now_s)));
  fmt::print("{}",
             html_page({rules, day, std::move(*reach), std::move(said), bounds ? &*bounds : nullptr, claims, held}));
  return exit_yes;
}

}  // namespace

void add_report(CLI::App& app, int& exit_code) {
  const auto options = std::make_shared<ReportOptions>();
  CLI::App* command =
      app.add_subcommand("report", "A policy as one HTML page, on stdout: who reaches whom, why, what can leave");
  command->add_option("policy", options->policy, "The root rule file")->required();
  command->add_option("--at", options->at, "YYYY-MM-DD: as if today were that day");
  command->callback([options, &exit_code] { exit_code = run_report(*options); });
}

}  // namespace weir
