// What the files of the parser's naive twin share: a stretch of a frame, a doubt, and each other's functions.
#pragma once
#include "tests/property/parse_twin_reading.hpp"

#include <algorithm>
#include <optional>
#include <stdexcept>

namespace weir::test {

struct Drop {
  Reason reason;
};

inline void demand(bool holds, Reason otherwise) {
  if (!holds) throw Drop{otherwise};
}

// A stretch of the frame: offsets from its start, and std::vector::at for a belt.
struct Part {
  const Bytes* frame;
  std::size_t start, bytes;
  unsigned byte(std::size_t offset) const {
    if (offset >= bytes) throw std::out_of_range("the twin reads outside");
    return frame->at(start + offset);
  }
  unsigned word(std::size_t offset) const { return byte(offset) * 256 + byte(offset + 1); }
  Bytes copy(std::size_t offset, std::size_t count) const {
    Bytes out;
    for (std::size_t index = 0; index < count; ++index) out.push_back(static_cast<u8>(byte(offset + index)));
    return out;
  }
  Part from(std::size_t offset) const { return {frame, start + offset, bytes - offset}; }
  Part first(std::size_t count) const { return {frame, start, std::min(bytes, count)}; }
};

inline bool all_zero(const Bytes& bytes) {
  return std::all_of(bytes.begin(), bytes.end(), [](u8 byte) { return byte == 0; });
}
inline bool is_loopback6(const Bytes& address) {
  return address.back() == 1 && all_zero({address.begin(), address.end() - 1});
}
inline bool source_martian4(const Bytes& a) { return a[0] == 0 || a[0] == 127 || a[0] >= 224; }
inline bool source_martian6(const Bytes& a) { return a[0] == 255 || all_zero(a) || is_loopback6(a); }
inline bool target_martian4(const Bytes& a) { return a[0] == 0 || a[0] == 127; }
// The last: what Address takes for the mark of IPv4.
inline bool target_martian6(const Bytes& a) {
  return all_zero(a) || is_loopback6(a) || std::all_of(a.begin(), a.begin() + 8, [](u8 byte) { return byte == 255; });
}

inline void set_flow(Reading& r, FlowClass flow_class, unsigned from, unsigned to) {
  r.kind = PacketKind::flow;
  r.keyed = true;
  r.flow_class = flow_class;
  r.from = {r.source, from};
  r.to = {r.target, to};
}

inline void set_ports(Reading& r, FlowClass flow_class, const Part& l4) {
  demand(l4.word(0) != 0 && l4.word(2) != 0, Reason::port_zero);
  r.source_port = l4.word(0);
  r.target_port = l4.word(2);
  set_flow(r, flow_class, l4.word(0), l4.word(2));
}

void read_ethernet(Reading& r, const Part& frame);
void read_ipv4(Reading& r, const Part& ip);
void read_ipv6(Reading& r, const Part& ip);
void read_icmp(Reading& r, const Part& l4, bool trailing);
void read_rdma(Reading& r, const Part& l4);
// The key of a RoCEv2 packet whose UDP header, and some of what is behind it, an ICMP error quotes.
void read_quoted_rdma(Reading& r, const Part& l4, const Bytes& source, const Bytes& target);
bool is_tunnel(unsigned protocol, const Part& l4);
void read_tunnel(Reading& r, const Part& l4);
// The protocol a chain of extension headers ends in, and where.
unsigned walk_chain(const Part& after_header, unsigned next, std::size_t& offset,
                    std::optional<std::size_t>& fragment);

}  // namespace weir::test
