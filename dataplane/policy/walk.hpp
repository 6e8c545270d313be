// Many addresses to their atoms in step, without branches on what is found, so that loads overlap and compilers can use
// vectors. A machine with 512-bit vectors and a vector bit count walks IPv4 with them, chosen at run time.
//
// Cost for IPv4: root, at most one node per 6 bits behind it, a leaf; all lanes' loads of one step side by side.
#pragma once
#include "dataplane/policy/lookup.hpp"

namespace weir::image {

inline constexpr u32 walk_lanes = 64;

template <class Number>
[[gnu::always_inline]] inline u32 slot_of(Number rest) {
  return static_cast<u32>(rest >> (sizeof(Number) * 8 - stride_bits));
}

// Addresses on their way to their atoms, all one level down at a time. A lane that has come to its leaf's node stays
// there; one that the root answers walks along from node 0 and is put right at the end.
template <class Number>
struct Walk {
  u32 count;
  Number rest[walk_lanes];  // the bits not yet used, from the top
  u32 node[walk_lanes];
  u32 entry[walk_lanes];    // of the root

  [[gnu::always_inline]] void start(const Trie& trie) {
    const u32* root = trie.root;
    const u32 root_bits = trie.root_bits;
    for (u32 i = 0; i < count; ++i) {
      const u32 found = root[static_cast<u32>(rest[i] >> (sizeof(Number) * 8 - root_bits))];
      entry[i] = found;
      rest[i] = static_cast<Number>(rest[i] << root_bits);
      node[i] = found & node_flag ? found & ~node_flag : 0;
    }
  }

  // False when none moved.
  [[gnu::always_inline]] bool descend(const Trie& trie) {
    const TrieNode* nodes = trie.nodes;
    u64 moved = 0;
    for (u32 i = 0; i < count; ++i) {
      const TrieNode& at = nodes[node[i]];
      const u64 children = up_to(at.children, slot_of(rest[i]));
      const u32 next = at.child_base + count_of(children) - 1;
      const Number shifted = static_cast<Number>(rest[i] << stride_bits);
      node[i] = own_bit(children) ? next : node[i];
      rest[i] = own_bit(children) ? shifted : rest[i];
      moved |= children;
    }
    return own_bit(moved);
  }

  [[gnu::always_inline]] void finish(const Trie& trie, u32* atoms) {
    const TrieNode* nodes = trie.nodes;
    const u32* leaves = trie.leaves;
    for (u32 i = 0; i < count; ++i) {
      const u32 leaf = leaf_index(nodes[node[i]], slot_of(rest[i]));
      const u32 atom = leaves[entry[i] & node_flag ? leaf : 0];
      atoms[i] = entry[i] & node_flag ? atom : entry[i];
    }
  }

  // A local copy of all that is written: the loops' vectors need to know that nothing else points to it.
  [[gnu::always_inline]] static void run(Trie trie, std::span<const Number> addresses, u32* atoms) {
    Walk walk;
    walk.count = static_cast<u32>(addresses.size());
    for (u32 i = 0; i < walk.count; ++i) walk.rest[i] = addresses[i];
    walk.find(trie, atoms);
  }

  [[gnu::always_inline]] void find(const Trie& trie, u32* atoms) {
    start(trie);
    if (trie.nodes == nullptr) {
      for (u32 i = 0; i < count; ++i) atoms[i] = entry[i];
      return;
    }
    for (u32 depth = trie.root_bits; depth + stride_bits < sizeof(Number) * 8; depth += stride_bits)
      if (!descend(trie)) break;
    finish(trie, atoms);
  }
};

// The atom of each of up to walk_lanes addresses.
void walk_ipv4_plain(const Trie& trie, std::span<const u32> addresses, u32* atoms);
// Only where machine_has_vectors_512().
void walk_ipv4_wide(const Trie& trie, std::span<const u32> addresses, u32* atoms);
void walk_ipv6_plain(const Trie& trie, std::span<const u128> addresses, u32* atoms);

}  // namespace weir::image
