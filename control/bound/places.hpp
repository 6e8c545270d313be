// Who can be told apart: the places of a policy, each a way in which an address counts as a source and as a target.
// Built from the same atoms and port classes as the image, so that a bound speaks of what is enforced.
#pragma once
#include "control/model/model.hpp"
#include "dataplane/base/bytes.hpp"

#include <vector>

namespace weir::control {

struct Site {
  std::vector<u32> as_source, as_target;  // segments, ascending, each for all that are like it; empty: in none
  bool sends = true;                      // false: whatever it sends is spoofed
  auto operator<=>(const Site&) const = default;
};

struct Places {
  std::vector<Site> all;                  // distinct; the first is in no segment
  std::vector<std::vector<u32>> together;  // places that the host behind one port may have at once
  std::vector<u32> networked;              // inside a tunnel's network
  std::vector<std::vector<u32>> of_segment;  // as source or target; ascending
};

Places find_places(const Model& model);

// Rule language, 1.5: the highest class as a source, the lowest as a target; a list without one is the worst of either.
Class class_as_source(const Model& model, const Site& place);
Class class_as_target(const Model& model, const Site& place);
bool has_classes(const Model& model);

bool meets(const std::vector<u32>& a, const std::vector<u32>& b);

}  // namespace weir::control
