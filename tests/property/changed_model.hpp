// A policy and what may have become of it: a few random edits, or another policy altogether.
#pragma once
#include "tests/property/random_model.hpp"

namespace weir::naive {

control::Model changed(Draw& draw, const control::Model& before);

// Some segments without `attach` are bound to networks. The naive twin knows no networks.
void bind_to_networks(Draw& draw, control::Model& model);

}  // namespace weir::naive
