#include "tools/weir/shadow.hpp"

#include "control/publish/bundle.hpp"
#include "control/report/report.hpp"
#include "control/serve/call.hpp"
#include "tools/weir/asking.hpp"
#include "tools/weir/commands.hpp"

#include <fmt/format.h>
#include <CLI/CLI.hpp>
#include <algorithm>
#include <cctype>
#include <cstdio>
#include <memory>

namespace weir {
namespace {

using control::harmless;
using Json = nlohmann::ordered_json;

struct ShadowOptions {
  std::string socket = "/run/weir/control";
  std::string output = "table";
  std::string policy;
  bool is_off = false, watches = false;
};

std::string text_in(const Json& object, const char* key) {
  const auto found = object.find(key);
  return found != object.end() && found->is_string() ? harmless(found->get<std::string>()) : std::string{};
}

// "10.1.0.4", behind its segment where it has one.
std::string who(const Json& line, const char* segment, const char* address) {
  const auto found = line.find("weir");
  const std::string name = found == line.end() ? "" : text_in(*found, segment);
  return fmt::format("{}{}{}", name, name.empty() ? "" : " ", text_in(line, address));
}

// "tcp/443", "icmp/8.0", "gre".
std::string service_of(const Json& line) {
  std::string name = text_in(line, "proto");
  std::ranges::transform(name, name.begin(), [](unsigned char letter) { return std::tolower(letter); });
  const auto number = [&](const char* key) { return line.value(key, 0u); };
  if (line.contains("dest_port")) return fmt::format("{}/{}", name, number("dest_port"));
  if (line.contains("icmp_type")) return fmt::format("{}/{}.{}", name, number("icmp_type"), number("icmp_code"));
  return name;
}

// By which rule, or why without one: "allow.web", "no_allow", "allow.web (expired)".
std::string side_text(const Json& side) {
  const std::string reason = text_in(side, "reason"), rule = text_in(side, "rule");
  if (rule.empty() && !side.contains("rule_number")) return reason;
  const std::string name = rule.empty() ? fmt::format("rule {}", side.value("rule_number", 0u))
                                        : fmt::format("{}.{}", text_in(side, "rule_kind"), rule);
  return reason == "flow_new" || reason == "forbidden" ? name : fmt::format("{} ({})", name, reason);
}

int show(const ShadowOptions& options, const Json& told) {
  if (options.output == "json") return fmt::print("{}\n", told.dump()), exit_yes;
  if (told["shadow"].is_null()) return fmt::print("no shadow is asked\n"), exit_yes;
  fmt::print("{}\nshadow {} (`{}`) is asked beside generation {}, which stays in force\n",
             told["diff"].get<std::string>(), told["shadow"].dump(), text_in(told, "policy"), told["beside"].dump());
  if (const std::string warning = text_in(told, "warning"); !warning.empty())
    fmt::print(stderr, "weir shadow: warning: {}\n", warning);
  return exit_yes;
}

int tell(const ShadowOptions& options) {
  const auto told = ask_control(options.socket, "GET", "/v1/status");
  if (!told) return told.error();
  const Json& dataplane = told->body["dataplane"];
  const Json shadow = dataplane.contains("shadow") ? dataplane["shadow"] : Json();
  if (options.output == "json") return fmt::print("{}\n", Json{{"shadow", shadow}}.dump()), exit_yes;
  if (!dataplane["reachable"].get<bool>()) {
    fmt::print(stderr, "weir shadow: the dataplane does not answer: {}\n", text_in(dataplane, "why"));
    return exit_unreachable;
  }
  if (shadow.is_null()) fmt::print("no shadow is asked\n");
  else fmt::print("shadow {}\n", shadow_text(shadow));
  return exit_yes;
}

// Until it is interrupted, or weir-control ends.
int watch(const ShadowOptions& options) {
  constexpr const char* target = "/v1/events?filter=event+shadow_would_pass+or+event+shadow_would_deny";
  std::string rest;
  const auto each = [&](std::string_view piece) {
    rest += piece;
    for (std::size_t end; (end = rest.find('\n')) != std::string::npos; rest.erase(0, end + 1)) {
      const std::string text = rest.substr(0, end);
      if (options.output == "json") fmt::print("{}\n", text);
      else if (const Json line = Json::parse(text, nullptr, false); line.is_object() && line.contains("weir"))
        fmt::print("{} {}\n", text_in(line, "timestamp").substr(0, 19), disagreement_text(line));
    }
    return std::fflush(stdout) == 0;
  };
  const auto answer = control::follow({options.socket}, target, each);
  if (answer && answer->status == 200) return exit_yes;
  if (answer && answer->status == 404)
    fmt::print(stderr, "weir shadow: weir-control takes no events: it was started without --stats\n");
  else
    fmt::print(stderr, "weir shadow: {}\n", answer ? fmt::format("weir-control answers {}", answer->status)
                                                   : answer.error().sentence);
  if (answer) return answer->status == 403 ? exit_not_permitted : exit_no;
  return answer.error().is_not_permitted ? exit_not_permitted : exit_unreachable;
}

int run(const ShadowOptions& options) {
  if (options.watches) return watch(options);
  if (!options.is_off && options.policy.empty()) return tell(options);
  Json asked = {{"off", true}};
  if (!options.is_off) {
    const auto bundle = control::bundle_from_disk(options.policy);
    if (!bundle) {
      fmt::print(stderr, "weir shadow: {}\n", bundle.error());
      return exit_invalid;
    }
    asked = {{"root", bundle->root}, {"files", bundle->files}};
  }
  const auto told = ask_control(options.socket, "POST", "/v1/shadow", asked);
  return told ? show(options, told->body) : told.error();
}

}  // namespace

std::string shadow_text(const Json& shadow) {
  return fmt::format("`{}`, generation {}, for {} s: {} questions; {} would pass now, {} would be denied now, {} of "
                     "them not told",
                     text_in(shadow, "policy"), shadow["generation"].dump(), shadow["since_s"].dump(),
                     shadow["compared"].dump(), shadow["would_pass"].dump(), shadow["would_deny"].dump(),
                     shadow["untold"].dump());
}

std::string disagreement_text(const Json& line) {
  const auto weir = line.find("weir");
  if (weir == line.end() || !weir->contains("shadow")) return {};
  const bool would_pass = text_in(*weir, "event") == "shadow_would_pass";
  return fmt::format("{}: {} > {} {} (live: {}, shadow: {})", would_pass ? "would pass now" : "would be denied now",
                     who(line, "from", "src_ip"), who(line, "to", "dest_ip"), service_of(line), side_text(*weir),
                     side_text(weir->at("shadow")));
}

void add_shadow(CLI::App& app, int& exit_code) {
  const auto options = std::make_shared<ShadowOptions>();
  CLI::App* command =
      app.add_subcommand("shadow", "Ask a policy beside the one in force, and tell where they disagree");
  CLI::Option* const policy =
      command->add_option("policy", options->policy, "The root rule file; without it, what the shadow has counted");
  CLI::Option* const off = command->add_flag("--off", options->is_off, "No shadow is asked any more")->excludes(policy);
  command->add_flag("--watch", options->watches, "A line for each disagreement, as they happen")
      ->excludes(policy)
      ->excludes(off);
  command->add_option("--control", options->socket, "the path given to weir-control --socket")->capture_default_str();
  command->add_option("-o,--output", options->output, "table or json")->check(CLI::IsMember({"table", "json"}));
  command->callback([options, &exit_code] { exit_code = run(*options); });
}

}  // namespace weir
