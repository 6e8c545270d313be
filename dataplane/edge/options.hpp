// The command line of weir-dataplane: its own options up to `--`, EAL's after it. It opens nothing.
#pragma once
#include "dataplane/base/limits.hpp"

#include <expected>
#include <map>
#include <string>
#include <vector>

namespace weir::edge {

struct PairOption {
  std::string inside, outside;  // DPDK device names
};

struct Options {
  std::string policy_path;     // empty: deny all until one comes through the door
  std::vector<PairOption> pairs;
  u32 workers = 1;
  u32 flows = 1u << 20;        // remembered by all workers together
  u32 inspect_flows = 1u << 16, inspect_reading = 1u << 12;  // of each worker: InspectorSize
  u32 inspect_rate = 500;  // megabytes a second, of each worker
  std::string door_path, decisions_path, stats_path;  // empty: none
  std::string ledger_path, ledger_key_path, ledger_anchor_path;  // empty: no ledger, and budgets are closed; no anchor
  std::string keep_path;  // a folder: what is kept for the next run; empty: nothing is
  std::map<std::string, std::string> names;           // device name to the name that `attach` knows
  std::string evidence_path, evidence_whole;  // a folder, or none; why packets are kept whole, or empty
  u32 evidence_mib = 64;  // at most, of one run
  std::map<std::string, std::string> job_keys;        // job to the file of its key
  bool strict_ports = false;
  bool trust_checksums = false;  // of capture files: taken where the network card finishes them
  std::string user;              // NAME or NAME:GROUP that it becomes once its ports are up; empty: nobody else
  bool sleep = false;            // workers sleep while nothing comes; live ports only
  bool no_seccomp = false;       // no system call is forbidden
  std::vector<std::string> eal;  // EAL's arguments, program name first

  const std::string& name_of(const std::string& device) const;
};

// The options, or the exit code after help (0) or a usage error (2) has been printed.
std::expected<Options, int> read_options(int argc, char** argv);

}  // namespace weir::edge
