// One TCP segment of one of many flows as a frame of 64 bytes, for the engine (C++) and for the kernel (BPF) alike: the
// same flows in the same order, with right checksums. C that both compilers take.
#pragma once
#ifndef __BPF__
#include <string.h>
#define weir_copy memcpy
#else
#define weir_copy __builtin_memcpy
#endif

enum { weir_frame_bytes = 64, weir_targets = 64000 };
// weir_ack is also every packet of an established flow; weir_refused is a SYN for port 81.
enum weir_phase { weir_syn, weir_syn_ack, weir_ack, weir_refused };

// Flow f goes from 10.0.x to 10.1.y, TCP 80. x + y is always 0xffff, so that the IPv4 checksum is a constant and the
// targets are the 1000 prefixes of 64 addresses from 10.1.6.0 on, evenly.
struct weir_segment {
  unsigned short source_low, target_low, port;
};

static inline struct weir_segment weir_segment_of(unsigned int flow) {
  struct weir_segment segment;
  segment.source_low = (unsigned short)(flow % weir_targets);
  segment.target_low = (unsigned short)(0xffff - segment.source_low);
  segment.port = (unsigned short)(1024 + flow / weir_targets);
  return segment;
}

// The next flow of a uniformly random order, or one after the other.
struct weir_order {
  unsigned long long state;
  unsigned int flows, next, is_random;
};

static inline unsigned int weir_next_flow(struct weir_order* order) {
  if (!order->is_random) {
    const unsigned int flow = order->next;
    order->next = flow + 1 == order->flows ? 0 : flow + 1;
    return flow;
  }
  order->state = order->state * 6364136223846793005ull + 1442695040888963407ull;
  return (unsigned int)(((order->state >> 32) * order->flows) >> 32);
}

// What the kernel's side is told, and what it has seen leave.
struct weir_injection {
  struct weir_order order;
  unsigned int phase, verdict;  // of XDP
  unsigned long long arrived;
};

// 16 bits in network order.
static inline void weir_put(unsigned char* at, unsigned int value) {
  const unsigned short swapped = (unsigned short)((value & 0xff) << 8 | (value >> 8 & 0xff));
  weir_copy(at, &swapped, 2);
}

static inline void weir_write_frame(unsigned char* at, unsigned int flow, enum weir_phase phase) {
  // MACs, IPv4 (40 bytes, TTL 64, DF) with its checksum; addresses, ports, numbers and flags follow.
  static const unsigned char head[26] = {2, 0, 0, 0, 0, 2,  2,    0, 0,  0, 0,    1,    8,
                                  0, 0x45, 0, 0, 40, 0, 0, 0x40, 0, 64, 6, 0x26, 0xd0};
  const struct weir_segment segment = weir_segment_of(flow);
  const int is_reply = phase == weir_syn_ack;
  const unsigned short ports[2] = {segment.port, (unsigned short)(phase == weir_refused ? 81 : 80)};
  const unsigned int sequence = is_reply ? 5000 : phase == weir_ack ? 1001 : 1000;
  const unsigned int acknowledged = is_reply ? 1001 : phase == weir_ack ? 5001 : 0;
  const unsigned short flags = is_reply ? 0x5012 : phase == weir_ack ? 0x5010 : 0x5002;
  // RFC 9293, 3.1: pseudo-header and header. The addresses' changing halves add up to 0xffff.
  unsigned int sum = 0x0a00 + 0x0a01 + 0xffff + 6 + 20 + ports[0] + ports[1] + sequence + acknowledged + flags + 0x0400;
  sum = (sum & 0xffff) + (sum >> 16);
  sum = (sum & 0xffff) + (sum >> 16);
  weir_copy(at, head, sizeof head);
  weir_put(at + 26, is_reply ? 0x0a01 : 0x0a00);
  weir_put(at + 28, is_reply ? segment.target_low : segment.source_low);
  weir_put(at + 30, is_reply ? 0x0a00 : 0x0a01);
  weir_put(at + 32, is_reply ? segment.source_low : segment.target_low);
  weir_put(at + 34, ports[is_reply]);
  weir_put(at + 36, ports[!is_reply]);
  weir_put(at + 38, 0);
  weir_put(at + 40, sequence);
  weir_put(at + 42, 0);
  weir_put(at + 44, acknowledged);
  weir_put(at + 46, flags);
  weir_put(at + 48, 0x0400);
  weir_put(at + 50, ~sum);
  weir_put(at + 52, 0);
}
