// The guard's programs: in by XDP, or by tc where XDP is somebody else's, out by tc. They judge every frame by the
// policy that is in force, count it under its reason, and drop what is not allowed; no policy, an interface that
// nobody named, or a doubt is a drop. They live in the kernel, pinned, and need no process.
#include <linux/pkt_cls.h>

#include "dataplane/guard/link.bpf.h"

// Which slot of `policies` is in force, and 1; 0 is none.
struct {
  __uint(type, BPF_MAP_TYPE_ARRAY);
  __uint(max_entries, 1);
  __type(key, u32);
  __type(value, u32);
} in_force SEC(".maps");

struct {
  __uint(type, BPF_MAP_TYPE_HASH);
  __uint(max_entries, guard_slots_max);
  __type(key, u32);  // ifindex
  __type(value, struct guard_interface);
} interfaces SEC(".maps");

struct {
  __uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
  __uint(max_entries, guard_slots_max * 2 * guard_reasons_max);
  __type(key, u32);
  __type(value, struct guard_count);
} counts SEC(".maps");

part int mac_allowed(const struct guard_policy* policy, const struct guard_side* side, u64 mac) {
  const u32 count = side->macs_count;
  if (count == 0) return 1;
  for (u32 i = 0; i < guard_macs_max; ++i) {
    if (i >= count) break;
    if (entry_of(policy, side->macs, i, u64) == mac) return 1;
  }
  return 0;
}

part int is_closed(const struct guard_settings* own, const struct guard_interface* interface, u64 now_ns) {
  return interface->needs_beat && !own->last_policy && now_ns - own->beat_ns > own->silence_ns;
}

// One read of `in_force` a frame: whatever is decided about it, one policy decides.
part int judge_frame(struct seen* seen, const struct guard_interface* interface, u32 way, void* data, void* end,
                     u32 outer) {
  const u32 zero = 0;
  const u64 now_ns = bpf_ktime_get_boot_ns();
  const u32 slot = interface->slot & (guard_slots_max - 1);
  const struct guard_settings* own = bpf_map_lookup_elem(&settings, &zero);
  const volatile u32* number = bpf_map_lookup_elem(&in_force, &zero);
  if (!number || !own) return reason_no_policy;
  const u32 which = *number - 1;
  const struct guard_policy* policy = policy_in(which);
  if (!policy) return reason_no_policy;
  if (is_closed(own, interface, now_ns)) return reason_guard_silent;
  const int doubt = read_frame(seen, data, end, outer);
  if (doubt) return doubt;
  if (!mac_allowed(policy, side_of(policy, slot, way), seen->mac)) return reason_spoofed_mac;
  if (seen->kind == kind_flow || seen->kind == kind_error)
    return judge_flow(which, policy, own, seen, slot, way, now_ns);
  return judge_link(which, policy, seen, slot, way, now_ns);
}

part int passes(int reason) {
  return reason == reason_flow_new || reason == reason_flow_established || reason == reason_icmp_related ||
         reason == reason_link_arp || reason == reason_link_nd || reason == reason_link_ra ||
         reason == reason_link_dhcp;
}

// Whether the frame goes on.
part int judge_and_count(struct seen* seen, u32 ifindex, u32 way, void* data, void* end, u32 outer) {
  const struct guard_interface* interface = bpf_map_lookup_elem(&interfaces, &ifindex);
  const int reason = interface ? judge_frame(seen, interface, way, data, end, outer) : reason_port_unknown;
  const u32 slot = interface ? interface->slot & (guard_slots_max - 1) : 0;
  const u32 row = (slot * 2 + way) * guard_reasons_max + (reason & (guard_reasons_max - 1));
  struct guard_count* count = bpf_map_lookup_elem(&counts, &row);
  if (count) {
    count->packets += seen->packets;
    count->bytes += seen->bytes;
  }
  return passes(reason);
}

// A pointer that a context's 32-bit field stands for; hidden from the compiler, which would copy its lower half alone.
part void* pointer_of(u64 field) {
  asm volatile("" : "+r"(field));
  return (void*)field;
}

const volatile u32 has_fragments;  // the kernel hands over frames in several buffers, the first with the headers

SEC("xdp")
int guard_in_xdp(struct xdp_md* context) {
  void *data = pointer_of(context->data), *end = pointer_of(context->data_end);
  struct seen seen = {.bytes = has_fragments ? bpf_xdp_get_buff_len(context) : end - data, .packets = 1};
  return judge_and_count(&seen, context->ingress_ifindex, guard_in, data, end, 0) ? XDP_PASS : XDP_DROP;
}

enum { headers_bytes_max = 160 };

part int judge_buffer(struct __sk_buff* buffer, u32 way) {
  const u32 bytes = buffer->len;
  if ((u64)buffer->data + headers_bytes_max > buffer->data_end && buffer->data_end - buffer->data < bytes)
    bpf_skb_pull_data(buffer, bytes < headers_bytes_max ? bytes : headers_bytes_max);
  void *data = pointer_of(buffer->data), *end = pointer_of(buffer->data_end);
  struct seen seen = {.bytes = bytes, .packets = buffer->gso_segs > 1 ? buffer->gso_segs : 1};
  const u32 outer = buffer->vlan_present ? (buffer->vlan_tci & 0xfff) | 0x10000 : 0;
  // On the wire every segment has headers of its own; wire_len counts them where the kernel splits.
  if (way == guard_out && buffer->wire_len > seen.bytes) seen.bytes = buffer->wire_len;
  return judge_and_count(&seen, buffer->ifindex, way, data, end, outer) ? TC_ACT_UNSPEC : TC_ACT_SHOT;
}

SEC("tc")
int guard_in_tc(struct __sk_buff* buffer) { return judge_buffer(buffer, guard_in); }

SEC("tc")
int guard_out_tc(struct __sk_buff* buffer) { return judge_buffer(buffer, guard_out); }

char weir_license[] SEC("license") = "Apache-2.0";
