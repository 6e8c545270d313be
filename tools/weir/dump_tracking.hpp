// The lines of `weir dump` about [state], [flood], reserves and zones.
#pragma once
#include "dataplane/policy/policy.hpp"

#include <string>
#include <vector>

namespace weir {

// Every field with its value, also those that the policy does not state; ceilings that are not there are left out.
std::vector<std::string> tracking_lines(const Policy& policy);
// The zones of which something is known.
std::vector<std::string> zone_facts_lines(const Policy& policy);

}  // namespace weir
