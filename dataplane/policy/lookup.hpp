// The two lookups of a judgement that walk tables: address to atom, and packet to service. They trust the image: it
// has been verified. Addresses are host-order numbers here.
#pragma once
#include "dataplane/policy/policy.hpp"

namespace weir::image {

inline u128 ipv6_number(const Address& address) { return u128{swap(address.high)} << 64 | swap(address.low); }
inline u32 ipv4_number(const Address& address) { return swap(static_cast<u32>(address.low)); }

struct Trie {
  const u32* root;
  const TrieNode* nodes;  // null when the root answers everything
  const u32* leaves;
  u32 root_bits;
};
inline Trie ipv4_trie(const View& view) {
  return {view.ipv4_root.data(), view.ipv4_nodes.empty() ? nullptr : view.ipv4_nodes.data(), view.ipv4_leaves.data(),
          view.ipv4_root_bits};
}
inline Trie ipv6_trie(const View& view) {
  return {view.ipv6_root.data(), view.ipv6_nodes.empty() ? nullptr : view.ipv6_nodes.data(), view.ipv6_leaves.data(),
          view.ipv6_root_bits};
}

// The bits of `word` up to and with `slot`, moved to the top: the highest says whether the slot's own bit is set, their
// count is its rank. One shift by a variable amount, of which old instruction sets have only a slow one.
[[gnu::always_inline]] inline u64 up_to(u64 word, u32 slot) { return word << (slot ^ 63); }
[[gnu::always_inline]] inline u32 count_of(u64 word) { return static_cast<u32>(__builtin_popcountll(word)); }
[[gnu::always_inline]] inline bool own_bit(u64 up_to_slot) { return static_cast<std::int64_t>(up_to_slot) < 0; }

// Of a slot that has a child.
inline u32 child_index(const TrieNode& node, u32 slot) {
  return node.child_base + count_of(up_to(node.children, slot)) - 1;
}
// Of a slot that has none.
[[gnu::always_inline]] inline u32 leaf_index(const TrieNode& node, u32 slot) {
  return node.leaf_base + count_of(up_to(node.leaf_starts, slot)) - 1;
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
  for (;;) {
    const TrieNode& node = trie.nodes[index];
    const u32 slot = static_cast<u32>(address >> (bits - stride_bits));
    const u64 children = up_to(node.children, slot);
    if (!own_bit(children)) return trie.leaves[leaf_index(node, slot)];
    index = node.child_base + count_of(children) - 1;
    address = static_cast<Number>(address << stride_bits);
  }
}

// The family is the source's: a target outside the unicast range may look like the mark of IPv4 (key.hpp).
inline u32 atom_of(const View& view, const Address& address, bool is_ipv4) {
  return is_ipv4 ? atom_of<u32>(ipv4_trie(view), ipv4_number(address))
                 : atom_of<u128>(ipv6_trie(view), ipv6_number(address));
}

// Where a protocol is looked up, by family: its table, and masks that pick one number of the packet without a branch.
// Protocol 1 is ICMP only in IPv4, 58 only in IPv6. RDMA stands behind the protocols.
struct ServiceRoute {
  u16 first_page, port_mask, icmp_mask, protocol_mask;
};
struct ServiceRoutes {
  ServiceRoute by_protocol[2][257];  // [is_ipv4][protocol, or route_of_rdma]
};
inline constexpr u32 route_of_rdma = 256;
constexpr ServiceRoutes service_routes() {
  const auto page = [](ServiceField field) { return static_cast<u16>(static_cast<u32>(field) * 256); };
  ServiceRoutes routes{};
  for (auto& family : routes.by_protocol) {
    for (ServiceRoute& route : family) route = {page(ServiceField::protocol), 0, 0, 0xffff};
    family[6] = {page(ServiceField::tcp), 0xffff, 0, 0};
    family[17] = {page(ServiceField::udp), 0xffff, 0, 0};
    family[132] = {page(ServiceField::sctp), 0xffff, 0, 0};
    family[route_of_rdma] = {page(ServiceField::rdma), 0xffff, 0, 0};
  }
  routes.by_protocol[1][1] = {page(ServiceField::icmp4), 0, 0xffff, 0};
  routes.by_protocol[0][58] = {page(ServiceField::icmp6), 0, 0xffff, 0};
  return routes;
}
inline constexpr ServiceRoutes routes_of_services = service_routes();

inline u16 service_of(const View& view, const Question& question, bool is_ipv4) {
  const u32 asked = question.is_rdma ? route_of_rdma : question.protocol;
  const ServiceRoute& route = routes_of_services.by_protocol[is_ipv4][asked];
  const u32 icmp = u32{question.icmp_type} << 8 | question.icmp_code;
  const u32 number =
      (question.target_port & route.port_mask) | (icmp & route.icmp_mask) | (question.protocol & route.protocol_mask);
  const u32 page = view.service_pages[route.first_page + (number >> 8)];
  return view.service_atoms[page * service_page_entries + (number & 255)];
}

}  // namespace weir::image
