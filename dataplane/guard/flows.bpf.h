// Flows: what an allowed opening left behind, so that its replies pass. A bounded table in the order of a ring: a
// newcomer takes the place of a flow that is over, and where it finds none it is refused. TCP is followed by its flags,
// not by its numbers.
#pragma once
#include "dataplane/guard/judge.bpf.h"

struct {
  __uint(type, BPF_MAP_TYPE_HASH);
  __uint(max_entries, 65536);
  __uint(map_flags, BPF_F_NO_PREALLOC);
  __type(key, struct guard_key);
  __type(value, struct guard_flow);
} flows SEC(".maps");

struct {
  __uint(type, BPF_MAP_TYPE_ARRAY);
  __uint(max_entries, 65536);
  __type(key, u32);
  __type(value, struct guard_key);
} ring SEC(".maps");

struct {
  __uint(type, BPF_MAP_TYPE_ARRAY);
  __uint(max_entries, 1);
  __type(key, u32);
  __type(value, struct guard_settings);
} settings SEC(".maps");

struct {
  __uint(type, BPF_MAP_TYPE_ARRAY);
  __uint(max_entries, 1);
  __type(key, u32);
  __type(value, struct guard_running);
} running SEC(".maps");

enum { timeout_tcp_opening, timeout_tcp_established, timeout_tcp_half_closed, timeout_tcp_closed, timeout_tcp_reset,
       timeout_udp_one_way, timeout_udp_both_ways, timeout_icmp_query, timeout_sctp_any, timeout_ip_any };

part int source_is_lower(const struct seen* seen) {
  if (seen->source.high != seen->target.high) return seen->source.high < seen->target.high;
  if (seen->source.low != seen->target.low) return seen->source.low < seen->target.low;
  return seen->source_number <= seen->target_number;
}

part int make_key(struct guard_key* key, const struct seen* seen, u32 slot) {
  const int lower = source_is_lower(seen);
  key->a = lower ? seen->source : seen->target;
  key->b = lower ? seen->target : seen->source;
  key->a_number = lower ? seen->source_number : seen->target_number;
  key->b_number = lower ? seen->target_number : seen->source_number;
  key->scope = seen->flow_class | seen->vlans << 8;
  key->slot = slot;
  key->zero = 0;
  return lower;
}

part u32 timeout_of(const struct guard_flow* flow, u32 flow_class) {
  if (flow_class == class_tcp) {
    if (flow->state & guard_reset) return timeout_tcp_reset;
    const u32 done = flow->state & (guard_opener_done | guard_replier_done);
    if (done == (guard_opener_done | guard_replier_done)) return timeout_tcp_closed;
    if (done) return timeout_tcp_half_closed;
    return flow->state & guard_replied ? timeout_tcp_established : timeout_tcp_opening;
  }
  if (flow_class == class_udp) return flow->state & guard_replied ? timeout_udp_both_ways : timeout_udp_one_way;
  if (flow_class == class_icmp4 || flow_class == class_icmp6) return timeout_icmp_query;
  return flow_class == class_sctp ? timeout_sctp_any : timeout_ip_any;
}

part void touch(const struct guard_policy* policy, struct guard_flow* flow, u32 flow_class, u64 now_ns) {
  flow->deadline_ns = now_ns + policy->timeout_ms[timeout_of(flow, flow_class) & (guard_timeouts_max - 1)] * 1000000ull;
}

// A place in the ring whose flow is over; a few are tried.
part int take_place(const struct guard_settings* own, const struct guard_key* key, u64 now_ns) {
  const u32 zero = 0;
  struct guard_running* run = bpf_map_lookup_elem(&running, &zero);
  if (!run || own->flows_max == 0) return 0;
  for (int i = 0; i < 8; ++i) {
    const u32 at = __sync_fetch_and_add(&run->hand, 1) % own->flows_max;
    struct guard_key* place = bpf_map_lookup_elem(&ring, &at);
    if (!place) return 0;
    struct guard_flow* old = bpf_map_lookup_elem(&flows, place);
    if (old && now_ns < old->deadline_ns) continue;
    if (old) bpf_map_delete_elem(&flows, place);
    *place = *key;
    return 1;
  }
  return 0;
}

// How a flow's packet is asked about: as its opener's first.
part void ask(struct asked* asked, const struct guard_key* key, const struct guard_flow* flow, u8 protocol) {
  const u32 flow_class = key->scope & 7;
  const u16 number = bpf_ntohs(flow->opener_is_a ? key->b_number : key->a_number);
  asked->source = flow->opener_is_a ? key->a : key->b;
  asked->target = flow->opener_is_a ? key->b : key->a;
  asked->opener_way = flow->opener_way;
  asked->is_ipv4 = asked->source.high == ~0ull;
  asked->field = flow_class == class_tcp     ? field_tcp
                 : flow_class == class_udp   ? field_udp
                 : flow_class == class_sctp  ? field_sctp
                 : flow_class == class_icmp4 ? field_icmp4
                 : flow_class == class_icmp6 ? field_icmp6
                                             : field_protocol;
  asked->number = flow_class == class_icmp4 || flow_class == class_icmp6 ? number << 8
                  : flow_class == class_ip                               ? protocol
                                                                         : number;
}

part int open_flow(u32 which, const struct guard_policy* policy, const struct guard_settings* own,
                   const struct guard_key* key, int lower, const struct seen* seen, u32 way, u64 now_ns) {
  struct guard_flow flow = {.serial = policy->serial, .opener_is_a = lower, .opener_way = way,
                            .protocol = seen->protocol};
  struct asked asked = {};
  struct told told = {};
  if (seen->is_reply) return reason_icmp_no_request;
  if (seen->flow_class == class_tcp && (seen->tcp_flags & (tcp_syn | tcp_ack)) != tcp_syn) return reason_tcp_not_syn;
  ask(&asked, key, &flow, seen->protocol);
  judge(which, &asked, key->slot, now_ns / 1000 + policy->clock_us, &told);
  if (told.reason != reason_flow_new) return told.reason;
  if (seen->flow_class == class_tcp && seen->payload) return reason_tcp_syn_data;
  if (way == guard_out && told.charge) {
    const int spent = debit(which, told.charge, seen->bytes, seen->packets, now_ns);
    if (spent) return spent;
  }
  flow.charge = told.charge;
  flow.expires_us = told.expires_us;
  touch(policy, &flow, seen->flow_class, now_ns);
  if (!take_place(own, key, now_ns)) return reason_table_full;
  return bpf_map_update_elem(&flows, key, &flow, BPF_ANY) ? reason_table_full : reason_flow_new;
}

// A packet that policy has not seen since it changed, or whose allow has ended, is judged as its opening was.
part int judge_again(u32 which, const struct guard_policy* policy, const struct guard_key* key, struct guard_flow* flow,
                     u64 now_us) {
  if (flow->serial == policy->serial && now_us < flow->expires_us) return 0;
  struct asked asked = {};
  struct told told = {};
  ask(&asked, key, flow, flow->protocol);
  judge(which, &asked, key->slot, now_us, &told);
  if (told.reason != reason_flow_new) return reason_revoked;
  flow->charge = told.charge;
  flow->expires_us = told.expires_us;
  flow->serial = policy->serial;
  return 0;
}

part int follow_tcp(struct guard_flow* flow, u8 flags, int from_opener) {
  if (!(flow->state & guard_replied)) {
    if (from_opener && !(flags & (tcp_syn | tcp_rst))) return reason_tcp_state;
    if (!from_opener && (flags & (tcp_syn | tcp_ack)) != (tcp_syn | tcp_ack) && !(flags & tcp_rst))
      return reason_tcp_state;
  }
  if (flags & tcp_rst) flow->state |= guard_reset;
  if (flags & tcp_fin) flow->state |= from_opener ? guard_opener_done : guard_replier_done;
  return 0;
}

part int is_over(const struct guard_flow* flow, const struct seen* seen, int from_opener, u64 now_ns) {
  if (now_ns >= flow->deadline_ns) return 1;
  const u32 done = guard_opener_done | guard_replier_done;
  const int ended = (flow->state & guard_reset) || (flow->state & done) == done;
  return ended && seen->flow_class == class_tcp && (seen->tcp_flags & (tcp_syn | tcp_ack)) == tcp_syn;
}

part int judge_flow(u32 which, const struct guard_policy* policy, const struct guard_settings* own,
                    const struct seen* seen, u32 slot, u32 way, u64 now_ns) {
  struct guard_key key = {};
  const int lower = make_key(&key, seen, slot);
  struct guard_flow* flow = bpf_map_lookup_elem(&flows, &key);
  const int is_error = seen->kind == kind_error;
  // What an error quotes went the other way.
  const u32 quoted_way = is_error ? way ^ 1 : way;
  const int from_opener = flow && flow->opener_is_a == lower;
  if (flow && !is_error && is_over(flow, seen, from_opener, now_ns)) {
    bpf_map_delete_elem(&flows, &key);
    flow = 0;
  }
  if (!flow || now_ns >= flow->deadline_ns)
    return is_error ? reason_icmp_unmatched : open_flow(which, policy, own, &key, lower, seen, way, now_ns);
  if ((flow->opener_way == quoted_way) != from_opener) return is_error ? reason_icmp_unmatched : reason_wrong_side;
  const int revoked = judge_again(which, policy, &key, flow, now_ns / 1000 + policy->clock_us);
  if (revoked) {
    bpf_map_delete_elem(&flows, &key);
    return revoked;
  }
  if (!is_error && seen->flow_class == class_tcp) {
    const int reason = follow_tcp(flow, seen->tcp_flags, from_opener);
    if (reason) return reason;
  }
  if (way == guard_out && flow->charge) {
    const int spent = debit(which, flow->charge, seen->bytes, seen->packets, now_ns);
    if (spent) return spent;
  }
  if (is_error) return reason_icmp_related;
  if (!from_opener) flow->state |= guard_replied;
  touch(policy, flow, seen->flow_class, now_ns);
  return reason_flow_established;
}
