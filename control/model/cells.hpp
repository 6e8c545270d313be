// Overlapping address sets to disjoint cells: one per distinct combination of sets that some address is in. For
// questions about a model (classes, lints, tests); the image's atoms and zones are control/compile's own.
#pragma once
#include "control/model/model.hpp"

#include <cstdint>
#include <optional>
#include <vector>

namespace weir::control {

struct Cell {
  std::vector<std::uint32_t> sets;       // indices of the sets that contain it, sorted; never empty
  std::optional<std::uint32_t> ipv4;     // one address of each family, if it has any
  std::optional<Ipv6Number> ipv6;
};

struct Cells {
  std::vector<Cell> cells;
  std::vector<std::vector<std::uint32_t>> of_set;  // cells of each set, sorted
};

// Cost: n log n in the number of ranges, plus the sets that are open at each boundary.
Cells split(const std::vector<const AddressSet*>& sets);

}  // namespace weir::control
