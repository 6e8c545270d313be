// What differs besides the verdicts on packets: who may claim which addresses, and settings with a key.
#pragma once
#include "control/diff/diff.hpp"

namespace weir::control {

// Ports where the same changes are told together.
std::vector<DiffClaim> claims_between(const JointSpace& space);

// By key. A segment's name is none of its settings: one that is renamed and nothing else differs in nothing.
std::vector<DiffSetting> settings_between(const JointSpace& space);

}  // namespace weir::control
