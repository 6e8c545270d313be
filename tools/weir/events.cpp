// `weir events`: the one reader of a dataplane's event rings where weir-control does not run. It writes what it takes
// into the log and, on stderr, what it could not; it ends at SIGINT and opens its file anew at SIGHUP.
#include "control/see/event_log.hpp"
#include "tools/weir/see.hpp"

#include <fmt/format.h>
#include <CLI/CLI.hpp>
#include <chrono>
#include <csignal>
#include <memory>
#include <optional>

namespace weir {
namespace {

constexpr double pause_s = 0.05, retry_s = 1;

volatile std::sig_atomic_t wants_reopen = 0;

struct EventsOptions {
  SeeOptions see;
  see::EventLogOptions log;
  u64 turn_over_mib = 64;
  bool once = false;
};

Tick now_us() {
  const auto now = std::chrono::system_clock::now().time_since_epoch();
  return static_cast<Tick>(std::chrono::duration_cast<std::chrono::microseconds>(now).count());
}

void say(const std::string& sentence) { fmt::print(stderr, "weir events: {}\n", sentence); }

// The stats file and the names for it: of one run of the dataplane.
struct Source {
  see::StatsFile stats;
  see::Names names;
};

std::optional<Source> open_source(const EventsOptions& options, std::string& last_fault) {
  auto stats = see::StatsFile::open(options.see.stats, see::StatsFile::Access::take);
  if (!stats) {
    if (stats.error().sentence != last_fault) say(last_fault = stats.error().sentence);
    return std::nullopt;
  }
  last_fault.clear();
  see::Names names(options.see.policies, stats->port_names());
  return Source{std::move(*stats), std::move(names)};
}

void tell(see::Names& names, const see::EventLog& log, std::string& last_fault) {
  for (const std::string& one : names.complaints()) say(one);
  if (log.fault() == last_fault) return;
  last_fault = log.fault();
  say(last_fault.empty() ? "the log takes lines again" : last_fault);
}

int once(const EventsOptions& options, see::EventLog& log) {
  auto stats = open_stats("events", options.see, see::StatsFile::Access::take);
  if (!stats) return stats.error();
  see::Names names(options.see.policies, stats->port_names());
  std::string fault;
  while (log.drain(*stats, names, now_us()) != 0) {
  }
  log.drain(*stats, names, now_us() + tick_second);  // what was not logged is told in the second after
  tell(names, log, fault);
  return log.fault().empty() ? exit_yes : exit_no;
}

int follow(const EventsOptions& options, see::EventLog& log) {
  std::string source_fault, log_fault;
  std::optional<Source> source;
  while (!is_stopped()) {
    if (!source && !(source = open_source(options, source_fault))) {
      pause_for(retry_s);
      continue;
    }
    if (std::exchange(wants_reopen, 0) != 0) log.reopen();
    const u64 taken = log.drain(source->stats, source->names, now_us());
    tell(source->names, log, log_fault);
    if (taken != 0) continue;
    if (source->stats.is_replaced()) source.reset();
    pause_for(pause_s);
  }
  if (source) log.drain(source->stats, source->names, now_us());
  return exit_yes;
}

int events(EventsOptions& options) {
  stop_on_signals();
  std::signal(SIGPIPE, SIG_IGN);
  struct sigaction act{};
  act.sa_handler = [](int) { wants_reopen = 1; };
  sigaction(SIGHUP, &act, nullptr);
  options.log.turn_over_bytes = options.turn_over_mib << 20;
  see::EventLog log(options.log);
  return options.once ? once(options, log) : follow(options, log);
}

}  // namespace

void add_events(CLI::App& app, int& exit_code) {
  const auto options = std::make_shared<EventsOptions>();
  CLI::App* command = app.add_subcommand("events", "Take a running dataplane's events and log them as EVE lines");
  add_stats(*command, options->see);
  command->add_option("--policy", options->see.policies, "Images, or folders of images, that names are taken from");
  command->add_option("--log", options->log.path, "The file; - is standard output")->required();
  command->add_option("--turn-over", options->turn_over_mib, "MiB of a file, before it becomes FILE.1; 0: never")
      ->check(CLI::Range(0, 1 << 20))
      ->capture_default_str();
  command->add_option("--keep", options->log.keep, "How many older files")
      ->check(CLI::Range(0, 1000))
      ->capture_default_str();
  command->add_option("--lines", options->log.lines_per_second, "At most so many a second; 0: no bound")
      ->capture_default_str();
  command->add_flag("--once", options->once, "What is there, and then end");
  command->callback([options, &exit_code] { exit_code = events(*options); });
}

}  // namespace weir
