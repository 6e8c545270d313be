// The part of verification that is about RDMA and jobs. Internal to dataplane/policy.
#pragma once
#include "dataplane/policy/image.hpp"

#include <string_view>

namespace weir::image {

// The sentence that says what does not hold, or an empty one; nothing for sections of other parts.
std::string_view check_rdma(const View& view, Section section);

}  // namespace weir::image
