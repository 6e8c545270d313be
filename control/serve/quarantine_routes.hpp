// What weir-control serves about quarantine: who is in it, and putting hosts and flows there or letting them go by the
// dataplane's door. Who did what stands in STATE/quarantine.log, a line of JSON for each act, before it is done.
#pragma once
#include "control/serve/options.hpp"
#include "control/serve/server.hpp"

namespace weir::control {

void add_quarantine_routes(Server& server, const ServeOptions& options);

}  // namespace weir::control
