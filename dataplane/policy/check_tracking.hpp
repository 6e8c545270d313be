// The part of verify() about [state], [flood], reserves and what is known of zones. Internal to dataplane/policy.
#pragma once
#include "dataplane/policy/image.hpp"

#include <string_view>

namespace weir::image {

// Each returns the sentence that says what does not hold, or an empty one.
std::string_view check_tracking(const View& view);
// The row of `tracking` and the jobs need not have been checked yet.
std::string_view check_zone_facts(std::span<const ZoneFacts> facts, u32 zones, u8 reject_max, const View& view);

}  // namespace weir::image
