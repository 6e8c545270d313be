// What weir-control tells of a running dataplane: /metrics, /v1/flows and /v1/events, and the event log. It is the one
// reader of the event rings while it runs, and changes nothing.
#pragma once
#include "control/serve/options.hpp"
#include "control/serve/server.hpp"

namespace weir::control {

// GET /metrics: Prometheus text.
// GET /v1/flows?filter=TEXT: {"generation", "not_shown", "flows": [...]}, of what matches.
// GET /v1/events?filter=TEXT: EVE lines as they happen, without an end.
void add_see_routes(Server& server, const ServeOptions& options);

}  // namespace weir::control
