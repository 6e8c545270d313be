// What weir-control tells of a running dataplane: /metrics, /v1/flows and /v1/events, and the event log. It is the one
// reader of the event rings while it runs, and changes nothing.
#pragma once
#include "control/serve/event_pump.hpp"
#include "control/serve/server.hpp"

#include <nlohmann/json.hpp>

namespace weir::control {

// GET /metrics: Prometheus text.
// GET /v1/flows?filter=TEXT: {"generation", "not_shown", "flows": [...]}, of what matches.
// GET /v1/events?filter=TEXT: EVE lines as they happen, without an end.
// The pump takes events from here on, until the server ends; null where there is no stats file.
std::shared_ptr<EventPump> add_see_routes(Server& server, const ServeOptions& options);
// What /v1/status tells of the event log.
nlohmann::ordered_json events_json(const EventPump* pump);

}  // namespace weir::control
