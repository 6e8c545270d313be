// `weir replay`: what a policy would have done with a capture. The same engine as the dataplane; time is the
// capture's. It changes no policy and sends nothing.
#pragma once
#include "dataplane/base/bytes.hpp"

#include <string>
#include <vector>

namespace CLI {
class App;
}

namespace weir {

struct ReplayOptions {
  std::string policy;                        // a rule file, or a compiled image
  std::string shadow;                        // another that is asked beside it, and not obeyed
  std::string inside, outside;               // one capture per port, merged by time
  std::string in;                            // or one for both
  std::vector<std::string> inside_prefixes;  // ... told apart by source address
  std::vector<std::string> names;            // inside=pf0hpf
  std::string write_directory;
  std::string annotated;                     // pcapng of every packet, the verdict as its comment
  std::string output = "table";              // or json, or jsonl: each decision
  std::string by = "reason";                 // or flow
  u32 flows = 1 << 20;                       // capacity of the flow table
  bool trust_checksums = false;              // transport checksums are taken as right
};

// Declares the options of the `replay` command.
void add_replay_options(CLI::App& command, ReplayOptions& options);

// The command; returns its exit code: 0, or 2 when the arguments, the policy or a capture do not hold.
int replay(const ReplayOptions& options);

}  // namespace weir
