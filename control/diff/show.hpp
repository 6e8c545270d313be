// A diff as text for people, as `weir diff` prints it and a history keeps it (docs/diff.md).
#pragma once
#include "control/diff/diff.hpp"

#include <array>
#include <string>
#include <vector>

namespace weir::control {

using Sides = std::array<PolicySide, 2>;  // old, new: those that the diff was made of

// `not_compared`: words that either policy uses and that a Model does not have.
std::string show_diff(const Diff& diff, const Sides& sides, const std::vector<std::string>& not_compared = {});

// "allowed until 2027-03-31, then denied", with what else is asked of the packets.
std::string show_fate(const Diff& diff, const std::vector<FatePiece>& fate);

}  // namespace weir::control
