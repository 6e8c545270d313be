#include "control/serve/status_routes.hpp"

#include "control/door/door.hpp"

#include <nlohmann/json.hpp>

namespace weir::control {
namespace {

using Json = nlohmann::ordered_json;

Json trial_json(const door::Answer& answer) {
  if (answer.awaited_generation == 0) return nullptr;
  Json made = {{"generation", answer.awaited_generation},
               {"fallback", answer.fallback_generation},
               {"left_s", static_cast<double>(answer.confirm_left_ms) / 1e3}};
  if (const std::string why = door_text(answer.fallback_sentence); !why.empty()) made["fallback_failed"] = why;
  return made;
}

Json dataplane_json(const std::string& path) {
  const auto request = door_request(door::Act::status);
  auto door = Door::reach(path);
  if (!door) return {{"reachable", false}, {"why", door.error().sentence}};
  const auto told = door->ask(*request);
  if (!told) return {{"reachable", false}, {"why", told.error().sentence}};
  const door::Answer& answer = told->answer;
  return {{"reachable", true},
          {"generation", answer.generation},
          {"policy", door_text(answer.policy_name)},
          {"uptime_s", answer.uptime_s},
          {"workers", answer.workers},
          {"trial", trial_json(answer)}};
}

}  // namespace

void add_status_routes(Server& server, const ServeOptions& options) {
  const auto status = [&server, path = options.door](const Call&) {
    const Json made = {{"dataplane", dataplane_json(path)}};
    return HttpAnswer{200, made.dump() + "\n"};
  };
  server.add({"GET", "/v1/status", Right::read, Where::quick, status});
}

}  // namespace weir::control
