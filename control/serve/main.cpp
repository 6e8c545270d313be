// weir-control: the daemon between people and the dataplane. This file only puts its parts together; no packet waits
// for any of them.
#include "control/publish/files.hpp"
#include "control/publish/publisher.hpp"
#include "control/report/report.hpp"
#include "control/serve/listen.hpp"
#include "control/serve/options.hpp"
#include "control/serve/publish_routes.hpp"
#include "control/serve/quarantine_routes.hpp"
#include "control/serve/see_routes.hpp"
#include "control/serve/server.hpp"
#include "control/serve/watch.hpp"

#include <fmt/format.h>
#include <systemd/sd-daemon.h>

#include <algorithm>
#include <atomic>
#include <cstdio>
#include <ctime>
#include <exception>

namespace weir::control {
namespace {

constexpr int exit_failed = 1;
constexpr auto look_period = std::chrono::milliseconds(500);

void say(std::string_view sentence) { fmt::print(stderr, "weir-control: {}\n", sentence); }

// Read once, at the start: who may change what these say decides by starting the daemon.
std::expected<PublisherConfig, std::string> config_of(const ServeOptions& options) {
  PublisherConfig config{options.door, options.state, {}, std::nullopt, say};
  for (const std::string& path : options.signature_keys) {
    const auto text = read_file(path, 4096);
    const auto key = text ? read_public_key(*text) : std::unexpected(text.error());
    if (!key) return std::unexpected(fmt::format("{}: {}", path, key.error()));
    config.keys.push_back(*key);
  }
  if (options.management.empty()) return config;
  auto bundle = bundle_from_disk(options.management);
  if (!bundle) return std::unexpected(bundle.error());
  const Rules rules = read_rules(load(*bundle), std::time(nullptr), first_generation);
  if (!rules.ok()) return std::unexpected(human(rules.checked.diagnostics, rules.checked.sources, false));
  config.management = std::move(*bundle);
  return config;
}

int fail(const std::string& sentence) {
  say(sentence);
  return exit_failed;
}

// The history and the dataplane are compared twice a second, never twice at once.
void look_after(Server& server, Publisher& publisher) {
  const auto is_looking = std::make_shared<std::atomic<bool>>(false);
  server.every(look_period, [&server, &publisher, is_looking] {
    if (is_looking->exchange(true)) return;
    const bool is_given = server.give(Where::quick, [&publisher, is_looking] {
      publisher.look_after();
      *is_looking = false;
    });
    if (!is_given) *is_looking = false;
  });
}

// The service manager that started this process, where there is one, hears that it serves, and that its loop goes on.
void tell_supervisor(Server& server) {
  std::uint64_t patience_us = 0;
  if (sd_watchdog_enabled(0, &patience_us) > 0)
    server.every(std::chrono::milliseconds(std::max<std::uint64_t>(patience_us / 4000, 1)),
                 [] { sd_notify(0, "WATCHDOG=1"); });
  sd_notify(0, "READY=1");
}

std::expected<void, std::string> tell_metrics(Server& server, const ServeOptions& options) {
  if (options.metrics.empty()) return {};
  const auto listener = listen_tcp(options.metrics, options.metrics_beyond_loopback);
  if (!listener) return std::unexpected("metrics: " + listener.error());
  say("metrics at http://" + place_of(*listener) + "/metrics");
  server.tell_metrics_at(*listener);
  return {};
}

int run_program(int argc, char** argv) {
  const auto options = read_serve_options(argc, argv);
  if (!options) return options.error();
  Rights rights(options->read_group, options->change_group);
  for (const std::string& group : rights.unknown()) say(fmt::format("there is no group {}: it entitles nobody", group));
  auto config = config_of(*options);
  if (!config) return fail(config.error());
  auto history = History::open(options->state, options->keep);
  if (!history) return fail(history.error());
  for (const std::string& torn : history->problems()) say("HISTORY: " + torn);
  Publisher publisher(std::move(*config), std::move(*history));
  WatchReport report;
  std::optional<Watch> watch;
  auto server = Server::open(options->socket, std::move(rights));
  if (!server) return fail(server.error());
  publisher.look_after();
  if (const auto told = tell_metrics(**server, *options); !told) return fail(told.error());
  // The server's routes hold on to it: it ends with them.
  const std::weak_ptr<EventPump> pump = add_see_routes(**server, *options);
  add_quarantine_routes(**server, *options);
  add_publish_routes(**server, publisher, report, [pump] { return events_json(pump.lock().get()); });
  if (!options->rules.empty() && options->watch != "off") watch.emplace(**server, publisher, report, *options);
  look_after(**server, publisher);
  tell_supervisor(**server);
  say("serving " + options->socket);
  (*server)->run();
  server->reset();
  return 0;
}

}  // namespace
}  // namespace weir::control

int main(int argc, char** argv) try {
  return weir::control::run_program(argc, argv);
} catch (const std::exception& error) {
  weir::control::say(error.what());
  return weir::control::exit_failed;
}
