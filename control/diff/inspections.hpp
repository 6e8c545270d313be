// Inspections of two policies side by side: what each says in words, and which is which under another name.
#pragma once
#include "control/model/model.hpp"

#include <string>
#include <utility>
#include <vector>

namespace weir::control {

// Keys and values, always as many; a set of patterns that is no program's own has a digest of what it looks for.
std::vector<std::pair<std::string, std::string>> inspection_words(const Model& model, const Inspection& inspection);

// By inspection of `model`: its name in `other`, where that has it under another name and nothing else; else its own.
std::vector<std::string> inspection_names(const Model& model, const Model& other);

// By statement: the names of its inspections, sorted, and what it asks of each packet besides.
std::string inspections_of(const Model& model, const Statement& statement, const std::vector<std::string>& names);

}  // namespace weir::control
