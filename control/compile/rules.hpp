// The order in which rules stand in the image: forbids first, then allows, each from the most specific to the widest,
// ties by name. So the first rule that covers a packet decides it, and is the one that is named.
//
// Specific is: fewer (source address, target address) pairs, then fewer service points. An attached segment without
// addresses counts as more than any set of addresses, an omitted from or to as more than that.
#pragma once
#include "control/compile/atoms.hpp"
#include "control/compile/services.hpp"

namespace weir::control {

// Indices of model.statements by their place in the image.
std::vector<u32> order_rules(const Model& model, const Atoms& atoms, const Services& services);

// How many addresses each segment has, with the counts above for those that have none of their own.
std::vector<u128> segment_sizes(const Model& model, const Atoms& atoms);

}  // namespace weir::control
