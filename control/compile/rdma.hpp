// RDMA and jobs to the tables by which the engine finds them.
#pragma once
#include "control/compile/write.hpp"
#include "control/model/model.hpp"

#include <span>

namespace weir::control {

// `order`: statements by rule. `files`: the text of a span's file, by its number.
void put_rdma(const Model& model, std::span<const u32> order, const std::vector<image::Text>& files,
              Contents& contents);

}  // namespace weir::control
