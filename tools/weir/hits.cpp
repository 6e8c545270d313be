// `weir hits`: what has met each rule of the policy in force, and with --dead the rules that nothing has met. Names and
// places come from the image, of the door or of --policy.
#include "control/see/hits.hpp"
#include "tools/weir/rules.hpp"
#include "tools/weir/see.hpp"

#include <fmt/format.h>
#include <CLI/CLI.hpp>
#include <algorithm>
#include <memory>

namespace weir {
namespace {

struct HitsOptions {
  SeeOptions see;
  std::string door;
  bool dead = false;
};

struct RuleText {
  std::string kind, name, at;
};

RuleText text_of_rule(const see::PolicyNames* names, u32 rule) {
  if (names == nullptr || rule >= names->policy().rules_count()) return {"rule", std::to_string(rule), ""};
  const RuleView view = names->policy().rule(rule);
  return {view.is_forbid ? "forbid" : "allow", std::string(view.name), fmt::format("{}:{}", view.file, view.line)};
}

std::string last_text(u64 last_us) { return last_us == 0 ? "never" : see::time_text(last_us); }

// Forbids first, then allows, as the image has them: within each by name of file and line.
std::vector<u32> in_order(const see::RuleCounts& counts, const see::PolicyNames* names, bool dead_only) {
  std::vector<u32> rules;
  for (u32 rule = 0; rule < counts.rows.size(); ++rule)
    if (!dead_only || counts.rows[rule].is_dead()) rules.push_back(rule);
  if (names == nullptr) return rules;
  std::ranges::stable_sort(rules, {}, [&](u32 rule) {
    const RuleView view = names->policy().rule(std::min(rule, names->policy().rules_count() - 1));
    return std::tuple(view.file, view.line);
  });
  return rules;
}

void print_hits(const see::RuleCounts& counts, const see::PolicyNames* names, const std::vector<u32>& rules) {
  std::size_t widest = 4;
  for (const u32 rule : rules) widest = std::max(widest, text_of_rule(names, rule).name.size());
  fmt::print("{:<7} {:<{}} {:>12} {:>10} {:>12} {:>12}  {:<19}  {}\n", "", "rule", widest, "flows", "kept", "dropped",
             "before", "last (UTC)", "at");
  for (const u32 rule : rules) {
    const RuleText text = text_of_rule(names, rule);
    const see::RuleHitsRow& row = counts.rows[rule];
    fmt::print("{:<7} {:<{}} {:>12} {:>10} {:>12} {:>12}  {:<19}  {}\n", text.kind, text.name, widest, row.now.opened,
               row.now.kept, row.now.dropped, row.before.sum(), last_text(row.last_us()), text.at);
  }
}

void print_dead(const see::RuleCounts& counts, const see::PolicyNames* names, const std::vector<u32>& rules) {
  fmt::print("{} of {} rules {} met nothing since {} UTC\n", rules.size(), counts.rows.size(),
             rules.size() == 1 ? "has" : "have", see::time_text(counts.began_us));
  for (const u32 rule : rules) {
    const RuleText text = text_of_rule(names, rule);
    fmt::print("  {:<6} {}  {}\n", text.kind, text.name, text.at);
  }
}

void print_json(const see::RuleCounts& counts, const see::PolicyNames* names, const std::vector<u32>& rules) {
  nlohmann::ordered_json made = {{"generation", counts.generation}, {"rules", nlohmann::ordered_json::array()}};
  if (names != nullptr) made["policy"] = names->policy().name();
  made["since"] = see::time_text(counts.since_us), made["began"] = see::time_text(counts.began_us);
  for (const u32 rule : rules) made["rules"].push_back(see::hits_json(counts, rule, names));
  fmt::print("{}", text_of(made));
}

int hits(const HitsOptions& options) {
  const auto stats = open_stats("hits", options.see);
  if (!stats) return stats.error();
  const auto counts = see::read_hits(*stats);
  if (!counts) {
    fmt::print(stderr, "weir hits: {}\n", counts.error());
    return exit_invalid;
  }
  if (counts->generation == 0) {
    fmt::print(stderr, "weir hits: no policy is in force: there is no rule to hit\n");
    return exit_no;
  }
  see::Names known(options.see.policies, stats->port_names(), names_by_door(options.door));
  const see::PolicyNames* const names = known.of(static_cast<u32>(counts->generation));
  for (const std::string& one : known.complaints()) fmt::print(stderr, "weir hits: {}\n", one);
  if (names == nullptr) fmt::print(stderr, "weir hits: --door or --policy says what the rules are called\n");
  const std::vector<u32> rules = in_order(*counts, names, options.dead);
  if (options.see.output == "json") {
    print_json(*counts, names, rules);
  } else {
    const std::string policy = names == nullptr ? "" : fmt::format(" of policy {}", names->policy().name());
    fmt::print("generation {}{}, in force since {} UTC\n", counts->generation, policy,
               see::time_text(counts->since_us));
    options.dead ? print_dead(*counts, names, rules) : print_hits(*counts, names, rules);
  }
  return options.dead && !rules.empty() ? exit_no : exit_yes;
}

}  // namespace

void add_hits(CLI::App& app, int& exit_code) {
  const auto options = std::make_shared<HitsOptions>();
  CLI::App* command = app.add_subcommand("hits", "What has met each rule, and which rules nothing has met");
  add_stats(*command, options->see);
  add_names(*command, options->see);
  command->add_option("--door", options->door, "The dataplane's door: names from the policy in force");
  command->add_flag("--dead", options->dead, "Only rules that nothing has met; exit code 1 where there are some");
  command->callback([options, &exit_code] { exit_code = hits(*options); });
}

}  // namespace weir
