// What keeps the link alive: ARP, neighbour discovery, router advertisements, DHCP. Each passes only where [link] says
// so, claims nothing that its side may not claim, and opens no flow: as dataplane/pipeline/link_path.cpp, without a
// look at the options of neighbour discovery.
#pragma once
#include "dataplane/guard/flows.bpf.h"

enum { link_arp = 1, link_nd = 2, link_ra = 4, link_dhcp = 8 };

part int is_link_local(const struct guard_address* address) {
  return ((u32)address->high & bpf_htonl(0xffc00000)) == bpf_htonl(0xfe800000) && address->high != ~0ull;
}

part int may_claim(u32 which, const struct guard_policy* policy, u32 slot, u32 way,
                   const struct guard_address* address, u32 is_ipv4) {
  if (address->low == 0 && (address->high == 0 || is_ipv4)) return 1;
  if (!is_ipv4 && is_link_local(address)) return 1;
  const u32 atom = atom_of(which, address->high, address->low, is_ipv4);
  return place_of(policy, side_of(policy, slot, way), atom).source_zone != guard_spoofed;
}

// Where DHCP may go: to everybody on the link, or a host on it.
part int stays_on_link(const struct seen* seen) {
  if (seen->is_ipv4) return (u32)seen->target.low == ~0u;
  return is_link_local(&seen->target) ||
         (seen->target.high == 0x02ff && seen->target.low == bpf_cpu_to_be64(0x10002));
}

part int judge_dhcp(const struct guard_policy* policy, const struct seen* seen, u32 attached, int claims) {
  const u16 from = bpf_ntohs(seen->source_number), to = bpf_ntohs(seen->target_number);
  const int from_client = (from == 68 && to == 67) || (from == 546 && to == 547);
  const int from_server = (from == 67 && to == 68) || (from == 547 && to == 546);
  if (!(policy->link & link_dhcp)) return reason_link_dhcp_off;
  if (from_server && attached) return reason_spoofed;
  if (!from_client && !from_server) return reason_link_dhcp_bad;
  if ((from_client || !seen->is_ipv4) && !stays_on_link(seen)) return reason_link_dhcp_bad;
  return claims ? reason_link_dhcp : reason_spoofed;
}

part int judge_link_kind(u32 which, const struct guard_policy* policy, const struct seen* seen, u32 slot, u32 way) {
  const u32 attached = side_of(policy, slot, way)->is_attached;
  const int claims = may_claim(which, policy, slot, way, &seen->source, seen->is_ipv4);
  if (seen->kind == kind_arp)
    return !(policy->link & link_arp) ? reason_link_arp_off : claims ? reason_link_arp : reason_link_arp_spoofed;
  if (seen->kind == kind_nd) {
    if (!(policy->link & link_nd)) return reason_link_nd_off;
    if (seen->icmp_type == 136 && !may_claim(which, policy, slot, way, &seen->claimed, 0)) return reason_link_nd_bad;
    return claims ? reason_link_nd : reason_link_nd_bad;
  }
  if (seen->kind == kind_dhcp) return judge_dhcp(policy, seen, attached, claims);
  if (!(policy->link & link_ra)) return reason_link_ra_off;
  if (seen->icmp_type == 134 && attached) return reason_link_nd_bad;
  return claims ? reason_link_ra : reason_link_nd_bad;
}

// Half of a day's bytes at once and half as the day goes by.
part int link_affords(const struct guard_policy* policy, const struct seen* seen, u32 slot, u32 way, u64 now_ns) {
  const u32 zero = 0;
  struct guard_running* run = bpf_map_lookup_elem(&running, &zero);
  if (!run) return 0;
  const u32 kind = seen->kind == kind_arp ? 0 : seen->kind == kind_nd ? 1 : seen->kind == kind_ra ? 2 : 3;
  u64* due = &run->link_due_ns[slot & (guard_slots_max - 1)][way & 1][kind];
  const u64 cost = seen->bytes * policy->link_byte_ns;
  const u64 before = *due, from = before > now_ns ? before : now_ns;
  if (from - now_ns + cost > policy->link_ahead_ns) return 0;
  __sync_fetch_and_add(due, from - before + cost);
  return 1;
}

// Everything that leaves counts for budgets that take every service.
part int judge_link(u32 which, const struct guard_policy* policy, const struct seen* seen, u32 slot, u32 way,
                    u64 now_ns) {
  const int reason = judge_link_kind(which, policy, seen, slot, way);
  if (reason != reason_link_arp && reason != reason_link_nd && reason != reason_link_ra && reason != reason_link_dhcp)
    return reason;
  if (!link_affords(policy, seen, slot, way, now_ns)) return reason_link_spent;
  if (way == guard_out) {
    const u32 atom = atom_of(which, seen->source.high, seen->source.low, seen->is_ipv4);
    const struct guard_place place = place_of(policy, side_of(policy, slot, way), atom);
    const u32 charge = charge_of(policy, place.source_charge, 0, 0);
    const int spent = charge ? debit(which, charge, seen->bytes, seen->packets, now_ns) : 0;
    if (spent) return spent;
  }
  return reason;
}
