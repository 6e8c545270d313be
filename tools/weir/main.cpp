// The `weir` command: one file per subcommand, this one only chooses.
#include "control/check/names.hpp"
#include "control/report/report.hpp"
#include "tools/weir/budgets.hpp"
#include "tools/weir/commands.hpp"
#include "tools/weir/completion.hpp"
#include "tools/weir/door.hpp"
#include "tools/weir/publish.hpp"
#include "tools/weir/replay.hpp"
#include "tools/weir/shadow.hpp"

#include <fmt/format.h>
#include <CLI/CLI.hpp>
#include <cstdio>
#include <exception>
#include <memory>
#include <string_view>
#include <vector>

namespace weir {
namespace {

void add_version(CLI::App& app, int& exit_code) {
  app.add_subcommand("version", "Print the version")->callback([&exit_code] {
    fmt::print("weir {}\n", version_text);
    exit_code = exit_yes;
  });
}

void add_door(CLI::App& app, int& exit_code) {
  const auto options = std::make_shared<DoorOptions>();
  CLI::App* command = app.add_subcommand("door", "Speak to a running dataplane: install, status, flush");
  add_door_options(*command, *options);
  command->callback([options, &exit_code] { exit_code = door_command(*options); });
}

void add_job(CLI::App& app, int& exit_code) {
  const auto options = std::make_shared<DoorOptions>();
  CLI::App* command = app.add_subcommand("job", "Seal or open a training job of a running dataplane");
  add_job_options(*command, *options);
  command->callback([options, &exit_code] { exit_code = door_command(*options); });
}

void add_quarantine(CLI::App& app, int& exit_code) {
  const auto options = std::make_shared<DoorOptions>();
  CLI::App* command =
      app.add_subcommand("quarantine", "Ports, hosts and flows that are cut off, by hand or by an inspection");
  add_quarantine_options(*command, *options);
  command->callback([options, &exit_code] {
    const bool is_of_port =
        options->act == DoorOptions::Act::cut_port || options->act == DoorOptions::Act::release_port;
    exit_code = is_of_port ? door_command(*options) : quarantine_command(*options);
  });
}

void add_replay(CLI::App& app, int& exit_code) {
  const auto options = std::make_shared<ReplayOptions>();
  CLI::App* command =
      app.add_subcommand("replay", "What a policy would have done with a capture; budgets begin with nothing spent");
  add_replay_options(*command, *options);
  command->callback([options, &exit_code] { exit_code = replay(*options); });
}

std::vector<const CLI::App*> commands(const CLI::App& app) {
  return app.get_subcommands([](const CLI::App*) { return true; });
}

const CLI::App* command_named(const CLI::App& app, std::string_view name) {
  for (const CLI::App* one : commands(app))
    if (one->get_name() == name) return one;
  return nullptr;
}

int no_command(const CLI::App& app, std::string_view name) {
  std::vector<std::string_view> known;
  for (const CLI::App* one : commands(app)) known.push_back(one->get_name());
  const std::string meant = control::nearest(name, known);
  fmt::print(stderr, "weir: there is no command `{}`{}\n", control::harmless(name),
             meant.empty() ? "; `weir help` lists them" : fmt::format("; did you mean `{}`?", meant));
  return exit_invalid;
}

void add_help(CLI::App& app, int& exit_code) {
  const auto about = std::make_shared<std::string>();
  CLI::App* command = app.add_subcommand("help", "Print help, of one command if it is named");
  command->add_option("command", *about, "A command");
  command->callback([about, &app, &exit_code] {
    const CLI::App* const named = about->empty() ? &app : command_named(app, *about);
    if (named == nullptr) {
      exit_code = no_command(app, *about);
      return;
    }
    // Not help(), which would print that of the command being run: this one.
    const std::string name = about->empty() ? "weir" : "weir " + *about;
    fmt::print("{}", named->get_formatter()->make_help(named, name, CLI::AppFormatMode::Normal));
    exit_code = exit_yes;
  });
}

// A result that could not be written was not given.
int flushed(int exit_code) {
  if (std::fflush(stdout) == 0 && std::ferror(stdout) == 0) return exit_code;
  fmt::print(stderr, "weir: the result could not be written\n");
  return exit_invalid;
}

}  // namespace
}  // namespace weir

int main(int argc, char** argv) {
  CLI::App app{"Weir: a firewall for the DPU in front of an AI cluster", "weir"};
  app.require_subcommand(1);
  int exit_code = weir::exit_invalid;
  weir::add_check(app, exit_code);
  weir::add_compile(app, exit_code);
  weir::add_test(app, exit_code);
  weir::add_explain(app, exit_code);
  weir::add_diff(app, exit_code);
  weir::add_bound(app, exit_code);
  weir::add_dump(app, exit_code);
  weir::add_replay(app, exit_code);
  weir::add_thief(app, exit_code);
  weir::add_report(app, exit_code);
  weir::add_recommend(app, exit_code);
  weir::add_fmt(app, exit_code);
  weir::add_schema(app, exit_code);
  weir::add_budgets(app, exit_code);
  weir::add_health(app, exit_code);
  weir::add_top(app, exit_code);
  weir::add_watch(app, exit_code);
  weir::add_flows(app, exit_code);
  weir::add_capture(app, exit_code);
  weir::add_trace(app, exit_code);
  weir::add_counters(app, exit_code);
  weir::add_hits(app, exit_code);
  weir::add_drops(app, exit_code);
  weir::add_events(app, exit_code);
  weir::add_metrics(app, exit_code);
  weir::add_doctor(app, exit_code);
  weir::add_door(app, exit_code);
  weir::add_job(app, exit_code);
  weir::add_quarantine(app, exit_code);
  weir::add_publish_commands(app, exit_code);
  weir::add_shadow(app, exit_code);
  weir::add_breakglass(app, exit_code);
  weir::add_completion(app, exit_code);
  weir::add_version(app, exit_code);
  weir::add_help(app, exit_code);
  app.set_version_flag("--version", fmt::format("weir {}", weir::version_text));
  if (argc > 1 && argv[1][0] != '-' && weir::command_named(app, argv[1]) == nullptr)
    return weir::no_command(app, argv[1]);
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& fault) {
    return weir::flushed(app.exit(fault) == 0 ? weir::exit_yes : weir::exit_invalid);
  } catch (const std::exception& fault) {
    fmt::print(stderr, "weir: {}\n", weir::control::harmless(fault.what()));
    return weir::exit_invalid;
  }
  return weir::flushed(exit_code);
}
