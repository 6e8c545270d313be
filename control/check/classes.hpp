// Information flow (rule language, 1.5): an allow that lets bytes go from a higher class to a lower one, in either
// direction of the connection, is E0301; a segment without a class among segments that have one is E0302.
#pragma once
#include "control/check/resolve.hpp"
#include "control/model/diagnostic.hpp"

namespace weir::control {

void check_classes(const Resolved& resolved, Diagnostics& out);
// Of the breakglass allows among the statements, as if they were open: what no budget bounds is E0304.
void check_breakglass(const Model& model, Diagnostics& out);

}  // namespace weir::control
