// What a policy asks of payload to the tables by which the engine looks at it.
#pragma once
#include "control/compile/write.hpp"
#include "control/model/model.hpp"

#include <span>

namespace weir::control {

// `order`: statements by rule. `files`: the text of a span's file, by its number. `patterns`: the model's pattern sets
// as control/inspect compiles them; without them the image has their names alone, to be asked and not installed.
void put_inspections(const Model& model, std::span<const u32> order, const std::vector<image::Text>& files,
                     std::span<const std::byte> patterns, Contents& contents);

}  // namespace weir::control
