// The part of `weir dump` about what traffic may look like.
#pragma once
#include "dataplane/policy/policy.hpp"

#include <string>
#include <vector>

namespace weir {

std::vector<std::string> inspection_lines(const Policy& policy);
std::vector<std::string> look_lines(const Policy& policy);

}  // namespace weir
