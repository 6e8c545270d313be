// Budgets and limits to the tables by which a packet finds them, and to what their keeper is told of them.
#pragma once
#include "control/compile/charge_sides.hpp"
#include "control/compile/write.hpp"

namespace weir::control {

// More cells than this are refused (E0615).
inline constexpr u64 charge_cells_max = u64{1} << 26;

// From sides whose numbers have all been given out. False when there would be too many cells.
bool put_charges(const Model& model, const ChargeSides& sides, Contents& contents);

// Budgets, windows, reserves, accounts, covers and limits. `file_of` gives the text of a span's file.
void put_budgets(const Model& model, const ChargeSides& sides, const std::vector<image::Text>& files,
                 Contents& contents);

// What the segments are, as sorted disjoint ranges, at most cover_ranges_max of them; `outside`: all else instead.
std::vector<image::Cover> cover_of(const Model& model, std::span<const u32> segments, bool outside);

}  // namespace weir::control
