// Values in words, as rule files write them.
#pragma once
#include "control/check/reading.hpp"
#include "control/model/model.hpp"

#include <string>

namespace weir::control {

std::string spoken(const Frequency& frequency);      // "100/s, 100 at once", "none"

std::string spoken_day(std::int64_t until_s);        // the last day of what ends then: "2026-03-31"
std::string spoken_rate(std::uint64_t bits_per_s);   // "20 Mbit/s"

// The segment that another policy has in the place of this one: of its name, else with the same addresses, ports and
// networks; null when there is none.
const Segment* counterpart(const Segment& segment, const Model& other);

}  // namespace weir::control
