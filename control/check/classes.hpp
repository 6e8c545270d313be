// Information flow (rule language, 1.5): an allow that lets bytes go from a higher class to a lower one, in either
// direction of the connection, is E0301; a segment without a class among segments that have one is E0302.
#pragma once
#include "control/check/resolve.hpp"
#include "control/model/diagnostic.hpp"

namespace weir::control {

void check_classes(const Resolved& resolved, Diagnostics& out);

}  // namespace weir::control
