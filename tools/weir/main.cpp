// The `weir` command: one file per subcommand, this one only chooses.
#include "tools/weir/commands.hpp"
#include "tools/weir/door.hpp"
#include "tools/weir/replay.hpp"

#include <fmt/format.h>
#include <CLI/CLI.hpp>
#include <memory>
#include <utility>

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

void add_replay(CLI::App& app, int& exit_code) {
  const auto options = std::make_shared<ReplayOptions>();
  CLI::App* command = app.add_subcommand("replay", "What a policy would have done with a capture");
  add_replay_options(*command, *options);
  command->callback([options, &exit_code] { exit_code = replay(*options); });
}

void add_help(CLI::App& app, int& exit_code) {
  const auto about = std::make_shared<std::string>();
  CLI::App* command = app.add_subcommand("help", "Print help, of one command if it is named");
  command->add_option("command", *about, "A command");
  command->callback([about, &app, &exit_code] {
    const CLI::App* named = about->empty() ? &app : nullptr;
    for (const CLI::App* one : std::as_const(app).get_subcommands([](const CLI::App*) { return true; }))
      if (one->get_name() == *about) named = one;
    if (named == nullptr) {
      fmt::print(stderr, "weir help: there is no command `{}`\n", *about);
      exit_code = exit_invalid;
      return;
    }
    fmt::print("{}", named->help());
    exit_code = exit_yes;
  });
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
  weir::add_dump(app, exit_code);
  weir::add_replay(app, exit_code);
  weir::add_schema(app, exit_code);
  weir::add_door(app, exit_code);
  weir::add_version(app, exit_code);
  weir::add_help(app, exit_code);
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& fault) {
    return app.exit(fault) == 0 ? weir::exit_yes : weir::exit_invalid;
  }
  return exit_code;
}
