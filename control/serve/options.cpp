#include "control/serve/options.hpp"

#include <CLI/CLI.hpp>

namespace weir::control {

std::expected<ServeOptions, int> read_serve_options(int argc, char** argv) {
  ServeOptions options;
  CLI::App app{"Keeps Weir's policy: applies, takes back, remembers; tells what the dataplane does", "weir-control"};
  app.add_option("--socket", options.socket, "the UNIX socket that is served (HTTP and JSON)")->capture_default_str();
  app.add_option("--door", options.door, "the path given to weir-dataplane --door")->capture_default_str();
  app.add_option("--state", options.state, "folder of the history")->capture_default_str();
  app.add_option("--stats", options.stats, "the file given to weir-dataplane --stats");
  app.add_option("--read-group", options.read_group, "group, by name or number, that may ask")->capture_default_str();
  app.add_option("--change-group", options.change_group, "group, by name or number, that may change")
      ->capture_default_str();
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    return std::unexpected(app.exit(error) == 0 ? 0 : 2);
  }
  return options;
}

}  // namespace weir::control
