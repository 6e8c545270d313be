// Which changes of policy one person must not make alone: those that let more of an asset leave, that touch what says
// who is who and what is worth keeping, or that take something away which holds traffic back. By the texts and by the
// compiled policies; where it is in doubt it says two.
#pragma once
#include "control/diff/show.hpp"
#include "control/publish/bundle.hpp"

#include <string>
#include <vector>

namespace weir::control {

// What of an asset's bound a change from `before` to `after` raises, computed with the assets of the one and of the
// other: a sentence each.
std::vector<std::string> raised_bounds(const Model& before, const Model& after, std::int64_t now_s);

// What of the texts a change touches or removes that needs two signatures: a sentence each.
std::vector<std::string> touched(const Bundle& before, const Bundle& after);

// Traffic that a forbid held back and that is let through now.
std::vector<std::string> forbids_undone(const Diff& diff, const Sides& sides);

}  // namespace weir::control
