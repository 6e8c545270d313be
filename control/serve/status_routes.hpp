// `GET /v1/status`: what the dataplane says of itself, and what this daemon knows.
#pragma once
#include "control/serve/options.hpp"
#include "control/serve/server.hpp"

namespace weir::control {

void add_status_routes(Server& server, const ServeOptions& options);

}  // namespace weir::control
