// Breakglass allows: written and judged like any other, closed until somebody opens one of them for a while. In a model
// as it is compiled they stand aside (Model::breakglass); whatever says how much a policy could ever let leave takes
// all of them for open.
#pragma once
#include "control/model/model.hpp"

#include <string_view>

namespace weir::control {

// Those allows of `statements` aside.
Model closed(Model model);
// All of them among the statements: the most that the policy can come to.
Model all_open(Model model);
// The one of this name among the statements, and over at `until_s` (Unix); nullopt where there is none.
std::optional<Model> opened(Model model, std::string_view name, std::int64_t until_s);

// nullptr where no closed allow has the name.
const Statement* find_breakglass(const Model& model, std::string_view name);

}  // namespace weir::control
