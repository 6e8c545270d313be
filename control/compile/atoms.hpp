// The address space cut into atoms: addresses that lie in exactly the same segments and the same ports' pins are one
// atom, however many pieces it has. Atom 0 lies in none.
#pragma once
#include "control/model/model.hpp"
#include "dataplane/base/bytes.hpp"

#include <span>
#include <vector>

namespace weir::control {

// From `first` up to the next piece.
template <class Number>
struct Piece {
  Number first;
  u32 atom;
};

struct Atoms {
  std::vector<Piece<u32>> ipv4;   // ascending, the first at 0, neighbours differ
  std::vector<Piece<u128>> ipv6;
  std::vector<u64> starts{0};     // by atom, and one more, in `members`
  std::vector<u32> members;       // ascending: a segment's index, or the count of segments + a pin's index
  std::vector<u128> addresses;    // by atom: how many, at most 2^128 - 1

  u32 count() const { return static_cast<u32>(starts.size() - 1); }
  std::span<const u32> of(u32 atom) const { return {members.data() + starts[atom], starts[atom + 1] - starts[atom]}; }
};

// Cost: a sort of all range ends, then one step each.
Atoms split(const Model& model);

}  // namespace weir::control
