// weir-control: the daemon between people and the dataplane. This file only puts its parts together; no packet waits
// for any of them.
#include "control/serve/options.hpp"
#include "control/serve/server.hpp"
#include "control/serve/status_routes.hpp"

#include <fmt/format.h>

#include <cstdio>
#include <exception>

namespace weir::control {
namespace {

constexpr int exit_failed = 1;

void say(std::string_view sentence) { fmt::print(stderr, "weir-control: {}\n", sentence); }

int run_program(int argc, char** argv) {
  const auto options = read_serve_options(argc, argv);
  if (!options) return options.error();
  Rights rights(options->read_group, options->change_group);
  for (const std::string& group : rights.unknown()) say(fmt::format("there is no group {}: it entitles nobody", group));
  auto server = Server::open(options->socket, std::move(rights));
  if (!server) {
    say(server.error());
    return exit_failed;
  }
  add_status_routes(**server, *options);
  say("serving " + options->socket);
  (*server)->run();
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
