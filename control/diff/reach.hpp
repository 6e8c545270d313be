// Who may open what to whom under one policy: for each two segments the services that are allowed between some of their
// places, and between all of them. It is a diff from the policy that allows nothing.
#pragma once
#include "control/diff/diff.hpp"

namespace weir::control {

struct Reach {
  u32 from, to;  // of Model::segments
  std::string some;  // services in words, never empty
  std::string every;  // those of them that everybody in `from` may open to everybody in `to`; empty for none
};

// By `from`, then `to`; pairs with nothing between them are left out. The error is a sentence.
std::expected<std::vector<Reach>, std::string> reach_of(const Model& model, const Names& names, std::int64_t now_s);

}  // namespace weir::control
