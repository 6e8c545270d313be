// The two lookups of a judgement that walk tables: address to atom, and packet to service. They trust the image: it
// has been verified. Addresses are host-order numbers here.
#pragma once
#include "dataplane/policy/policy.hpp"

namespace weir::image {

inline u128 ipv6_number(const Address& address) { return u128{swap(address.high)} << 64 | swap(address.low); }
inline u32 ipv4_number(const Address& address) { return swap(static_cast<u32>(address.low)); }

struct Trie {
  const u32* root;
  const TrieNode* nodes;
  const u32* leaves;
  u32 root_bits;
};
inline Trie ipv4_trie(const View& view) {
  return {view.ipv4_root.data(), view.ipv4_nodes.data(), view.ipv4_leaves.data(), view.ipv4_root_bits};
}
inline Trie ipv6_trie(const View& view) {
  return {view.ipv6_root.data(), view.ipv6_nodes.data(), view.ipv6_leaves.data(), view.ipv6_root_bits};
}

inline u32 bits_below(u64 word, u32 bit) {
  return static_cast<u32>(__builtin_popcountll(word & ((u64{1} << bit) - 1)));
}

inline u32 leaf_index(const TrieNode& node, u32 slot) {
  return node.leaf_base + static_cast<u32>(__builtin_popcountll(node.leaf_starts & (~u64{0} >> (63 - slot)))) - 1;
}

// `Number` is u32 for IPv4, u128 for IPv6. Root and strides divide the address exactly, so a sound image ends at a
// leaf; the count of levels ends the walk in any other.
template <class Number>
inline u32 atom_of(const Trie& trie, Number address) {
  constexpr u32 bits = sizeof(Number) * 8;
  const u32 entry = trie.root[static_cast<u32>(address >> (bits - trie.root_bits))];
  if (!(entry & node_flag)) return entry;
  u32 index = entry & ~node_flag;
  address = static_cast<Number>(address << trie.root_bits);
  for (u32 depth = trie.root_bits; depth < bits; depth += stride_bits) {
    const TrieNode& node = trie.nodes[index];
    const u32 slot = static_cast<u32>(address >> (bits - stride_bits));
    if (!(node.children >> slot & 1)) return trie.leaves[leaf_index(node, slot)];
    index = node.child_base + bits_below(node.children, slot);
    address = static_cast<Number>(address << stride_bits);
  }
  return 0;
}

// The family is the source's: a target outside the unicast range may look like the mark of IPv4 (key.hpp).
inline u32 atom_of(const View& view, const Address& address, bool is_ipv4) {
  return is_ipv4 ? atom_of<u32>(ipv4_trie(view), ipv4_number(address))
                 : atom_of<u128>(ipv6_trie(view), ipv6_number(address));
}

inline u16 service_of(const View& view, const Question& question, bool is_ipv4) {
  ServiceField field = ServiceField::protocol;
  u32 number = question.protocol;
  switch (question.protocol) {
    case 6:
      field = ServiceField::tcp;
      number = question.target_port;
      break;
    case 17:
      field = ServiceField::udp;
      number = question.target_port;
      break;
    case 132:
      field = ServiceField::sctp;
      number = question.target_port;
      break;
    case 1:
      if (!is_ipv4) break;
      field = ServiceField::icmp4;
      number = u32{question.icmp_type} << 8 | question.icmp_code;
      break;
    case 58:
      if (is_ipv4) break;
      field = ServiceField::icmp6;
      number = u32{question.icmp_type} << 8 | question.icmp_code;
      break;
    default: break;
  }
  const u32 page = view.service_pages[static_cast<u32>(field) * 256 + (number >> 8)];
  return view.service_atoms[page * service_page_entries + (number & 255)];
}

}  // namespace weir::image
