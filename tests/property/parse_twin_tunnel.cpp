// The twin's tunnels: from RFC 7348, 8926, 2784, 2890, 2003, 2473, 4213 and 8986.
#include "tests/property/parse_twin_parts.hpp"

namespace weir::test {
namespace {

struct Inside {
  std::size_t offset;  // in the tunnel's own packet, from its transport header
  unsigned type;       // as an EtherType
  bool numbered;
  unsigned number;
};

void good(bool holds) { demand(holds, Reason::tunnel_header_bad); }

Inside read_vxlan(const Part& udp) {
  good(udp.bytes >= 16 && udp.byte(8) == 8 && all_zero(udp.copy(9, 3)) && udp.byte(15) == 0);
  return {16, 0x6558, true, udp.byte(12) * 65536 + udp.word(13)};
}

Inside read_geneve(const Part& udp) {
  good(udp.bytes >= 16 && udp.byte(8) < 64 && udp.byte(9) == 0 && udp.byte(15) == 0);
  const std::size_t end = 16 + udp.byte(8) * 4;
  good(udp.bytes >= end);
  for (std::size_t at = 16; at < end;) {
    good(udp.byte(at + 2) < 128 && udp.byte(at + 3) < 32);
    at += 4 + udp.byte(at + 3) * 4;
    good(at <= end);
  }
  return {end, udp.word(10), true, udp.byte(12) * 65536 + udp.word(13)};
}

Inside read_gre(const Part& gre) {
  good(gre.bytes >= 4);
  const unsigned flags = gre.byte(0);
  good((flags & 0x4f) == 0 && gre.byte(1) == 0);
  std::size_t end = 4;
  if (flags & 0x80) end += 4;
  if (flags & 0x20) end += 4;
  if (flags & 0x10) end += 4;
  good(gre.bytes >= end);
  if (flags & 0x80) {
    unsigned long sum = 0;
    for (std::size_t at = 0; at < gre.bytes; ++at) sum += gre.byte(at) << (at % 2 == 0 ? 8 : 0);
    good(sum % 65535 == 0 && gre.word(6) == 0);
  }
  return {end, gre.word(2), false, 0};
}

Inside read_header(const Reading& r, const Part& l4) {
  switch (r.protocol) {
    case 17: return l4.word(2) == 4789 ? read_vxlan(l4) : read_geneve(l4);
    case 47: return read_gre(l4);
    case 4: return {0, 0x0800, false, 0};
    case 41: return {0, 0x86dd, false, 0};
    default: return {0, 0x6558, false, 0};
  }
}

}  // namespace

bool is_tunnel(unsigned protocol, const Part& l4) {
  if (protocol == 17) return l4.bytes >= 8 && l4.word(4) == l4.bytes && (l4.word(2) == 4789 || l4.word(2) == 6081);
  return protocol == 4 || protocol == 41 || protocol == 47 || protocol == 143;
}

void read_tunnel(Reading& r, const Part& l4) {
  if (r.protocol == 17) demand(l4.word(0) != 0, Reason::port_zero);
  demand(r.outsides.size() < 2, Reason::tunnel_too_deep);
  const Inside inside = read_header(r, l4);
  demand(!inside.numbered || !r.numbered, Reason::tunnel_too_deep);
  demand(inside.type == 0x0800 || inside.type == 0x86dd || inside.type == 0x6558, Reason::tunnel_payload_unknown);
  const Part packet = l4.from(inside.offset);
  const bool whole4 = inside.type == 0x0800 && packet.bytes >= 20 && packet.byte(0) / 16 == 4;
  const bool whole6 = inside.type == 0x86dd && packet.bytes >= 40 && packet.byte(0) / 16 == 6;
  good(!(whole4 && packet.word(2) < packet.bytes) && !(whole6 && packet.word(4) + 40 < packet.bytes));
  r.outsides.push_back({r.ipv4, r.source, r.target, r.protocol, r.protocol == 17 ? l4.word(2) : 0, r.vlans, r.numbered,
                        r.unnumbered, r.number});
  if (inside.numbered) {
    r.numbered = true;
    r.number = inside.number;
  } else {
    r.unnumbered = true;
  }
  r.hops = r.tags = r.protocol = 0;
  if (inside.type == 0x0800) return read_ipv4(r, packet);
  if (inside.type == 0x86dd) return read_ipv6(r, packet);
  read_ethernet(r, packet);
}

}  // namespace weir::test
