// Amounts and times as people read them: bytes rounded up, times rounded down, so that no rounding promises more than
// was proven.
#pragma once
#include "control/bound/solve.hpp"

#include <string>

namespace weir::control {

std::string show_bytes(Bytes bytes);      // "214.6 GB", "1.17 TB", "unlimited"
std::string show_time(u64 seconds);       // "7 d 2 h"
std::string show_time(const Shortest& time);  // "never", "> 100 years", "0 s"

}  // namespace weir::control
