// What rules ask of each packet, as the image has it: terms of DNS, ICMP payloads, scrubbing.
#pragma once
#include "control/compile/write.hpp"
#include "control/model/model.hpp"

#include <vector>

namespace weir::control {

// `files`: the text of a span's file, by its number.
void put_dns_terms(const Model& model, const std::vector<image::Text>& files, Contents& contents);
// Of an allow, into its look.
void add_covert(const CovertTerms& terms, image::Look& look);

}  // namespace weir::control
