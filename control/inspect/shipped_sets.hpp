// The signature sets of rules/signatures, as text within the program: what `signatures` may name without a path.
#pragma once
#include <span>
#include <string_view>

namespace weir::control {

struct ShippedSet {
  std::string_view name, text;
};

// By name.
std::span<const ShippedSet> shipped_sets();

}  // namespace weir::control
