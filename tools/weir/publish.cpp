#include "tools/weir/publish.hpp"

#include "control/door/door.hpp"
#include "control/publish/bundle.hpp"
#include "control/publish/files.hpp"
#include "control/report/report.hpp"
#include "tools/weir/asking.hpp"
#include "tools/weir/shadow.hpp"

#include <fmt/format.h>
#include <unistd.h>
#include <CLI/CLI.hpp>
#include <nlohmann/json.hpp>

#include <chrono>
#include <cstdio>
#include <iostream>
#include <memory>
#include <thread>

namespace weir {
namespace {

using control::harmless;
using Json = nlohmann::ordered_json;

struct PublishOptions {
  std::string socket = "/run/weir/control";
  std::string output = "table";
  std::string policy;
  std::string confirm;                  // "5m"
  std::vector<std::string> signatures;  // files
  bool yes = false, waits = false, replaces_trial = false;
  std::uint64_t number = 0;             // generation, or staged
  std::size_t count = 20;
};

std::expected<Told, int> ask(const PublishOptions& options, std::string_view method, const std::string& target,
                             const Json& body = nullptr) {
  return ask_control(options.socket, method, target, body);
}

void print_plan(const Json& plan) {
  fmt::print("{}", plan["diff"].get<std::string>());
  if (const std::string bound = plan["bound"]; !bound.empty()) fmt::print("\nMost that can leave\n{}", bound);
  if (plan.contains("signatures_needed"))
    fmt::print("\nSigned by {} of {} different keys\n", plan["signed_by"].size(), as_text(plan["signatures_needed"]));
  for (const Json& why : plan.value("why_two", Json::array())) fmt::print("  {}\n", harmless(why.get<std::string>()));
  const Json& usual = plan["usual_blocked_us"];
  fmt::print(
      "\nPackets wait {}: the flip is one store, and workers go on with what they have\n",
      usual.is_null() ? "not measurably" : fmt::format("for at most {} us, as the last changes took", as_text(usual)));
}

// "y" on a terminal.
bool is_wanted(const PublishOptions& options) {
  if (options.yes) return true;
  if (isatty(STDIN_FILENO) == 0) {
    fmt::print(stderr, "weir: nobody is there to be asked; --yes applies without a question\n");
    return false;
  }
  fmt::print("\nApply? [y/N] ");
  std::fflush(stdout);
  std::string line;
  return std::getline(std::cin, line) && (line == "y" || line == "yes");
}

std::expected<void, int> read_terms(const PublishOptions& options, Json& asked) {
  asked["replace_trial"] = options.replaces_trial;
  if (!options.confirm.empty()) {
    const auto within_ms = control::trial_ms(options.confirm);
    if (!within_ms) {
      fmt::print(stderr, "weir: --confirm: {}\n", within_ms.error());
      return std::unexpected(exit_usage);
    }
    asked["confirm_within_ms"] = *within_ms;
  }
  asked["signatures"] = Json::array();
  for (const std::string& path : options.signatures) {
    const auto text = control::read_file(path, 64 << 10);
    if (!text) {
      fmt::print(stderr, "weir: {}\n", text.error());
      return std::unexpected(exit_usage);
    }
    asked["signatures"].push_back(*text);
  }
  return {};
}

// Until the trial has ended: confirmed, or given way.
int wait_for_end(const PublishOptions& options, const Json& generation) {
  for (;; std::this_thread::sleep_for(std::chrono::milliseconds(500))) {
    const auto told = ask(options, "GET", "/v1/history/" + as_text(generation));
    if (!told) return told.error();
    const std::string state = told->body["state"];
    if (state == "on_trial") continue;
    fmt::print("generation {} is {}\n", as_text(generation), state);
    return state == "confirmed" || state == "replaced" ? exit_done : exit_rolled_back;
  }
}

// Plans at `target`/plan or /v1/plan, asks, and does it.
int publish(const PublishOptions& options, const std::string& plan_target, const std::string& target, Json asked) {
  if (const auto read = read_terms(options, asked); !read) return read.error();
  const auto plan = ask(options, "POST", plan_target, asked);
  if (!plan) return plan.error();
  if (!plan->body["holds"]) {
    fmt::print(stderr, "{}weir: the policy does not hold: nothing is changed\n",
               plan->body["diagnostics"].get<std::string>());
    return exit_usage;
  }
  if (plan->body["warnings"] != 0) fmt::print(stderr, "{}", plan->body["diagnostics"].get<std::string>());
  if (options.output == "table") print_plan(plan->body);
  if (!is_wanted(options)) return exit_refused;
  if (!plan->body["base"].is_null()) asked["base"] = plan->body["base"];
  const auto done = ask(options, "POST", target, asked);
  if (!done) return done.error();
  const Json& body = done->body;
  if (options.output == "json") fmt::print("{}\n", body.dump());
  else
    fmt::print("generation {} (`{}`) is in force, after {} us\n", as_text(body["generation"]),
               harmless(as_text(body["policy"])), as_text(body["blocked_us"]));
  if (body.contains("warning")) fmt::print(stderr, "weir: warning: {}\n", harmless(as_text(body["warning"])));
  if (!body.contains("trial")) return exit_done;
  if (options.output == "table")
    fmt::print("on trial: without `weir confirm` within {} it gives way to {}\n", options.confirm,
               as_text(body["trial"]["fallback_is"]));
  std::fflush(stdout);
  return options.waits ? wait_for_end(options, body["generation"]) : exit_done;
}

int run_apply(const PublishOptions& options) {
  if (options.policy.empty()) return publish(options, "/v1/plan", "/v1/apply", {{"staged", options.number}});
  const auto bundle = control::bundle_from_disk(options.policy);
  if (!bundle) {
    fmt::print(stderr, "weir: {}\n", bundle.error());
    return exit_usage;
  }
  return publish(options, "/v1/plan", "/v1/apply", {{"root", bundle->root}, {"files", bundle->files}});
}

int run_rollback(const PublishOptions& options) {
  return publish(options, "/v1/rollback/plan", "/v1/rollback", {{"generation", options.number}});
}

int run_simple(const PublishOptions& options, const char* target, const Json& body, const char* done) {
  const auto told = ask(options, "POST", target, body);
  if (!told) return told.error();
  if (options.output == "json") fmt::print("{}\n", told->body.dump());
  else fmt::print("{}\n", fmt::format(fmt::runtime(done), as_text(told->body.begin().value())));
  return exit_done;
}

int run_history(const PublishOptions& options) {
  const bool is_one = options.number != 0;
  const auto told =
      ask(options, "GET",
          is_one ? fmt::format("/v1/history/{}", options.number) : fmt::format("/v1/history?n={}", options.count));
  if (!told) return told.error();
  const Json& body = told->body;
  if (options.output == "json") return fmt::print("{}\n", body.dump()), exit_done;
  const auto line = [](const Json& one) {
    fmt::print("{:>8}  {:<11} {:<9} {}  {:<12} {}\n", as_text(one["generation"]), as_text(one["state"]),
               as_text(one["kind"]), as_text(one["when"]), harmless(as_text(one["user"])),
               harmless(as_text(one["policy"])));
    if (const std::string opens = one.value("opens", ""); !opens.empty())
      fmt::print("          opens `{}` until {}: {}\n", harmless(opens), as_text(one["until"]),
                 harmless(as_text(one["why"])));
  };
  if (is_one) {
    line(body);
    fmt::print("\n{}", body["diff"].get<std::string>());
    if (const std::string bound = body["bound"]; !bound.empty()) fmt::print("\nMost that can leave\n{}", bound);
    return exit_done;
  }
  for (const Json& one : body["entries"]) line(one);
  for (const Json& torn : body["torn"]) fmt::print(stderr, "weir: {}\n", harmless(torn.get<std::string>()));
  return exit_done;
}

void show_events(const Json& events) {
  fmt::print("event log: {} lines{}\n", as_text(events["lines"]),
             events["reading"].get<bool>() ? "" : ", and nothing to read: " + harmless(as_text(events["why_not"])));
  for (const auto& [why, count] : events["not_logged"].items())
    if (count != 0) fmt::print("event log: {} events are not in it: {}\n", as_text(count), harmless(why));
  if (!events["fault"].is_null()) fmt::print("event log: FAILS: {}\n", harmless(as_text(events["fault"])));
}

int run_status(const PublishOptions& options) {
  const auto told = ask(options, "GET", "/v1/status");
  if (!told) return told.error();
  const Json& body = told->body;
  if (options.output == "json") return fmt::print("{}\n", body.dump()), exit_done;
  const Json& dataplane = body["dataplane"];
  if (!dataplane["reachable"]) fmt::print("the dataplane does not answer: {}\n", harmless(as_text(dataplane["why"])));
  else
    fmt::print("generation {} (`{}`) is in force; the dataplane is up {} s with {} workers\n",
               as_text(dataplane["generation"]), harmless(as_text(dataplane["policy"])), as_text(dataplane["uptime_s"]),
               as_text(dataplane["workers"]));
  if (const Json& open = body["breakglass"]; !open.is_null())
    fmt::print("BREAKGLASS: `{}` is open for another {:.1f} s{}\n", harmless(as_text(open["allow"])),
               dataplane["trial"]["left_s"].get<double>(),
               open.contains("user")
                   ? fmt::format(", by {}: {}", harmless(as_text(open["user"])), harmless(as_text(open["why"])))
                   : "");
  else if (dataplane["reachable"] && !dataplane["trial"].is_null())
    fmt::print("on trial for another {:.1f} s: then generation {}\n", dataplane["trial"]["left_s"].get<double>(),
               as_text(dataplane["trial"]["fallback"]));
  if (dataplane["reachable"] && !dataplane["shadow"].is_null())
    fmt::print("shadow {}\n", shadow_text(dataplane["shadow"]));
  if (dataplane["reachable"] && !dataplane["links_down"].is_null())
    fmt::print("LINK DOWN: {}\n", harmless(as_text(dataplane["links_down"])));
  if (!body["staged"].is_null())
    fmt::print("staged: {} (`{}`), {}\n", as_text(body["staged"]["generation"]),
               harmless(as_text(body["staged"]["policy"])), as_text(body["staged"]["when"]));
  if (const Json& watch = body["watch"]; !watch.is_null())
    fmt::print("watching {}: {}{}\n", harmless(as_text(watch["rules"])), as_text(watch["result"]),
               watch.contains("why") ? ": " + harmless(as_text(watch["why"])) : "");
  if (!body["under_way"].is_null()) fmt::print("under way: {}\n", harmless(as_text(body["under_way"])));
  if (const Json& events = body["events"]; !events.is_null()) show_events(events);
  if (!body["problem"].is_null()) fmt::print("problem: {}\n", harmless(as_text(body["problem"])));
  for (const Json& torn : body["torn"]) fmt::print("torn: {}\n", harmless(torn.get<std::string>()));
  return exit_done;
}

int run_manifest(const PublishOptions& options) {
  const auto bundle = control::bundle_from_disk(options.policy);
  if (!bundle) {
    fmt::print(stderr, "weir: {}\n", bundle.error());
    return exit_usage;
  }
  fmt::print("{}", control::manifest(*bundle));
  return exit_done;
}

CLI::App* command(CLI::App& app, const char* name, const char* what, PublishOptions& options) {
  CLI::App* one = app.add_subcommand(name, what);
  one->add_option("--control", options.socket, "the path given to weir-control --socket")->capture_default_str();
  one->add_option("-o,--output", options.output, "table or json")->check(CLI::IsMember({"table", "json"}));
  return one;
}

void add_terms(CLI::App& one, PublishOptions& options) {
  CLI::Option* const confirm =
      one.add_option("--confirm", options.confirm, "on trial: gives way unless confirmed within this time (5m)");
  one.add_flag("--yes", options.yes, "apply without a question");
  one.add_flag("--wait", options.waits, "until the trial has ended; exit code 5 where it gave way")->needs(confirm);
  one.add_flag("--replace-trial", options.replaces_trial, "also while another policy awaits its confirmation");
  one.add_option("--signature", options.signatures, "a signature by minisign (repeatable)")->expected(1)->take_all();
}

}  // namespace

void add_publish_commands(CLI::App& app, int& exit_code) {
  const auto options = std::make_shared<PublishOptions>();
  CLI::App* apply =
      command(app, "apply", "Put a policy in force through weir-control, after showing what it changes", *options);
  CLI::Option* const policy = apply->add_option("policy", options->policy, "The root rule file");
  apply->add_option("--staged", options->number, "what the watcher or somebody has staged, by its number; 0: the last")
      ->excludes(policy);
  add_terms(*apply, *options);
  apply->callback([options, &exit_code] { exit_code = run_apply(*options); });
  CLI::App* rollback = command(app, "rollback", "Put rules of the history in force again, anew", *options);
  rollback->add_option("generation", options->number, "Whose rules; without it what was in force before");
  add_terms(*rollback, *options);
  rollback->callback([options, &exit_code] { exit_code = run_rollback(*options); });
  CLI::App* confirm = command(app, "confirm", "The policy on trial stays", *options);
  confirm->add_option("generation", options->number, "Only if it is this one");
  confirm->callback([options, &exit_code] {
    exit_code = run_simple(*options, "/v1/confirm", {{"generation", options->number}}, "generation {} is confirmed");
  });
  CLI::App* lockdown = command(app, "lockdown", "Deny everything but management, at once", *options);
  lockdown->callback([options, &exit_code] {
    exit_code = run_simple(*options, "/v1/lockdown", Json::object(), "locked down: generation {} is in force");
  });
  CLI::App* history = command(app, "history", "What was in force, who put it there and when", *options);
  history->add_option("generation", options->number, "One entry, with what it changed");
  history->add_option("-n", options->count, "how many (20)");
  history->callback([options, &exit_code] { exit_code = run_history(*options); });
  CLI::App* status = command(app, "status", "What is in force, on trial, staged, watched; and what is wrong", *options);
  status->callback([options, &exit_code] { exit_code = run_status(*options); });
  CLI::App* signs = app.add_subcommand("manifest", "What is to be signed of a policy: the digests of its files");
  signs->add_option("policy", options->policy, "The root rule file")->required();
  signs->callback([options, &exit_code] { exit_code = run_manifest(*options); });
}

}  // namespace weir
