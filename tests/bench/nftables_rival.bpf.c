// The two ends of the kernel's path in bench_nftables: what writes each injected frame before the stack sees it, and
// what takes it off the device that the stack routed it to, so that no device's own cost is counted.
#include <linux/bpf.h>
#include <linux/pkt_cls.h>
#include <bpf/bpf_helpers.h>

#include "tests/bench/tcp_frames.h"

struct weir_injection injection;

SEC("xdp")
int weir_inject(struct xdp_md* context) {
  unsigned char* data = (unsigned char*)(long)context->data;
  if (data + weir_frame_bytes > (unsigned char*)(long)context->data_end) return XDP_ABORTED;
  weir_write_frame(data, weir_next_flow(&injection.order), injection.phase);
  return (int)injection.verdict;
}

SEC("tc")
int weir_arrive(struct __sk_buff* buffer) {
  (void)buffer;
  ++injection.arrived;
  return TC_ACT_SHOT;
}

char weir_license[] SEC("license") = "Apache-2.0";
