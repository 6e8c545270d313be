// The part of verification that is about what traffic may look like. Internal to dataplane/policy.
#pragma once
#include "dataplane/policy/image.hpp"

#include <string_view>

namespace weir::image {

// The sentence that says what does not hold, or an empty one; nothing for sections of other parts.
std::string_view check_inspect(View& view, Section section);

}  // namespace weir::image
