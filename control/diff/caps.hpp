// What two policies cap otherwise: budgets, limits, assets, invariants and what they count on; and how far each asset's
// bound has moved by all that differs.
#pragma once
#include "control/diff/diff.hpp"

namespace weir::control {

// By kind and name. A name is none of what a cap says: one that is renamed and nothing else differs in nothing.
std::vector<DiffSetting> caps_between(const Model& old_model, const Model& new_model);

// Every asset that either policy has, by name. Nothing is computed for a policy without assets.
std::vector<DiffBound> bounds_between(const Model& old_model, const Model& new_model, std::int64_t now_s);

}  // namespace weir::control
