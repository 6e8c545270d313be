// What is permitted and probably not meant (W…). Every lint is sound: what it says of the policy holds. It does not
// claim to find everything; set cover is computed where it is cheap and not at all elsewhere.
#pragma once
#include "control/check/resolve.hpp"
#include "control/model/cells.hpp"

#include <cstdint>

namespace weir::control {

void lint(const Resolved& resolved, const Cells& cells, std::int64_t now_s, Diagnostics& out);

// budget_lints.cpp: what budgets say that is legal and not what it looks like (W0412, W0413, W0415).
void lint_budgets(const Model& model, Diagnostics& out);
// rdma_lints.cpp: queue pairs and jobs that are stated and not opened, or that take more than they seem to (W0417 to
// W0423).
void lint_rdma(const Resolved& resolved, const Cells& cells, Diagnostics& out);
// Whether two allows ask for the same of what they open.
inline bool ask_alike(const Statement& a, const Statement& b) {
  return a.inspections == b.inspections && a.rdma.protocols == b.rdma.protocols && a.covert.dns == b.covert.dns &&
         a.covert.icmp_payload == b.covert.icmp_payload && a.covert.scrub == b.covert.scrub;
}
// inspect_lints.cpp: allows that take traffic out of an inspection (W0424).
void lint_inspections(const Resolved& resolved, const Cells& cells, Diagnostics& out);
// cover.cpp: allows that a forbid or another allow takes over whole (W0401 to W0403).
void lint_cover(const Resolved& resolved, const Cells& cells, Diagnostics& out);

}  // namespace weir::control
