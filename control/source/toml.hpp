// TOML text to a Node tree. The one place that knows toml11; its exceptions end here as diagnostics E0101, E0107,
// E0111 and E0113.
#pragma once
#include "control/model/diagnostic.hpp"
#include "control/source/sources.hpp"
#include "control/source/tree.hpp"

#include <optional>

namespace weir::control {

inline constexpr std::size_t rule_file_bytes_max = std::size_t{16} << 20;
inline constexpr std::size_t nesting_max = 32;

// The tree of file `file` of `sources`, or nullopt with at least one error added to `out`.
std::optional<Node> parse_toml(const Sources& sources, std::uint32_t file, Diagnostics& out);

}  // namespace weir::control
