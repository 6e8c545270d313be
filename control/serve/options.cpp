#include "control/serve/options.hpp"

#include "control/door/door.hpp"

#include <CLI/CLI.hpp>

namespace weir::control {

std::expected<ServeOptions, int> read_serve_options(int argc, char** argv) {
  ServeOptions options;
  CLI::App app{"Keeps Weir's policy: applies, takes back, remembers; tells what the dataplane does", "weir-control"};
  app.add_option("--socket", options.socket, "the UNIX socket that is served (HTTP and JSON)")->capture_default_str();
  app.add_option("--door", options.door, "the path given to weir-dataplane --door")->capture_default_str();
  app.add_option("--state", options.state, "folder of the history")->capture_default_str();
  app.add_option("--stats", options.stats, "the file given to weir-dataplane --stats");
  app.add_option("--events", options.events, "the event log, in EVE's shape");
  CLI::Option* const metrics = app.add_option(
      "--metrics", options.metrics, "ADDRESS:PORT where GET /metrics is answered over TCP, to whoever reaches it");
  app.add_flag("--metrics-beyond-loopback", options.metrics_beyond_loopback,
               "that address may be one that others reach")
      ->needs(metrics);
  CLI::Option* const rules = app.add_option("--rules", options.rules, "root rule file that is watched");
  app.add_option("--watch", options.watch, "what becomes of a change of it: apply, stage or off")
      ->needs(rules)
      ->check(CLI::IsMember({"apply", "stage", "off"}));
  std::string confirm;
  app.add_option("--watch-confirm", confirm,
                 "within which a watched change is confirmed, or gives way (5m); off: never")
      ->needs(rules);
  app.add_option("--settle-ms", options.settle_ms, "how long nothing moves before the rules are read")
      ->check(CLI::Range(10, 60'000))
      ->capture_default_str();
  app.add_option("--management", options.management,
                 "root rule file of what lockdown leaves open; without it: nothing");
  app.add_option("--require-signature", options.signature_keys, "a public key file of minisign (repeatable)")
      ->expected(1)
      ->take_all();
  app.add_option("--keep", options.keep, "entries of the history")
      ->check(CLI::Range(4, 100'000))
      ->capture_default_str();
  app.add_option("--read-group", options.read_group, "group, by name or number, that may ask")->capture_default_str();
  app.add_option("--change-group", options.change_group, "group, by name or number, that may change")
      ->capture_default_str();
  try {
    app.parse(argc, argv);
    if (confirm == "off") options.watch_confirm_ms = 0;
    else if (!confirm.empty()) {
      const auto within_ms = trial_ms(confirm);
      if (!within_ms) throw CLI::ValidationError("--watch-confirm", within_ms.error());
      options.watch_confirm_ms = *within_ms;
    }
  } catch (const CLI::ParseError& error) {
    return std::unexpected(app.exit(error) == 0 ? 0 : 2);
  }
  return options;
}

}  // namespace weir::control
