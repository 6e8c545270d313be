// A twin in the plainest words: big-endian fields at offsets, one exception for a doubt.
#include "tests/property/parse_twin_parts.hpp"

#include <array>
#include <optional>
#include <set>

namespace weir::test {
namespace {

void read_tcp(Reading& r, const Part& l4) {
  demand(l4.bytes >= 20, Reason::tcp_header_bad);
  const std::size_t header = l4.byte(12) / 16 * 4;
  demand(header >= 20 && header <= l4.bytes, Reason::tcp_header_bad);
  for (std::size_t at = 20; at < header;) {
    const unsigned kind = l4.byte(at);
    if (kind == 0) break;
    if (kind == 1) {
      at += 1;
      continue;
    }
    demand(at + 1 < header, Reason::tcp_header_bad);
    demand(l4.byte(at + 1) >= 2 && at + l4.byte(at + 1) <= header, Reason::tcp_header_bad);
    at += l4.byte(at + 1);
  }
  r.flags = l4.byte(13);
  // Without PSH, ECE and CWR: FIN 1, SYN 2, RST 4, ACK 16, URG 32.
  static const std::set<unsigned> legal{2, 18, 16, 17, 48, 49, 4, 20};
  demand(legal.contains(r.flags & 0x37), Reason::tcp_flags_bad);
  set_ports(r, FlowClass::tcp, l4);
  r.payload += header;
}

void read_udp(Reading& r, const Part& l4) {
  demand(l4.bytes >= 8 && l4.word(4) == l4.bytes, Reason::udp_header_bad);
  if (l4.word(2) == 4791) return read_rdma(r, l4);
  const std::set<unsigned> dhcp = r.ipv4 ? std::set<unsigned>{67, 68} : std::set<unsigned>{546, 547};
  r.payload += 8;
  if (dhcp.contains(l4.word(0)) && dhcp.contains(l4.word(2))) {
    r.kind = PacketKind::dhcp;
    r.source_port = l4.word(0);
    r.target_port = l4.word(2);
    return;
  }
  set_ports(r, FlowClass::udp, l4);
}

void read_sctp(Reading& r, const Part& l4) {
  demand(l4.bytes >= 16, Reason::sctp_header_bad);
  const std::size_t chunk = l4.word(14), rest = l4.bytes - 12;
  demand(chunk >= 4 && chunk <= rest, Reason::sctp_header_bad);
  const bool untagged = all_zero(l4.copy(4, 4));
  if (l4.byte(12) == 1)
    demand(untagged && rest - chunk < 4 && (rest == chunk || rest <= (chunk + 3) / 4 * 4), Reason::sctp_header_bad);
  else demand(!untagged, Reason::sctp_header_bad);
  set_ports(r, FlowClass::sctp, l4);
  r.payload += 12;
}

// RFC 8754: as many segments as the last entry's index says and one, then options that end with the header.
bool segments_whole(const Part& header) {
  std::size_t at = 8 + 16 * (header.byte(4) + 1);
  while (at < header.bytes) {
    if (header.byte(at) == 0) at += 1;
    else if (at + 1 == header.bytes) return false;
    else at += 2 + header.byte(at + 1);
  }
  return at == header.bytes;
}

}  // namespace

unsigned walk_chain(const Part& after_header, unsigned next, std::size_t& offset,
                    std::optional<std::size_t>& fragment) {
  std::vector<unsigned> seen;
  offset = 0;
  while (next == 0 || next == 43 || next == 44 || next == 60) {
    const bool routed = std::find(seen.begin(), seen.end(), 43u) != seen.end();
    if (next == 0) demand(seen.empty(), Reason::ipv6_extension_bad);
    if (next == 43) demand(!routed && !fragment, Reason::ipv6_extension_bad);
    if (next == 44) demand(!fragment && !(routed && seen.back() == 60), Reason::ipv6_extension_bad);
    if (next == 60) demand(seen.empty() || seen.back() != 60, Reason::ipv6_extension_bad);
    const Reason cut = fragment ? Reason::fragment_tiny : Reason::ipv6_extension_bad;
    const Part header = after_header.from(offset);
    demand(header.bytes >= 8, cut);
    if (next == 44) {
      fragment = offset;
      offset += 8;
      seen.push_back(next);
      next = header.byte(0);
      if (header.word(2) >= 8) return next;
      continue;
    }
    const std::size_t bytes = 8 + 8 * header.byte(1);
    demand(header.bytes >= bytes, cut);
    if (next == 43) demand(header.byte(3) == 0, Reason::ipv6_routing_header);
    if (next == 43 && header.byte(2) == 4) demand(segments_whole(header.first(bytes)), Reason::ipv6_extension_bad);
    unsigned options = 0;
    for (std::size_t at = 2; next != 43 && at < bytes;) {
      demand(++options <= 16, Reason::ipv6_options_many);
      if (header.byte(at) == 0) {
        at += 1;
        continue;
      }
      demand(at + 2 <= bytes && at + 2 + header.byte(at + 1) <= bytes, Reason::ipv6_extension_bad);
      demand(header.byte(at) != 0xc2, Reason::ipv6_header_bad);
      demand(header.byte(at) != 0xc9, Reason::ipv6_extension_bad);
      if (header.byte(at) == 1) demand(all_zero(header.copy(at + 2, header.byte(at + 1))), Reason::ipv6_extension_bad);
      at += 2 + header.byte(at + 1);
    }
    seen.push_back(next);
    next = header.byte(0);
    offset += bytes;
  }
  return next;
}

namespace {

void read_transport(Reading& r, const Part& l4, bool trailing) {
  r.l4 = r.payload = l4.start;
  if (is_tunnel(r.protocol, l4)) return read_tunnel(r, l4);
  if (r.protocol == 6) return read_tcp(r, l4);
  if (r.protocol == 17) return read_udp(r, l4);
  if (r.protocol == 132) return read_sctp(r, l4);
  if (r.protocol == 1 || r.protocol == 58) return read_icmp(r, l4, trailing);
  static const std::array<std::array<unsigned, 2>, 5> leasts{
      {{2, 8}, {33, 12}, {50, 8}, {51, 12}, {136, 8}}};
  for (const auto& [protocol, least] : leasts)
    if (protocol == r.protocol) demand(l4.bytes >= least, Reason::l4_header_bad);
  set_flow(r, FlowClass::ip, r.protocol, r.protocol);
}

void read_options4(const Part& options) {
  bool routed = false;
  for (std::size_t at = 0; at < options.bytes;) {
    const unsigned type = options.byte(at);
    if (type == 0) {
      demand(all_zero(options.copy(at, options.bytes - at)), Reason::ipv4_option_bad);
      break;
    }
    if (type == 1) {
      at += 1;
      continue;
    }
    demand(at + 2 <= options.bytes, Reason::ipv4_option_bad);
    const unsigned bytes = options.byte(at + 1);
    demand(bytes >= 2 && at + bytes <= options.bytes, Reason::ipv4_option_bad);
    const bool route = type == 7 || type == 131 || type == 137;
    demand(route || (type == 148 && bytes == 4), Reason::ipv4_option_bad);
    routed |= route;
    at += bytes;
  }
  demand(!routed, Reason::ipv4_source_route);
}

}  // namespace

// A fragment alone: `begin` and `more` as it says, `before` bytes of the datagram's length ahead of its payload.
static void read_fragment(Reading& r, const Part& piece, bool flags_good, std::size_t begin, bool more,
                          std::size_t before) {
  demand(flags_good, Reason::fragment_bad);
  demand(begin != 0 || more, Reason::fragment_atomic);
  demand(piece.bytes > 0 && (!more || piece.bytes % 8 == 0), Reason::fragment_bad);
  demand(before + begin + piece.bytes < 65536, Reason::fragment_too_long);
  demand((!more || piece.bytes >= 256) && (begin == 0 || begin >= 256), Reason::fragment_tiny);
  r.kind = PacketKind::fragment;
  r.fragment = begin + more;
  r.l4 = r.payload = piece.start;
  r.payload_bytes = piece.bytes;
}

void read_ipv4(Reading& r, const Part& ip) {
  r.l3 = ip.start;
  demand(ip.bytes >= 20, Reason::truncated);
  const std::size_t header = ip.byte(0) % 16 * 4, total = ip.word(2);
  demand(ip.byte(0) / 16 == 4 && header >= 20 && total >= header, Reason::ipv4_header_bad);
  demand(total <= ip.bytes, Reason::truncated);
  unsigned long sum = 0;
  for (std::size_t at = 0; at < header; at += 2) sum += ip.word(at);
  demand(sum % 65535 == 0, Reason::ipv4_checksum_bad);
  demand(ip.byte(6) < 128, Reason::ipv4_header_bad);
  read_options4(ip.from(20).first(header - 20));
  demand(ip.byte(8) != 0, Reason::ttl_zero);
  demand(ip.word(6) % 0x4000 == 0 || r.outsides.empty(), Reason::tunnel_fragment);
  r.ipv4 = true;
  r.protocol = ip.byte(9);
  r.source = ip.copy(12, 4);
  r.target = ip.copy(16, 4);
  const Part l4 = ip.first(total).from(header);
  const bool asks_all = all_zero(r.source) && r.target == Bytes{255, 255, 255, 255} && r.protocol == 17 &&
                        l4.bytes >= 4 && l4.word(0) == 68 && l4.word(2) == 67;
  demand(asks_all || !source_martian4(r.source), Reason::source_martian);
  demand(!target_martian4(r.target), Reason::target_martian);
  demand(r.source != r.target, Reason::land);
  if (ip.word(6) % 0x4000 != 0) {
    r.identification = {ip.word(4), 0};
    const bool more = ip.byte(6) / 32 % 2 == 1;
    read_fragment(r, l4, ip.word(6) < 0x4000, ip.word(6) % 0x2000 * 8, more, header);
    demand(r.fragment != 1 || r.protocol != 17 || l4.word(2) != 4791, Reason::roce_fragment);
    return;
  }
  read_transport(r, l4, total < ip.bytes);
  if (r.l3 == ip.start && r.opcode == 255) r.payload_bytes = ip.start + total - r.payload;
}

void read_ipv6(Reading& r, const Part& ip) {
  r.l3 = ip.start;
  r.ipv4 = false;
  demand(ip.bytes >= 40, Reason::truncated);
  demand(ip.byte(0) / 16 == 6, Reason::ipv6_header_bad);
  const std::size_t payload = ip.word(4);
  demand(40 + payload <= ip.bytes, Reason::truncated);
  demand(payload != 0 || ip.byte(6) != 0, Reason::ipv6_header_bad);
  r.hops = ip.byte(7);
  demand(r.hops != 0, Reason::ttl_zero);
  std::size_t offset = 0;
  const Part rest = ip.from(40).first(payload);
  std::optional<std::size_t> fragment;
  try {
    r.protocol = walk_chain(rest, ip.byte(6), offset, fragment);
  } catch (const Drop& drop) {
    throw Drop{fragment && !r.outsides.empty() ? Reason::tunnel_fragment : drop.reason};
  }
  demand(!fragment || r.outsides.empty(), Reason::tunnel_fragment);
  r.source = ip.copy(8, 16);
  r.target = ip.copy(24, 16);
  const Part l4 = rest.from(offset);
  static const std::set<unsigned> without_address{131, 132, 133, 135, 143};
  const bool newborn = r.protocol == 58 && l4.bytes > 0 && without_address.contains(l4.byte(0)) && all_zero(r.source);
  demand(newborn || !source_martian6(r.source), Reason::source_martian);
  demand(!target_martian6(r.target), Reason::target_martian);
  demand(r.source != r.target, Reason::land);
  if (fragment) {
    const Part header = rest.from(*fragment), piece = header.from(8);
    const unsigned word = header.word(2), last = r.protocol;
    r.protocol = header.byte(0);
    r.identification = {header.word(4), header.word(6)};
    read_fragment(r, piece, header.byte(1) == 0 && word / 2 % 4 == 0, word / 8 * 8, word % 2 == 1, *fragment);
    demand(word >= 8 || l4.bytes >= 64, Reason::fragment_tiny);
    demand(word >= 8 || last != 17 || l4.word(2) != 4791, Reason::roce_fragment);
    return;
  }
  read_transport(r, l4, 40 + payload < ip.bytes);
  if (r.l3 == ip.start && r.opcode == 255) r.payload_bytes = ip.start + 40 + payload - r.payload;
}

namespace {

void read_arp(Reading& r, const Part& arp, const Part& frame) {
  demand(arp.bytes >= 28, Reason::truncated);
  const auto good = [](bool holds) { demand(holds, Reason::arp_malformed); };
  good(arp.copy(0, 6) == Bytes{0, 1, 8, 0, 6, 4} && (arp.word(6) == 1 || arp.word(6) == 2));
  good(arp.copy(8, 6) == frame.copy(6, 6));
  good(arp.bytes == 28 || frame.bytes <= 60 + 4 * r.tags);
  good(all_zero(arp.copy(28, arp.bytes - 28)));
  r.kind = PacketKind::arp;
  r.ipv4 = true;
  r.source = arp.copy(14, 4);
  r.target = arp.copy(24, 4);
  const bool asks = arp.word(6) == 1;
  demand((asks && all_zero(r.source)) || !source_martian4(r.source), Reason::source_martian);
  demand((!asks && all_zero(r.target)) || !target_martian4(r.target), Reason::target_martian);
  r.l4 = r.payload = arp.start + 28;
}

}  // namespace

void read_ethernet(Reading& r, const Part& frame) {
  demand(frame.bytes >= 14, Reason::ethernet_short);
  const Bytes source = frame.copy(6, 6), target = frame.copy(0, 6);
  demand(!all_zero(source) && source[0] % 2 == 0, Reason::mac_source_invalid);
  demand(!(Bytes(target.begin(), target.begin() + 5) == Bytes{1, 0x80, 0xc2, 0, 0} && target[5] < 16),
         Reason::link_local_protocol);
  std::size_t at = 12;
  for (; frame.word(at) == 0x8100 || frame.word(at) == 0x88a8; at += 4) {
    demand(r.outsides.empty(), Reason::tunnel_vlan);
    demand(r.tags < 2, Reason::vlan_too_deep);
    demand(frame.bytes >= at + 6, Reason::truncated);
    const unsigned id = frame.word(at + 2) % 4096;
    demand(id != 4095, Reason::vlan_id_reserved);
    const bool second = !r.vlans.empty();
    demand(!second || (id > 0 && r.vlans[0] > 0), Reason::vlan_stack_bad);
    demand(!second || frame.word(at) == 0x8100, Reason::vlan_stack_bad);
    ++r.tags;
    r.vlans.push_back(id);
  }
  r.vlans.resize(2, 0);
  r.l3 = frame.start + at + 2;
  const unsigned type = frame.word(at);
  const Part above = frame.from(at + 2);
  if (type == 0x800) return read_ipv4(r, above);
  if (type == 0x86dd) return read_ipv6(r, above);
  if (type == 0x806) return read_arp(r, above, frame);
  demand(type != 0x8915, Reason::roce_v1);
  demand(type != 0x88cc && type != 0x8809, Reason::link_local_protocol);
  demand(type >= 1536, Reason::ieee_802_3);
  throw Drop{Reason::ethertype_unknown};
}

Reading read_frame(const Bytes& frame) {
  Reading reading;
  try {
    read_ethernet(reading, {&frame, 0, frame.size()});
  } catch (const Drop& drop) {
    reading.drop = drop.reason;
  }
  return reading;
}

}  // namespace weir::test
