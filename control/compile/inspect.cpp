// One row a rule.
#include "control/compile/inspect.hpp"

namespace weir::control {

namespace {

image::Look look_of(const Statement& statement) {
  image::Look row{};
  if (!statement.is_forbid) row.protocols = statement.rdma.protocols;
  return row;
}

}  // namespace

void put_looks(const Model& model, std::span<const u32> order, Contents& contents) {
  for (const u32 index : order) contents.looks.push_back(look_of(model.statements[index]));
}

}  // namespace weir::control
