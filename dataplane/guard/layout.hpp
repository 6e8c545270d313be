// What the guard's programs in the kernel and their loader share: the shape of one compiled policy in a map, of flows,
// leases and counters. Read as C by the programs (clang, BPF) and as C++ by the loader: plain structures, no functions.
//
// Invariants: every offset counts bytes from the beginning of the policy's value, which is `room` (a power of two) and
// guard_pad bytes more; a program masks each offset to the room, so that no number in a policy leads outside.
#pragma once
#include <linux/types.h>

#ifdef __cplusplus
namespace weir::guard {
#endif

enum {
  guard_pad = 64,
  guard_slots_max = 32,  // interfaces
  guard_reasons_max = 256,
  guard_chain_max = 16,  // allows that expire one after the other and cover the same
  guard_accounts_max = 8,  // of one charge
  guard_leases_max = 2048,  // of one policy
  guard_macs_max = 16,  // pinned on one side of an interface
  guard_timeouts_max = 32,
  guard_link_kinds = 4,  // ARP, ND, RA, DHCP
};

enum guard_way { guard_in = 0, guard_out = 1 };  // from the wire to the kernel; from the kernel to the wire

// What an interface's frames are judged as coming from: its own machine, or the wire. Offsets of guard_place by atom.
struct guard_side {
  __u32 places;
  __u32 macs, macs_count;  // offset of 8-byte numbers, six bytes of the address from the lowest
  __u32 is_attached;  // a port that the policy names
};

struct guard_slot {
  struct guard_side side[2];  // by guard_way: whose frames go that way; so [guard_in] is the wire
};

// What one atom of the address space is, on one side of one interface.
struct guard_place {
  __u16 source_zone;  // guard_spoofed: may not come from here
  __u16 target_zone;
  __u16 source_charge, target_charge;
};
enum { guard_spoofed = 0xffff };

struct guard_trie {
  __u32 root, nodes, leaves, root_bits;
};

// The poptrie node of the image (dataplane/policy/image.hpp).
struct guard_trie_node {
  __u64 children, leaf_starts;
  __u32 child_base, leaf_base;
};

// What a connection gets until a time; then what `next` says. Number 0 is deny.
struct guard_node {
  __u64 until_us;  // Tick
  __u32 rule;
  __u16 next;
  __u8 reason;
  __u8 zero;
};

struct guard_charge {
  __u32 accounts, accounts_count;  // offset of numbers of leases
  __u32 limits_count;  // which the guard does not keep
};

struct guard_policy {
  __u64 generation;
  __u64 serial;  // of this installation: no two have the same
  __u64 clock_us;  // Tick is CLOCK_BOOTTIME in microseconds and this
  struct guard_trie ipv4, ipv6;
  __u32 service_pages, service_atoms;
  __u32 rows, cells, nodes;  // u32 by zones; u16 by row and service; guard_node
  __u32 targets_count, services_count;
  __u32 charge_services, charge_rows, charge_cells;  // u16 by service; u32 by source and target; u32 by row
  __u32 charges;  // guard_charge
  __u32 charge_targets_count, charge_columns;
  __u32 link;  // image::link_* bits
  __u64 link_byte_ns, link_ahead_ns;  // what a byte of each kind of [link] waits for, and how far ahead it may be
  __u32 timeout_ms[guard_timeouts_max];
  struct guard_slot slots[guard_slots_max];
};

struct guard_address {
  __u64 high, low;  // weir::Address
};

// Endpoints in order, as weir::FlowKey has them.
struct guard_key {
  struct guard_address a, b;
  __u16 a_number, b_number;  // wire order
  __u32 scope;  // class, and VLANs
  __u32 slot, zero;
};

enum guard_flow_state {
  guard_replied = 1,
  guard_opener_done = 2,
  guard_replier_done = 4,
  guard_reset = 8,
};

struct guard_flow {
  __u64 serial;  // of the policy that allowed it last
  __u64 deadline_ns;  // CLOCK_BOOTTIME; afterwards it is nobody's
  __u64 expires_us;  // Tick at which its allow ends
  __u32 charge;  // of what leaves through the interface, in that policy
  __u8 opener_is_a, opener_way, state, protocol;
};

// Bytes that may leave: what weir-guard has had recorded before.
struct guard_lease {
  __s64 left;
  __u64 until_ns;  // CLOCK_BOOTTIME
  __u64 spent;
  __u64 serial;  // of the policy that it was lent under: of no other
  __u32 surcharge;  // bytes a packet beside the frame
  __u32 zero;
};

enum { guard_word_max = 64, guard_name_max = 16 };
enum guard_hook { hook_none, hook_xdp, hook_xdp_generic, hook_tcx, hook_clsact };

struct guard_interface {
  __u32 slot;
  __u32 needs_beat;  // closed while the dataplane does not beat
  __u32 hooks[2];  // guard_hook by guard_way: where it was attached
  char name[guard_name_max];
  char words[2][guard_word_max];  // port or segment, by guard_way: of the wire, of this machine; may be empty
};

// Written by processes alone.
struct guard_settings {
  __u64 beat_ns;  // CLOCK_BOOTTIME of the last beat
  __u64 silence_ns;  // after which it counts as dead
  __u32 last_policy;  // dead: 1 goes on by the policy, 0 closes
  __u32 flows_max;
};

// Written by the programs alone.
struct guard_running {
  __u64 hand;  // over the ring of flows
  __u64 link_due_ns[guard_slots_max][2][guard_link_kinds];
};

struct guard_count {
  __u64 packets, bytes;
};

#ifdef __cplusplus
}  // namespace weir::guard
#endif
