// What the door says of pairs of hosts: a job's members and what alarms count, for people and as JSON.
#pragma once
#include "dataplane/share/door.hpp"

#include <nlohmann/json.hpp>

#include <span>
#include <string>

namespace weir {

nlohmann::ordered_json members_json(const std::string& job, const door::Answer& answer,
                                    std::span<const door::PairStatus> pairs);
void print_members(const std::string& job, const door::Answer& answer, std::span<const door::PairStatus> pairs);

nlohmann::ordered_json alarms_json(const door::Answer& answer, std::span<const door::PairStatus> pairs);
void print_alarms(const door::Answer& answer, std::span<const door::PairStatus> pairs);

}  // namespace weir
