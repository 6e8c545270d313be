// Whether every connection fits on a flow's bill: its limits, and the purses that its bytes may draw on, both
// directions together, are at most charge_items_max. What does not fit would be dropped packet by packet
// (budget_crowded), so the compiler refuses it with the budgets and limits that meet.
#pragma once
#include "control/compile/atoms.hpp"
#include "control/compile/charge_sides.hpp"
#include "control/compile/compile.hpp"
#include "control/compile/write.hpp"
#include "control/compile/zones.hpp"

namespace weir::control {

// E0616 for the first connection, by numbers of charge sources and targets, that does not fit; E0615 where there are
// too many to look at. After put_charges() and put_budgets(). Exact: every refused connection has a source, a target
// and a service, allowed or not.
std::optional<CapacityError> find_crowd(const Model& model, const Atoms& atoms, const Zones& zones,
                                        const ChargeSides& sides, const Contents& contents);

}  // namespace weir::control
