// A live flow as JSON: what `weir flows` and weir-control print. Names that are not known are left out.
#pragma once
#include "control/see/door_view.hpp"

#include <nlohmann/json.hpp>

namespace weir::see {

// `names` null: without names; else those that `facts` came from.
nlohmann::ordered_json flow_json(const door::FlowRow& row, const Facts& facts, const PolicyNames* names);

}  // namespace weir::see
