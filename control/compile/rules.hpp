// The order in which rules stand in the image: forbids first, then allows, each from the most specific to the widest,
// ties by name. So the first rule that covers a packet decides it, and is the one that is named.
//
// Specific is: fewer (source address, target address) pairs, then fewer service points. An attached segment without
// addresses counts as more than any set of addresses, an omitted from or to as more than that.
#pragma once
#include "control/compile/atoms.hpp"
#include "control/compile/services.hpp"
#include "control/compile/zones.hpp"

namespace weir::control {

// Indices of model.statements by their place in the image.
std::vector<u32> order_rules(const Model& model, const Atoms& atoms, const Services& services);

// Rules by their bit in rule sets: those with neighbouring targets, then sources, share words, so that a packet's three
// sets meet in few words; within a word of 64 they ascend. Rules for every target have the words from first_wide on.
struct Bits {
  std::vector<u32> rules;       // places in `order`; whole words, no_rule behind the last of each part
  std::vector<u32> statements;  // model.statements, no_statement likewise
  u32 first_wide = 0;
};
Bits cluster_rules(const Model& model, std::span<const u32> order);

// How many addresses each segment has, with the counts above for those that have none of their own.
std::vector<u128> segment_sizes(const Model& model, const Atoms& atoms);

}  // namespace weir::control
