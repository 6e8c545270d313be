// What the naive twin reads in a frame: its own structure, so that a mistake in Headers is not made twice.
#pragma once
#include "dataplane/packet/parse.hpp"

#include <array>
#include <vector>

namespace weir::test {

using Bytes = std::vector<u8>;

struct Endpoint {
  Bytes address;
  unsigned number;  // host order; the protocol for class ip
  bool operator==(const Endpoint&) const = default;
};

// A packet around a tunnel.
struct Around {
  bool ipv4;
  Bytes source, target;
  unsigned protocol, target_port;
  std::vector<unsigned> vlans;
  bool numbered, unnumbered;
  unsigned number;
};

struct Reading {
  Reason drop = Reason::undecided;
  PacketKind kind = PacketKind::flow;
  bool ipv4 = false, keyed = false;
  unsigned protocol = 0, flags = 0, type = 0, code = 0, hops = 0, source_port = 0, target_port = 0;
  std::size_t l3 = 0, l4 = 0, payload = 0, payload_bytes = 0;
  std::size_t quote = 0;  // where the transport header of a quoted packet stands
  unsigned tags = 0;
  std::vector<unsigned> vlans;  // of the frame's own Ethernet header
  bool numbered = false, unnumbered = false;  // inside a network with a number; inside a tunnel without one
  unsigned number = 0;
  std::vector<Around> outsides;
  unsigned opcode = 255;        // of RoCEv2; the queue pair is the target's number
  Bytes source, target;
  FlowClass flow_class = FlowClass::ip;
  Endpoint from, to;
  std::size_t fragment = 0;                   // where a fragment begins, and one more where others follow
  std::array<unsigned, 2> identification{};   // of its datagram, its two words
};

Reading read_frame(const Bytes& frame);

}  // namespace weir::test
