// What the door tells to who looks: live flows, and the image of the policy in force, so that names need no file. It
// changes nothing.
#pragma once
#include "control/door/door.hpp"
#include "control/see/filter.hpp"
#include "control/see/names.hpp"
#include "dataplane/share/flow_rows.hpp"

#include <expected>
#include <memory>
#include <vector>

namespace weir::see {

struct Flows {
  u64 generation = 0;
  u64 not_shown = 0;
  std::vector<std::string> port_names;
  std::vector<door::FlowRow> rows;
};
std::expected<Flows, control::DoorFailure> ask_flows(control::Door& door);
// What stands in a file as dataplane/share/flow_rows.hpp has it.
std::expected<Flows, control::DoorFailure> read_flows(int file);
// The names of the policy in force, or of its shadow; an error also when there is none.
std::expected<std::unique_ptr<PolicyNames>, control::DoorFailure> ask_names(
    control::Door& door, const std::vector<std::string>& port_names, Names::Whose whose = Names::Whose::in_force);

// Those of the flows; null where another policy has come into force since, or none is.
std::unique_ptr<PolicyNames> names_of(control::Door& door, const Flows& flows);

Address source_of(const door::FlowRow& row);
Address target_of(const door::FlowRow& row);
// "established", "one_way", "open": by the flow's class.
std::string_view state_name(const door::FlowRow& row);
// `names` null: without names.
Facts facts_of(const door::FlowRow& row, const PolicyNames* names);

}  // namespace weir::see
