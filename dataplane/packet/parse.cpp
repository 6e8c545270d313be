// The entrance of the parser, and its short cut: the headers that nearly every packet has, judged all at once with few
// branches. The short cut only ever says "well formed" or "ask the general path", which alone names doubts.
#include "dataplane/packet/layers.hpp"

namespace weir {
namespace {

// RFC 9293 and 793: SYN opens, ACK is in everything after it, RST ends with or without ACK. Reserved bits and ECN's do
// not matter, push neither.
constexpr bool is_legal(u32 flags) {
  const bool fin = flags & tcp_fin, syn = flags & tcp_syn, rst = flags & tcp_rst, ack = flags & tcp_ack;
  const bool urg = flags & tcp_urg;
  if (syn) return !fin && !rst && !urg;
  if (rst) return !fin && !urg;
  return ack;
}

// One bit per combination of the low six flags.
constexpr u64 legal_flags = [] {
  u64 bits = 0;
  for (u32 flags = 0; flags < 64; ++flags) bits |= u64{is_legal(flags)} << flags;
  return bits;
}();

inline bool flags_hold(u8 flags) { return legal_flags >> (flags & 63) & 1; }

constexpr u16 raw_ipv4 = swap(ethertype_ipv4), raw_ipv6 = swap(ethertype_ipv6), raw_vlan = swap(ethertype_vlan),
              raw_service_vlan = swap(ethertype_service_vlan);

// What both families' short cuts share once the IP header stands: bytes [l4, l4 + 20) of the frame are there, and the
// IP packet has `l4_bytes` from l4 on, all present. False: not judged.
inline bool finish_ports(Headers& out, const u8* frame, u32 l3, u32 l4, u32 l4_bytes, u32 protocol, u32 scope,
                         u16 dhcp_port_least, const HashKey& secret) {
  const u8* at = frame + l4;
  const bool is_tcp = protocol == protocol_tcp;
  const u16 raw_source = load<u16>(at), raw_target = load<u16>(at + 2);
  const u16 source_port = swap(raw_source), target_port = swap(raw_target);
  u32 header_bytes = udp_bytes;
  u8 flags = 0;
  if (is_tcp) {
    flags = at[13];
    header_bytes = (at[12] >> 4) * 4u;
    if (!flags_hold(flags) | (header_bytes < tcp_bytes_least) | (header_bytes > l4_bytes)) return false;
    // No options, or the two paddings and the timestamp of nearly every established segment.
    const bool usual = header_bytes == 20 || (header_bytes == 32 && load<u32>(at + 20) == 0x0a080101);
    if (!usual && !tcp_options_hold(at + tcp_bytes_least, header_bytes - tcp_bytes_least)) return false;
  } else {
    const bool is_dhcp = (static_cast<u16>(source_port - dhcp_port_least) < 2) &
                         (static_cast<u16>(target_port - dhcp_port_least) < 2);
    if ((load_be16(at + 4) != l4_bytes) | (l4_bytes < udp_bytes) | is_dhcp) return false;
  }
  if ((raw_source == 0) | (raw_target == 0)) return false;
  bool swapped;
  out.key = make_key(out.source, raw_source, out.target, raw_target, scope, swapped);
  out.hash = hash_of(out.key, secret);
  out.drop = Reason::undecided;
  out.kind = PacketKind::flow;
  out.source_is_a = !swapped;
  out.protocol = static_cast<u8>(protocol);
  out.tcp_flags = flags;
  out.icmp_type = out.icmp_code = 0;
  out.l3_offset = static_cast<u16>(l3);
  out.l4_offset = static_cast<u16>(l4);
  out.payload_offset = static_cast<u16>(l4 + header_bytes);
  out.source_port = source_port;
  out.target_port = target_port;
  out.payload_bytes = l4_bytes - header_bytes;
  return true;
}

constexpr u32 ports_scope(u32 protocol, u32 pair, u32 vlan) {
  return FlowKey::scope_of(protocol == protocol_tcp ? FlowClass::tcp : FlowClass::udp, pair, vlan, 0);
}

inline bool judge_ipv4(Headers& out, const u8* frame, u32 present, u32 l3, u32 vlan, const ParseContext& context) {
  if (present < l3 + ipv4_bytes_least + tcp_bytes_least) return false;
  const u8* ip = frame + l3;
  const u32 total_bytes = load_be16(ip + 2), protocol = ip[9];
  const u64 first = load<u64>(ip), second = load<u64>(ip + 8);
  u64 sum = (first & 0xffffffff) + (first >> 32) + (second & 0xffffffff) + (second >> 32) + load<u32>(ip + 16);
  sum = (sum & 0xffff'ffff) + (sum >> 32);
  sum = (sum & 0xffff) + (sum >> 16);
  sum = (sum & 0xffff) + (sum >> 16);
  const u32 source = load<u32>(ip + 12), target = load<u32>(ip + 16);
  const u8 source_top = ip[12], target_top = ip[16];
  const bool doubt = (ip[0] != 0x45) | (total_bytes > present - l3) | (total_bytes < 28) | (sum != 0xffff) |
                     ((load<u16>(ip + 6) & 0xffbf) != 0) | (ip[8] == 0) | (source_top == 0) | (source_top == 127) |
                     (source_top >= 224) | (target_top == 0) | (target_top == 127) | (source == target) |
                     ((protocol != protocol_tcp) & (protocol != protocol_udp));
  if (doubt) return false;
  out.is_ipv4 = true;
  out.source = Address::ipv4(source);
  out.target = Address::ipv4(target);
  return finish_ports(out, frame, l3, l3 + ipv4_bytes_least, total_bytes - ipv4_bytes_least, protocol,
                      ports_scope(protocol, context.pair, vlan), dhcp4_port_least, context.secret);
}

// Addresses under ::/64 (unspecified, loopback, v4-mapped) go the general way.
inline bool judge_ipv6(Headers& out, const u8* frame, u32 present, u32 l3, u32 vlan, const ParseContext& context) {
  if (present < l3 + ipv6_bytes + tcp_bytes_least) return false;
  const u8* ip = frame + l3;
  const u32 payload_bytes = load_be16(ip + 4), protocol = ip[6];
  const Address source = Address::ipv6(ip + 8), target = Address::ipv6(ip + 24);
  const bool doubt = ((ip[0] & 0xf0) != 0x60) | (payload_bytes > present - l3 - ipv6_bytes) | (ip[7] == 0) |
                     (source.high == 0) | (ip[8] == 0xff) | (target.high == 0) | (source == target) |
                     ((protocol != protocol_tcp) & (protocol != protocol_udp));
  if (doubt) return false;
  out.is_ipv4 = false;
  out.source = source;
  out.target = target;
  return finish_ports(out, frame, l3, l3 + ipv6_bytes, payload_bytes, protocol,
                      ports_scope(protocol, context.pair, vlan), dhcp6_port_least, context.secret);
}

inline bool judge_usual(Headers& out, const u8* frame, u32 present, const ParseContext& context) {
  if (present < 54) return false;
  const u64 target_mac = load<u64>(frame), source_mac = load<u64>(frame + 6) << 16;
  if ((source_mac == 0) | ((source_mac >> 16 & 1) != 0) | ((target_mac & 0xf0ff'ffff'ffff) == 0x0000'00c2'8001))
    return false;
  u16 type = load<u16>(frame + 12);
  u32 l3 = ethernet_bytes, vlan = 0;
  if (type == raw_vlan || type == raw_service_vlan) {
    vlan = load_be16(frame + 14) & vlan_id_mask;
    if (vlan == vlan_id_mask) return false;
    type = load<u16>(frame + 16);
    l3 += vlan_tag_bytes;
  }
  if (type == raw_ipv4) return judge_ipv4(out, frame, present, l3, vlan, context);
  if (type == raw_ipv6) return judge_ipv6(out, frame, present, l3, vlan, context);
  return false;
}

}  // namespace

void parse_into(Headers& out, std::span<const std::byte> frame, const ParseContext& context) {
  const auto present = static_cast<u32>(frame.size());
  if (judge_usual(out, reinterpret_cast<const u8*>(frame.data()), present, context)) [[likely]] return;
  parse_general(out, frame, context);
}

void parse_general(Headers& out, std::span<const std::byte> frame, const ParseContext& context) {
  out = Headers{};
  Walk walk{.frame = reinterpret_cast<const u8*>(frame.data()),
            .present = static_cast<u32>(frame.size()),
            .context = context,
            .out = out};
  out.drop = parse_ethernet(walk);
}

bool tcp_flags_hold(u8 flags) { return flags_hold(flags); }

}  // namespace weir
