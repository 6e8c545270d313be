// The command line of weir-control.
#pragma once
#include <chrono>
#include <cstdint>
#include <expected>
#include <string>

namespace weir::control {

struct ServeOptions {
  std::string socket = "/run/weir/control";
  std::string door = "/run/weir/door";      // of weir-dataplane
  std::string state = "/var/lib/weir/control";
  std::string stats;                        // file of the dataplane's counters and events; empty: none
  std::string read_group = "weir", change_group = "weir-admin";
};

// The error is the exit code: 0 after --help.
std::expected<ServeOptions, int> read_serve_options(int argc, char** argv);

}  // namespace weir::control
