// The command line of weir-control.
#pragma once
#include <cstdint>
#include <expected>
#include <string>
#include <vector>

namespace weir::control {

struct ServeOptions {
  std::string socket = "/run/weir/control";
  std::string door = "/run/weir/door";      // of weir-dataplane
  std::string state = "/var/lib/weir/control";
  std::string stats;                        // file of the dataplane's counters and events; empty: none
  std::string events;                       // the event log; empty: none
  std::string metrics;                      // address and port of TCP; empty: none
  bool metrics_beyond_loopback = false;
  std::string rules;                        // root rule file that is watched; empty: none
  std::string watch = "apply";              // or "stage"
  std::uint32_t settle_ms = 500;
  std::uint32_t watch_confirm_ms = 300'000; // of what the watcher applies; 0: for good
  std::string management;                   // root rule file of what lockdown leaves open
  std::vector<std::string> signature_keys;  // minisign's public keys; some: changes are signed
  std::uint32_t keep = 200;                 // entries of the history
  std::string read_group = "weir", change_group = "weir-admin";
};

// The error is the exit code: 0 after --help.
std::expected<ServeOptions, int> read_serve_options(int argc, char** argv);

}  // namespace weir::control
