// `weir shadow`: a policy that is asked beside the one in force, put there through weir-control; and how a shadow and
// what it disagrees about are shown, there and by `weir door`, `weir watch` and `weir replay`.
#pragma once
#include "dataplane/share/door.hpp"

#include <nlohmann/json.hpp>

#include <string>

namespace CLI {
class App;
}

namespace weir {

void add_shadow(CLI::App& app, int& exit_code);

// "`new`, generation 9, for 60 s: 12 questions; 1 would pass now, 2 would be denied now, 0 of them not told"
std::string shadow_text(const nlohmann::ordered_json& shadow);

// Of an event log's line about a disagreement: "would be denied now: trainers 10.1.0.4 > internet 1.2.3.4 tcp/443
// (live: allow.web, shadow: no_allow)".
std::string disagreement_text(const nlohmann::ordered_json& line);

}  // namespace weir
