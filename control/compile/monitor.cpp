// Forbids stay forbids: the image says when they begin to deny (Meta::monitor_until), and they come before every allow,
// so that what they would deny is told under their own name.
#include "control/compile/monitor.hpp"

#include "control/model/services.hpp"
#include "dataplane/packet/rdma.hpp"
#include "dataplane/policy/image.hpp"

#include <algorithm>

namespace weir::control {
namespace {

// The later end of the statement's own watching and of the policy's.
template <class Stated>
void watch_only(Stated& one, const Model& model) {
  const bool both_end = model.monitor_until_s && (!one.monitor || one.monitor_until_s);
  if (!both_end) one.monitor_until_s.reset();
  else one.monitor_until_s = std::max(*model.monitor_until_s, one.monitor_until_s.value_or(0));
  one.monitor = true;
}

// A queue pair that no handshake taught passes as well, while its source has not too many.
void open_rdma(Statement& statement) {
  statement.rdma.operations = rdma_operations_all;
  statement.rdma.first_use = image::first_use_max;
}

Statement pass_all(const Model& model) {
  Statement all;
  all.name = monitor_rule;
  all.span = model.mode_span;
  all.from_any = all.to_any = true;
  all.services = everything();
  all.log = Log::opened;
  all.expires_s = model.monitor_until_s;
  open_rdma(all);
  return all;
}

}  // namespace

Model monitored(Model model) {
  for (Statement& statement : model.statements)
    if (statement.is_forbid) {
      statement.log = Log::opened;
      open_rdma(statement);
    }
  model.statements.push_back(pass_all(model));
  for (auto& one : model.budgets) watch_only(one, model);
  for (auto& one : model.limits) watch_only(one, model);
  for (auto& one : model.inspections) watch_only(one, model);
  for (auto& one : model.dns_terms) watch_only(one, model);
  return model;
}

}  // namespace weir::control
