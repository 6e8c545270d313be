// What a policy says about a connection's first packet, from the tables that the loader laid into a map: address to
// place, packet to service, both to a chain of decisions, and what its bytes are charged to. As weir::Policy::judge()
// and weir::Charges::of(), step by step.
#pragma once
#include "dataplane/guard/parse.bpf.h"

// Two slots, of which one is in force; each of `room` and guard_pad bytes.
struct {
  __uint(type, BPF_MAP_TYPE_ARRAY);
  __uint(max_entries, 2);
  __uint(key_size, sizeof(u32));
  __uint(value_size, sizeof(struct guard_policy));  // the loader makes it room and guard_pad bytes
  __uint(map_flags, BPF_F_MMAPABLE);
} policies SEC(".maps");

// Functions that are not static are verified once, by themselves, and not at every call. They cannot be lent a policy,
// only told in which slot it is.
part const struct guard_policy* policy_in(u32 which) { return bpf_map_lookup_elem(&policies, &which); }

const volatile u32 room_mask;  // the room of a policy, a power of two, less one; set before the programs are loaded

#define at_offset(policy, offset, type) ((const type*)((const void*)(policy) + ((u32)(offset) & room_mask)))
#define entry_of(policy, table, index, type) (*at_offset(policy, (table) + (u32)(index) * (u32)sizeof(type), type))

part u32 count_bits(u64 word) {
  word -= word >> 1 & 0x5555555555555555ull;
  word = (word & 0x3333333333333333ull) + (word >> 2 & 0x3333333333333333ull);
  word = (word + (word >> 4)) & 0x0f0f0f0f0f0f0f0full;
  return word * 0x0101010101010101ull >> 56;
}

enum { node_flag = 1u << 31, levels_max = 22, stride_bits = 6 };

// The atom of an address in wire order. High bits first: an IPv4 address stands in the top of `high`.
__noinline u32 atom_of(u32 which, u64 high, u64 low, u32 is_ipv4) {
  const struct guard_policy* policy = policy_in(which);
  if (!policy) return 0;
  const struct guard_trie* trie = is_ipv4 ? &policy->ipv4 : &policy->ipv6;
  const u32 root_bits = trie->root_bits & 31, nodes = trie->nodes, leaves = trie->leaves;
  if (is_ipv4) high = (u64)bpf_ntohl((u32)low) << 32, low = 0;
  else high = bpf_be64_to_cpu(high), low = bpf_be64_to_cpu(low);
  u32 entry = entry_of(policy, trie->root, high >> (64 - root_bits & 63), u32);
  if (!(entry & node_flag)) return entry;
  u32 index = entry & ~node_flag;
  high = high << root_bits | low >> (64 - root_bits & 63);
  low <<= root_bits;
  for (int level = 0; level < levels_max; ++level) {
    const struct guard_trie_node* node =
        at_offset(policy, nodes + index * (u32)sizeof(struct guard_trie_node), struct guard_trie_node);
    const u32 slot = high >> 58;
    const u64 up_to = ~0ull >> (63 - slot);
    const u64 children = node->children;
    if (!(children >> slot & 1)) {
      const u32 leaf = node->leaf_base + count_bits(node->leaf_starts & up_to) - 1;
      return entry_of(policy, leaves, leaf, u32);
    }
    index = node->child_base + count_bits(children & up_to) - 1;
    high = high << stride_bits | low >> 58;
    low <<= stride_bits;
  }
  return 0;
}

struct asked {  // a first packet, by who opens
  struct guard_address source, target;
  u32 opener_way;
  u16 number;  // of the service, within its field
  u8 field, is_ipv4;
};

enum { field_tcp, field_udp, field_sctp, field_icmp4, field_icmp6, field_protocol };

part u32 service_of(const struct guard_policy* policy, const struct asked* asked) {
  const u32 page = entry_of(policy, policy->service_pages, asked->field * 256 + (asked->number >> 8), u16);
  return entry_of(policy, policy->service_atoms, page * 256 + (asked->number & 255), u16);
}

struct told {
  u64 expires_us;
  u32 rule, charge;  // charge: of what leaves through the interface
  u32 reason;        // flow_new when allowed
};

part u32 charge_of(const struct guard_policy* policy, u32 source, u32 target, u32 column) {
  const u32 row = entry_of(policy, policy->charge_rows, source * policy->charge_targets_count + target, u32);
  return entry_of(policy, policy->charge_cells, row * policy->charge_columns + column, u32);
}

part const struct guard_side* side_of(const struct guard_policy* policy, u32 slot, u32 way) {
  return &policy->slots[slot & (guard_slots_max - 1)].side[way & 1];
}

part struct guard_place place_of(const struct guard_policy* policy, const struct guard_side* side, u32 atom) {
  return entry_of(policy, side->places, atom, struct guard_place);
}

// By a chain of allows that end, to one that has not.
part void decide(const struct guard_policy* policy, u32 cell, u64 now_us, struct told* told) {
  u32 index = cell;
  for (int link = 0; link < guard_chain_max; ++link) {
    const struct guard_node* node =
        at_offset(policy, policy->nodes + index * (u32)sizeof(struct guard_node), struct guard_node);
    if (now_us < node->until_us) {
      told->reason = node->reason;
      told->rule = node->rule;
      told->expires_us = node->until_us;
      return;
    }
    index = node->next;
  }
  told->reason = reason_expired;
}

// Fills `told`; a refusal says why. `slot`: of the interface.
__noinline int judge(u32 which, const struct asked* asked, u32 slot, u64 now_us, struct told* told) {
  const struct guard_policy* policy = policy_in(which);
  if (!policy || !asked || !told) return 0;
  const u32 way = asked->opener_way & 1;
  const u32 near = atom_of(which, asked->source.high, asked->source.low, asked->is_ipv4);
  const u32 far = atom_of(which, asked->target.high, asked->target.low, asked->is_ipv4);
  const struct guard_place from = place_of(policy, side_of(policy, slot, way), near);
  const struct guard_place to = place_of(policy, side_of(policy, slot, way ^ 1), far);
  told->rule = ~0u;
  if (from.source_zone == guard_spoofed) {
    told->reason = reason_spoofed;
    return 0;
  }
  const u32 service = service_of(policy, asked);
  const u32 row = entry_of(policy, policy->rows, from.source_zone * policy->targets_count + to.target_zone, u32);
  decide(policy, entry_of(policy, policy->cells, row * policy->services_count + service, u16), now_us, told);
  if (told->reason != reason_flow_new) return 0;
  const u32 column = entry_of(policy, policy->charge_services, service, u16);
  const u32 forward = charge_of(policy, from.source_charge, to.target_charge, column);
  const struct guard_charge* limits =
      at_offset(policy, policy->charges + forward * (u32)sizeof(struct guard_charge), struct guard_charge);
  if (limits->limits_count) told->reason = reason_guard_unenforced;
  told->charge = way == guard_out ? forward : charge_of(policy, to.source_charge, from.target_charge, column);
  return 0;
}

struct {
  __uint(type, BPF_MAP_TYPE_ARRAY);
  __uint(max_entries, 2 * guard_leases_max);  // of each slot of `policies` its own
  __uint(map_flags, BPF_F_MMAPABLE);
  __type(key, u32);
  __type(value, struct guard_lease);
} leases SEC(".maps");

// The lease of an account of the policy in a slot.
part struct guard_lease* lease_at(u32 which, const struct guard_policy* policy, u32 accounts, u32 index) {
  const u32 number = entry_of(policy, accounts, index, u32);
  const u32 at = which * guard_leases_max + number;
  return number < guard_leases_max ? bpf_map_lookup_elem(&leases, &at) : 0;
}

part void pay_back(u32 which, const struct guard_policy* policy, u32 accounts, u32 count, u32 bytes, u32 packets) {
  for (u32 i = 0; i < guard_accounts_max; ++i) {
    if (i >= count) return;
    struct guard_lease* lease = lease_at(which, policy, accounts, i);
    if (lease) __sync_fetch_and_add(&lease->left, (u64)bytes + (u64)lease->surcharge * packets);
  }
}

// Once all have paid: only what is sure is ever told to the ledger.
part void tell_spent(u32 which, const struct guard_policy* policy, u32 accounts, u32 count, u32 bytes, u32 packets) {
  for (u32 i = 0; i < guard_accounts_max; ++i) {
    if (i >= count) return;
    struct guard_lease* lease = lease_at(which, policy, accounts, i);
    if (lease) __sync_fetch_and_add(&lease->spent, (u64)bytes + (u64)lease->surcharge * packets);
  }
}

// From every lease that the bytes need, or from none.
__noinline int debit(u32 which, u32 charge, u32 bytes, u32 packets, u64 now_ns) {
  const struct guard_policy* policy = policy_in(which);
  if (!policy) return reason_no_policy;
  const struct guard_charge* one =
      at_offset(policy, policy->charges + charge * (u32)sizeof(struct guard_charge), struct guard_charge);
  const u32 accounts = one->accounts, count = one->accounts_count;
  if (count > guard_accounts_max) return reason_budget_closed;
  for (u32 i = 0; i < guard_accounts_max; ++i) {
    if (i >= count) break;
    struct guard_lease* lease = lease_at(which, policy, accounts, i);
    int reason = reason_budget_closed;
    if (lease && lease->serial == policy->serial && now_ns < lease->until_ns) {
      const u64 cost = (u64)bytes + (u64)lease->surcharge * packets;
      if (__sync_fetch_and_sub(&lease->left, cost) >= (__s64)cost) continue;
      __sync_fetch_and_add(&lease->left, cost);
      reason = reason_budget_spent;
    }
    pay_back(which, policy, accounts, i, bytes, packets);
    return reason;
  }
  tell_spent(which, policy, accounts, count, bytes, packets);
  return 0;
}
