// `weir recommend POLICY LOG...`: a draft of the allows that would let pass what event logs show and no allow covers,
// and what the policy's bounds would be with it. It writes to standard output, and nothing into the policy.
#include "control/bound/bound.hpp"
#include "control/bound/show.hpp"
#include "control/publish/bundle.hpp"
#include "control/recommend/draft.hpp"
#include "control/report/report.hpp"
#include "tools/weir/commands.hpp"
#include "tools/weir/rules.hpp"

#include <fmt/format.h>
#include <CLI/CLI.hpp>
#include <fstream>
#include <iostream>
#include <memory>

namespace weir {
namespace {

struct RecommendOptions : RulesOptions {
  std::vector<std::string> logs;
  std::uint64_t least = 1;
};

constexpr char draft_name[] = "policy.d/recommended.toml";

void say(const std::string& sentence) { fmt::print(stderr, "weir recommend: {}\n", sentence); }

bool read_log(const std::string& path, control::Seen& seen) {
  std::ifstream file;
  if (path != "-") {
    file.open(path);
    if (!file) {
      say(fmt::format("{}: cannot be read", path));
      return false;
    }
  }
  std::istream& in = path == "-" ? std::cin : file;
  for (std::string line; std::getline(in, line);) seen.add(line);
  if (in.bad()) {
    say(fmt::format("{}: could not be read to its end", path));
    return false;
  }
  return true;
}

// As if it enforced: in monitor mode nothing is bounded.
control::Checked enforced(control::Loaded loaded, std::int64_t now_s) {
  control::Checked checked = control::check(std::move(loaded), now_s, control::Purpose::read);
  checked.model.monitor = false;
  return checked;
}

// A line for each asset: what can leave in a day, and how soon a copy can be gone, without the draft and with it.
void print_bounds(const control::Model& before, const control::Model& after, std::int64_t now_s) {
  if (after.assets.empty()) return;
  const control::Bounds old_bounds(before, now_s), new_bounds(after, now_s);
  for (u32 asset = 0; asset < after.assets.size() && asset < before.assets.size(); ++asset) {
    const control::Passage was = old_bounds.whole(asset), is = new_bounds.whole(asset);
    fmt::print("# `{}`, enforced: a day's most {}, with these rules {}; a copy gone in {}, with these rules {}\n",
               control::harmless(after.assets[asset].name), control::show_bytes(was.most[1].bytes),
               control::show_bytes(is.most[1].bytes), control::show_time(was.raw), control::show_time(is.raw));
  }
}

void print_draft(const control::Seen& seen, const control::Draft& draft) {
  fmt::print("# Drafted from {} lines of event logs", seen.lines);
  if (!seen.first.empty()) fmt::print(",\n# {} .. {}", seen.first, seen.last);
  fmt::print(".\n# What was seen is not what should be: read each rule, write its owner and why, narrow it.\n"
             "# Its place is {} beside the root file.\n",
             draft_name);
  for (const std::string& sentence : draft.left) fmt::print("# Not drafted: {}\n", control::harmless(sentence));
}

int recommend(const RecommendOptions& options) {
  const auto now_s = time_of(options.at);
  if (!now_s) {
    say(fmt::format("--at {}: not a date (YYYY-MM-DD)", options.at));
    return exit_invalid;
  }
  auto bundle = control::bundle_from_disk(options.policy);
  if (!bundle) {
    say(bundle.error());
    return exit_invalid;
  }
  const control::Checked before = enforced(control::load(*bundle), *now_s);
  if (!before.ok()) {
    print(before.diagnostics, before.sources, options.format);
    return exit_invalid;
  }
  control::Seen seen;
  for (const std::string& log : options.logs)
    if (!read_log(log, seen)) return exit_invalid;
  if (seen.unread > 0)
    say(fmt::format("{} of {} lines are no events of Weir's, and are left out", seen.unread, seen.lines));
  const control::Draft draft = control::draft_of(seen, before, options.least);
  print_draft(seen, draft);
  if (draft.allows == 0) {
    fmt::print("# There is nothing to allow.\n");
    return exit_yes;
  }
  bundle->files[draft_name] = control::as_if_owned(draft);
  const control::Checked after = enforced(control::load(*bundle), *now_s);
  if (after.ok()) print_bounds(before.model, after.model, *now_s);
  else fmt::print("# With these rules the policy does not hold yet: standard error says why.\n");
  fmt::print("\n{}", draft.rules);
  if (after.ok()) return exit_yes;
  print(after.diagnostics, after.sources, options.format);
  return exit_no;
}

}  // namespace

void add_recommend(CLI::App& app, int& exit_code) {
  const auto options = std::make_shared<RecommendOptions>();
  CLI::App* command = app.add_subcommand("recommend", "Draft allows for what event logs show and no allow covers");
  add_rules_options(*command, *options);
  command->add_option("LOG", options->logs, "Event logs (weir events, weir-control); - for standard input")->required();
  command->add_option("--least", options->least, "Leave out what was seen fewer times")->check(CLI::PositiveNumber);
  command->callback([options, &exit_code] { exit_code = recommend(*options); });
}

}  // namespace weir
