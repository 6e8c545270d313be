// Overlapping address sets to disjoint zones: one per distinct combination of sets that some address is in. For
// questions about a model (classes, lints, tests); the image's zones are control/compile's own.
#pragma once
#include "control/model/model.hpp"

#include <cstdint>
#include <optional>
#include <vector>

namespace weir::control {

struct Zone {
  std::vector<std::uint32_t> sets;       // indices of the sets that contain it, sorted; never empty
  std::optional<std::uint32_t> ipv4;     // its lowest address of each family, if it has one
  std::optional<Ipv6Number> ipv6;
};

struct Zones {
  std::vector<Zone> zones;
  std::vector<std::vector<std::uint32_t>> of_set;  // zones of each set, sorted
};

// Cost: n log n in the number of ranges, plus the sets that are open at each boundary.
Zones split(const std::vector<const AddressSet*>& sets);

}  // namespace weir::control
