// A value against the type of its key: kind, unit, choice (E0103, E0112, E04xx). It looks up no name.
#pragma once
#include "control/check/keys.hpp"
#include "control/model/diagnostic.hpp"
#include "control/source/sources.hpp"
#include "control/source/tree.hpp"

#include <string>

namespace weir::control {

void check_value(const KeyRow& row, const Entry& entry, const Sources& sources, Diagnostics& out);

// "[segment.trainers]", "[[allow]]", "[policy]": how a person writes the table.
std::string written(const TableRow& row, std::string_view name);

// A port's name: printable, without blanks, control characters, quotes and `*`; at most 63 bytes.
bool is_port_name(std::string_view text);

}  // namespace weir::control
