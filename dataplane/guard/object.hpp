// The guard's programs, compiled (guard.bpf.c) and laid into the binary that loads them: no file lies beside it.
#pragma once
#include <span>

namespace weir::guard {

std::span<const unsigned char> object();

}  // namespace weir::guard
