// Pieces of an address family to the longest-prefix structure of the image. Nodes come breadth first, so that a node's
// children are neighbours and come after it.
#pragma once
#include "control/compile/atoms.hpp"
#include "dataplane/policy/image.hpp"

namespace weir::control {

struct TrieTables {
  u32 root_bits;
  std::vector<u32> root;
  std::vector<image::TrieNode> nodes;
  std::vector<u32> leaves;
};

TrieTables build_trie(std::span<const Piece<u32>> pieces);
TrieTables build_trie(std::span<const Piece<u128>> pieces);

}  // namespace weir::control
