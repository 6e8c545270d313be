// A build without the guard (no clang, no libbpf): the doctor cannot see what a guard does, and says so.
#include "tools/weir/doctor.hpp"

namespace weir {

void ask_guard(const std::string&, control::Machine& machine) {
  machine.guard_unseen = "this build of weir knows no guard";
}

std::optional<bool> dataplane_beats(const std::string&) { return std::nullopt; }

}  // namespace weir
