// Whether each file holds only tables and keys of the language, each with a value of its type, each where it may
// stand, and what this version does not enforce (E01xx, E04xx for units). It looks up no name.
#pragma once
#include "control/check/keys.hpp"
#include "control/source/load.hpp"

namespace weir::control {

void check_shape(const Loaded& loaded, Purpose purpose, Diagnostics& out);

}  // namespace weir::control
