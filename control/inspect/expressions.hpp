// Patterns as expressions in Hyperscan's syntax, and whether it takes them. Nothing is compiled here.
#pragma once
#include "control/model/patterns.hpp"

#include <optional>
#include <string>
#include <vector>

namespace weir::control {

// The expressions that a pattern is found by.
std::vector<std::string> expressions_of(const Pattern& pattern);
// Of all of them, as Hyperscan numbers its flags.
unsigned flags_of(const Pattern& pattern);

// What Hyperscan says against it; nothing when it can be looked for. Some expressions turn out too large only when they
// are compiled.
std::optional<std::string> expression_fault(const Pattern& pattern);

}  // namespace weir::control
