// POLICY on the command line: a rule file, loaded, checked and compiled here and now, or a compiled image. Either way
// what comes out has been verified as the dataplane would.
#pragma once
#include "control/front/rules.hpp"

#include <expected>
#include <string>

namespace weir {

using control::PolicyFile;

// The error is text for stderr: a sentence, or the diagnostics of the rules.
std::expected<PolicyFile, std::string> open_policy(const std::string& path);

}  // namespace weir
