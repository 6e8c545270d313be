// POLICY on the command line: a rule file, loaded, checked and compiled here and now, or a compiled image. Either way
// what comes out has been verified as the dataplane would.
#pragma once
#include "dataplane/policy/policy.hpp"

#include <expected>
#include <memory>
#include <string>

namespace weir {

struct PolicyFile {
  std::unique_ptr<std::byte, void (*)(void*)> image;  // what `policy` reads
  Policy policy;
  std::string rule_directory;                         // "" or "dir/": goes before the rule files' names when shown
};

// The error is text for stderr: a sentence, or the diagnostics of the rules.
std::expected<PolicyFile, std::string> open_policy(const std::string& path);

}  // namespace weir
