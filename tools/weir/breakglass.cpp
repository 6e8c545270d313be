// `weir breakglass`: opens an allow that stands in the policy in force and is closed, for a while, with a reason;
// closes it; or lists what there is. weir-control decides, and the dataplane ends it.
#include "control/check/reading.hpp"
#include "control/door/door.hpp"
#include "control/report/report.hpp"
#include "tools/weir/asking.hpp"
#include "tools/weir/publish.hpp"

#include <fmt/format.h>
#include <CLI/CLI.hpp>

#include <cstdio>
#include <memory>

namespace weir {
namespace {

using control::harmless;
using Json = nlohmann::ordered_json;

struct BreakglassOptions {
  std::string socket = "/run/weir/control";
  std::string output = "table";
  std::string allow, within, why;
  bool ends = false;
};

std::string time_of(const Json& ms) { return control::spoken_ms(ms.get<std::uint64_t>()); }

void print_allow(const Json& one) {
  fmt::print("{}: {} > {} {}, for at most {}\n", as_text(one["name"]), as_text(one["from"]), as_text(one["to"]),
             as_text(one["with"]), time_of(one["for_at_most_ms"]));
  fmt::print("    owner {}; {}{}\n", harmless(as_text(one["owner"])), harmless(as_text(one["why"])),
             one["ticket"] == "" ? "" : fmt::format(" ({})", harmless(as_text(one["ticket"]))));
}

int list(const BreakglassOptions& options) {
  const auto told = ask_control(options.socket, "GET", "/v1/breakglass");
  if (!told) return told.error();
  if (options.output == "json") return fmt::print("{}\n", told->body.dump()), exit_done;
  for (const Json& one : told->body["allows"]) print_allow(one);
  if (told->body["allows"].empty()) fmt::print("the policy in force has no breakglass allow\n");
  if (const Json& open = told->body["open"]; !open.is_null()) fmt::print("OPEN now: {}\n", as_text(open));
  return exit_done;
}

int end(const BreakglassOptions& options) {
  const auto told = ask_control(options.socket, "POST", "/v1/breakglass/end", Json::object());
  if (!told) return told.error();
  if (options.output == "json") return fmt::print("{}\n", told->body.dump()), exit_done;
  fmt::print("`{}` is closed: generation {} is in force\n", as_text(told->body["closed"]),
             as_text(told->body["generation"]));
  return exit_done;
}

int open(const BreakglassOptions& options) {
  if (options.within.empty() || options.why.empty()) {
    fmt::print(stderr, "weir breakglass: say for how long and why: --for 30m --why \"...\"\n");
    return exit_usage;
  }
  const auto for_ms = control::trial_ms(options.within);
  if (!for_ms) {
    fmt::print(stderr, "weir breakglass: --for: {}\n", for_ms.error());
    return exit_usage;
  }
  const auto told = ask_control(options.socket, "POST", "/v1/breakglass",
                                {{"allow", options.allow}, {"for_ms", *for_ms}, {"why", options.why}});
  if (!told) return told.error();
  const Json& body = told->body;
  if (options.output == "json") return fmt::print("{}\n", body.dump()), exit_done;
  fmt::print("{}", body["diff"].get<std::string>());
  fmt::print(
      "\n`{}` is OPEN as generation {} until {}\nit closes by itself then, and at once by `weir breakglass --end`\n",
      as_text(body["breakglass"]), as_text(body["generation"]), as_text(body["until"]));
  if (body.contains("warning")) fmt::print(stderr, "weir: warning: {}\n", harmless(as_text(body["warning"])));
  return exit_done;
}

}  // namespace

void add_breakglass(CLI::App& app, int& exit_code) {
  const auto options = std::make_shared<BreakglassOptions>();
  CLI::App* one =
      app.add_subcommand("breakglass", "Open a closed allow of the policy for a while; without one: list them");
  CLI::Option* const allow = one->add_option("allow", options->allow, "The name of an allow with `breakglass`");
  one->add_option("--for", options->within, "For how long (30m), at most what the allow says")->needs(allow);
  one->add_option("--why", options->why, "A sentence for who reads the history")->needs(allow);
  one->add_flag("--end", options->ends, "Close what is open, at once")->excludes(allow);
  one->add_option("--control", options->socket, "the path given to weir-control --socket")->capture_default_str();
  one->add_option("-o,--output", options->output, "table or json")->check(CLI::IsMember({"table", "json"}));
  one->callback([options, &exit_code] {
    exit_code = options->ends ? end(*options) : options->allow.empty() ? list(*options) : open(*options);
  });
}

}  // namespace weir
