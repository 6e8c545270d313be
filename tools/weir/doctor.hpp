// What `weir doctor` learns of the guard, where this build knows it.
#pragma once
#include "control/doctor/doctor.hpp"

namespace weir {

// Marks the interfaces that the guard has, and says why it cannot be asked.
void ask_guard(const std::string& pins, control::Machine& machine);
// Whether every worker of the dataplane goes on, by its stats segment; takes a third of a second.
std::optional<bool> dataplane_beats(const std::string& stats);

}  // namespace weir
