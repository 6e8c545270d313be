// The part of verification that is about budgets, limits and what leads to them.
#pragma once
#include "dataplane/policy/image.hpp"

#include <string_view>

namespace weir::image {

// The sentence that says what does not hold, or an empty one; nothing for sections of other parts. What section `meta`
// says has been checked.
std::string_view check_charges(const View& view, Section section);
// That every zone's number leads to something.
std::string_view check_zone_charges(const View& view, Section section);

}  // namespace weir::image
