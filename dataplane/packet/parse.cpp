// The entrance of the parser, and its short cut: the headers that nearly every packet has, judged all at once with few
// branches. The short cut only ever says "well formed" or "ask the general path", which alone names doubts.
#include "dataplane/packet/layers.hpp"
#include "dataplane/packet/rdma.hpp"

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

// The transport of the short cut, read but not yet written down. Bytes [l4, l4 + 20) of the frame are there, and the IP
// packet has `l4_bytes` from l4 on, all present.
struct Ports {
  u16 raw_source, raw_target;
  u32 header_bytes;
  u8 flags;
  bool hold;
};

inline Ports read_ports(const u8* at, u32 l4_bytes, bool is_tcp, u16 dhcp_port_least) {
  Ports ports{load<u16>(at), load<u16>(at + 2), udp_bytes, 0, true};
  if (is_tcp) {
    ports.flags = at[13];
    ports.header_bytes = (at[12] >> 4) * 4u;
    const bool fits = (ports.header_bytes >= tcp_bytes_least) & (ports.header_bytes <= l4_bytes);
    // No options, or the two paddings and the timestamp of nearly every established segment, else a look at each.
    ports.hold = fits && flags_hold(ports.flags) &&
                 (ports.header_bytes == 20 || (ports.header_bytes == 32 && load<u32>(at + 20) == 0x0a080101) ||
                  tcp_options_hold(at + tcp_bytes_least, ports.header_bytes - tcp_bytes_least));
  } else {
    const bool is_dhcp = (static_cast<u16>(swap(ports.raw_source) - dhcp_port_least) < 2) &
                         (static_cast<u16>(swap(ports.raw_target) - dhcp_port_least) < 2);
    const bool is_tunnel = (ports.raw_target == swap(vxlan_port)) | (ports.raw_target == swap(geneve_port));
    ports.hold = (load_be16(at + 4) == l4_bytes) & (l4_bytes >= udp_bytes) & !is_dhcp & !is_tunnel;
  }
  ports.hold = ports.hold && (ports.raw_source != 0) & (ports.raw_target != 0);
  return ports;
}

// All of `out` but addresses, key and hash.
inline void write_rest(Headers& out, const Ports& ports, u32 l3, u32 l4, u32 l4_bytes, u8 protocol, bool is_ipv4,
                       bool swapped) {
  out.drop = Reason::undecided;
  out.kind = PacketKind::flow;
  out.tunnels = 0;
  out.rdma_opcode = rdma_opcode_none;
  out.source_is_a = !swapped;
  out.is_ipv4 = is_ipv4;
  out.protocol = protocol;
  out.tcp_flags = ports.flags;
  out.icmp_type = out.icmp_code = 0;
  out.l3_offset = static_cast<u16>(l3);
  out.l4_offset = static_cast<u16>(l4);
  out.quote_offset = 0;
  out.payload_offset = static_cast<u16>(l4 + ports.header_bytes);
  out.source_port = swap(ports.raw_source);
  out.target_port = swap(ports.raw_target);
  out.payload_bytes = l4_bytes - ports.header_bytes;
}

inline u32 ports_scope(bool is_tcp, u32 pair, u32 vlan) {
  return FlowKey::scope_of(FlowClass::tcp, pair, vlan, 0) | (is_tcp ? 0 : static_cast<u32>(FlowClass::udp));
}

// Writes the key of an RDMA packet and its hash: what make_rdma_key() and hash_of_rdma() make of them, from and into
// single words, since a key put together in memory would be waited for.
inline void write_rdma_key(Headers& out, const Address& a, const Address& b, u32 qp, bool swapped, u32 scope,
                           const HashKey& secret) {
  const u32 numbers = qp | u32{swapped} << std::countr_zero(rdma_target_is_a);
  const u64 tail = u64{scope} << 32 | numbers;
  out.hash = hash_of_rdma({a, b, static_cast<u16>(numbers), static_cast<u16>(numbers >> 16), scope}, secret);
  out.key.a = a;
  out.key.b = b;
  static_assert(offsetof(FlowKey, a_number) == 32 && offsetof(FlowKey, scope) == 36);
  std::memcpy(reinterpret_cast<char*>(&out.key) + 32, &tail, sizeof tail);
}

// RoCEv2, when all around its UDP header holds. Functions of their own so that nothing else pays for them.
struct Roce {
  Ports ports;
  u32 qp, payload_bytes;
  u8 opcode;
};

inline bool read_roce(Roce& roce, const u8* udp, u32 l4_bytes) {
  const Bth bth{udp + udp_bytes};
  roce.ports = {load<u16>(udp), load<u16>(udp + 2), udp_bytes + bth.form().header_bytes, 0, true};
  roce.qp = bth.target_qp();
  roce.opcode = bth.opcode();
  return (load_be16(udp + 4) == l4_bytes) & (roce.ports.raw_source != 0) &&
         judge_rdma(bth, l4_bytes - udp_bytes, roce.payload_bytes) == Reason::undecided;
}

[[gnu::noinline]] bool judge_roce4(Headers& out, const u8* frame, u32 l3, u32 vlan, const ParseContext& context) {
  const u32 l4 = l3 + ipv4_bytes_least, l4_bytes = load_be16(frame + l3 + 2) - ipv4_bytes_least;
  Roce roce;
  if (!read_roce(roce, frame + l4, l4_bytes)) [[unlikely]]
    return false;
  const u32 source = load<u32>(frame + l3 + 12), target = load<u32>(frame + l3 + 16);
  const u32 scope = FlowKey::scope_of(FlowClass::rdma, context.pair, vlan, 0);
  const bool swapped = source > target;
  write_rdma_key(out, Address::ipv4(swapped ? target : source), Address::ipv4(swapped ? source : target), roce.qp,
                 swapped, scope, context.secret);
  out.source = Address::ipv4(source);
  out.target = Address::ipv4(target);
  write_rest(out, roce.ports, l3, l4, l4_bytes, protocol_udp, true, swapped);
  out.rdma_opcode = roce.opcode;
  out.payload_bytes = roce.payload_bytes;
  return true;
}

[[gnu::noinline]] bool judge_roce6(Headers& out, const u8* frame, u32 l3, u32 vlan, const ParseContext& context) {
  const u32 l4 = l3 + ipv6_bytes, l4_bytes = load_be16(frame + l3 + 4);
  Roce roce;
  if (!read_roce(roce, frame + l4, l4_bytes)) [[unlikely]]
    return false;
  const Address source = Address::ipv6(frame + l3 + 8), target = Address::ipv6(frame + l3 + 24);
  const u32 scope = FlowKey::scope_of(FlowClass::rdma, context.pair, vlan, 0);
  const bool swapped = (u128{source.high} << 64 | source.low) > (u128{target.high} << 64 | target.low);
  const u64 turn = u64{0} - swapped;
  const u64 high = (source.high ^ target.high) & turn, low = (source.low ^ target.low) & turn;
  write_rdma_key(out, {source.high ^ high, source.low ^ low}, {target.high ^ high, target.low ^ low}, roce.qp, swapped,
                 scope, context.secret);
  out.source = source;
  out.target = target;
  write_rest(out, roce.ports, l3, l4, l4_bytes, protocol_udp, false, swapped);
  out.rdma_opcode = roce.opcode;
  out.payload_bytes = roce.payload_bytes;
  return true;
}

// Endpoints are ordered without a branch: traffic goes both ways, and which is lower cannot be predicted.
inline bool judge_ipv4(Headers& out, const u8* frame, u32 present, u32 l3, u32 vlan, const ParseContext& context) {
  if (present < l3 + ipv4_bytes_least + tcp_bytes_least) return false;
  constexpr u64 form_mask = 0xffbf'0000'0000'00ff, form = 0x45;  // version, header length, no fragment, as loaded
  const u8* ip = frame + l3;
  const u64 first = load<u64>(ip), second = load<u64>(ip + 8);
  const u32 source = load<u32>(ip + 12), target = load<u32>(ip + 16);
  const u32 total_bytes = load_be16(ip + 2);
  const u8 source_top = static_cast<u8>(source), target_top = static_cast<u8>(target);
  const u8 protocol = ip[9];
  const u64 sum = (first & 0xffff'ffff) + (first >> 32) + (second & 0xffff'ffff) + (second >> 32) + target;
  const bool is_tcp = protocol == protocol_tcp;
  // The ones' complement sum of a right header is a multiple of 0xffff.
  const bool holds = ((first & form_mask) == form) & (total_bytes <= present - l3) & (total_bytes >= 28) &
                     (sum % 0xffff == 0) & (ip[8] != 0) & (static_cast<u8>(source_top - 1) < 223) &
                     (source_top != 127) & (target_top != 0) & (target_top != 127) & (source != target) &
                     (is_tcp | (protocol == protocol_udp));
  if (!holds) [[unlikely]]
    return false;
  const u32 l4 = l3 + ipv4_bytes_least, l4_bytes = total_bytes - ipv4_bytes_least;
  if (!is_tcp && load<u16>(frame + l4 + 2) == swap(roce_port)) return judge_roce4(out, frame, l3, vlan, context);
  const Ports ports = read_ports(frame + l4, l4_bytes, is_tcp, dhcp4_port_least);
  if (!ports.hold) [[unlikely]]
    return false;
  const u64 from = u64{source} << 16 | ports.raw_source, to = u64{target} << 16 | ports.raw_target;
  const bool swapped = from > to;
  const u64 a = swapped ? to : from, b = swapped ? from : to;
  const u32 scope = ports_scope(is_tcp, context.pair, vlan);
  const FlowKey key{Address::ipv4(static_cast<u32>(a >> 16)), Address::ipv4(static_cast<u32>(b >> 16)),
                    static_cast<u16>(a), static_cast<u16>(b), scope};
  out.key = key;
  out.hash = hash_of_numbers(key, context.secret);
  out.source = Address::ipv4(source);
  out.target = Address::ipv4(target);
  write_rest(out, ports, l3, l4, l4_bytes, protocol, true, swapped);
  return true;
}

// Addresses under ::/64 (unspecified, loopback, v4-mapped) and a target that reads as the mark of IPv4 go the general
// way.
inline bool judge_ipv6(Headers& out, const u8* frame, u32 present, u32 l3, u32 vlan, const ParseContext& context) {
  if (present < l3 + ipv6_bytes + tcp_bytes_least) return false;
  const u8* ip = frame + l3;
  const u32 l4 = l3 + ipv6_bytes, l4_bytes = load_be16(ip + 4);
  const Address source = Address::ipv6(ip + 8), target = Address::ipv6(ip + 24);
  const u8 protocol = ip[6];
  const bool is_tcp = protocol == protocol_tcp;
  const bool holds = ((ip[0] & 0xf0) == 0x60) & (l4_bytes <= present - l4) & (ip[7] != 0) & (source.high != 0) &
                     (ip[8] != 0xff) & (target.high + 1 > 1) &
                     (((source.high ^ target.high) | (source.low ^ target.low)) != 0) &
                     (is_tcp | (protocol == protocol_udp));
  if (!holds) [[unlikely]]
    return false;
  if (!is_tcp && load<u16>(frame + l4 + 2) == swap(roce_port)) return judge_roce6(out, frame, l3, vlan, context);
  const Ports ports = read_ports(frame + l4, l4_bytes, is_tcp, dhcp6_port_least);
  if (!ports.hold) [[unlikely]]
    return false;
  const bool swapped = (u128{source.high} << 64 | source.low) > (u128{target.high} << 64 | target.low);
  const u64 turn = u64{0} - swapped;  // exchanges the endpoints when all ones
  const u64 high = (source.high ^ target.high) & turn, low = (source.low ^ target.low) & turn;
  const u16 number = static_cast<u16>((ports.raw_source ^ ports.raw_target) & turn);
  const FlowKey key{{source.high ^ high, source.low ^ low},
                    {target.high ^ high, target.low ^ low},
                    static_cast<u16>(ports.raw_source ^ number),
                    static_cast<u16>(ports.raw_target ^ number),
                    ports_scope(is_tcp, context.pair, vlan)};
  out.key = key;
  out.hash = hash_of_numbers(key, context.secret);
  out.source = source;
  out.target = target;
  write_rest(out, ports, l3, l4, l4_bytes, protocol, false, swapped);
  return true;
}

inline bool judge_usual(Headers& out, const u8* frame, u32 present, const ParseContext& context) {
  if (present < 54) return false;
  const u64 target_mac = load<u64>(frame), source_mac = load<u64>(frame + 6) << 16;
  if ((source_mac == 0) | ((source_mac & 0x10000) != 0) | ((target_mac & 0xf0ff'ffff'ffff) == 0x0000'00c2'8001))
      [[unlikely]]
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
  if (judge_usual(out, reinterpret_cast<const u8*>(frame.data()), present, context)) [[likely]]
    return;
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

void parse_datagram(Headers& out, std::span<const std::byte> frame, u32 payload_bytes, const ParseContext& context) {
  out = Headers{};
  Walk walk{.frame = reinterpret_cast<const u8*>(frame.data()),
            .present = static_cast<u32>(frame.size()),
            .context = context,
            .out = out,
            .datagram_bytes = payload_bytes};
  out.drop = parse_ethernet(walk);
}

bool tcp_flags_hold(u8 flags) { return flags_hold(flags); }

}  // namespace weir
