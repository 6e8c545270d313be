// Names: their grammar, and the one that was probably meant.
#pragma once
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace weir::control {

// ^[a-z][a-z0-9-]{0,62}$
bool is_name(std::string_view text);
// A name as close to `text` as the grammar allows, for help; "" when nothing is left of it.
std::string name_like(std::string_view text);

// The known word nearest to `wanted` by edits (insert, delete, replace, swap), or "" when none is near: at most a
// third of its length, and at least one edit.
std::string nearest(std::string_view wanted, std::span<const std::string_view> known);

// "a, b and 3 more"; `most` words are named.
std::string listing(std::span<const std::string_view> words, std::size_t most);

}  // namespace weir::control
