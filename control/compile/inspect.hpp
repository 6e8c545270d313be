// What a policy asks of payload to the tables by which the engine looks at it.
#pragma once
#include "control/compile/write.hpp"
#include "control/model/model.hpp"

#include <span>

namespace weir::control {

// `order`: statements by rule.
void put_looks(const Model& model, std::span<const u32> order, Contents& contents);

}  // namespace weir::control
