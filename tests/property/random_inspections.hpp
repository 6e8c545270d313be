// Random inspections over a model: sets of patterns, what each inspection looks for and does, which allows ask for it.
#pragma once
#include "tests/property/random_model.hpp"

namespace weir::naive {

// To a model that has none. No two say the same, whatever the draw, so that none is another under a new name.
void add_inspections(Draw& draw, control::Model& model);

}  // namespace weir::naive
