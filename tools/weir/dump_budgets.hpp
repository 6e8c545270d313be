// Budgets, limits and charges of an image as lines, for `weir dump`.
#pragma once
#include "dataplane/policy/policy.hpp"

#include <string>
#include <vector>

namespace weir {

std::vector<std::string> budget_lines(const Policy& policy);
std::vector<std::string> limit_lines(const Policy& policy);
// What each source is charged toward each target, by charge service.
std::vector<std::string> charge_lines(const Policy& policy);

}  // namespace weir
