// The packets of the flood: some that open flows, some that only pretend to, and some aimed at flows that are there.
#include "tests/property/flood.hpp"

namespace weir::flood {
namespace {

constexpr u16 web = 443, names = 53;

// Out of a hundred packets of attack.
struct Share {
  Kind kind;
  u32 of_hundred;
};
constexpr Share shares[] = {
    {Kind::syn_random, 38},    {Kind::syn_random_ipv6, 8}, {Kind::syn_denied, 3},    {Kind::udp_one_way, 12},
    {Kind::echo_one_way, 5},   {Kind::mid_stream, 4},      {Kind::syn_ack_stray, 3}, {Kind::flags_bad, 4},
    {Kind::fragment, 4},       {Kind::aimed_data, 4},      {Kind::aimed_reset, 4},   {Kind::aimed_flags, 3},
    {Kind::aimed_checksum, 2}, {Kind::icmp_error, 2},      {Kind::spoofed, 2},       {Kind::garbage, 2}};

constexpr auto kinds_of_hundred = [] {
  std::array<Kind, 100> kinds{};
  u32 at = 0;
  for (const Share& share : shares)
    for (u32 i = 0; i < share.of_hundred; ++i) kinds[at++] = share.kind;
  if (at != kinds.size()) throw "shares do not make a hundred";
  return kinds;
}();

constexpr u8 bad_flags[] = {0, fin | psh | urg, syn | fin, syn | rst, fin, fin | rst | ack};
constexpr u8 wrong_flags[] = {syn, fin | ack, syn | ack, fin | psh | ack};

}  // namespace

void Flood::attack_packet() {
  const Kind kind = kinds_of_hundred[any() % 100];
  const bool aimed = kind >= Kind::aimed_data && kind <= Kind::icmp_error;
  if (aimed) return attack_aimed(kind);
  attack_alone(kind);
}

void Flood::attack_alone(Kind kind) {
  const bool ipv6 = kind == Kind::syn_random_ipv6;
  Host source = stranger(ipv6);
  const Host target = server(ipv6);
  const u16 port = static_cast<u16>(1024 + any() % 60'000);
  TcpFields tcp{static_cast<u32>(any()), 0, syn, true};
  u16 service = web;
  Frame frame(room());
  frame.ethernet(ipv6, true);
  switch (kind) {
    case Kind::udp_one_way: frame.ip(source, target, protocol_of_udp, 24).udp(port, names, 16); break;
    case Kind::echo_one_way: frame.ip(source, target, protocol_icmp4, 24).echo(8, port, 1); break;
    case Kind::fragment: {
      constexpr u16 more = 0x2000;
      const u16 places[] = {more, more | 2, 3, more | 1};  // a first, a middle, a last one, and one that overlaps
      frame.ip(source, target, protocol_of_udp, 16, places[any() % 4], port).udp(port, names, 8);
      break;
    }
    case Kind::garbage:
      for (u32 i = 0; i < 6; ++i) frame.put(any(), 8);
      break;
    case Kind::syn_denied: service = 22; [[fallthrough]];
    case Kind::spoofed: source.inside = kind == Kind::spoofed; [[fallthrough]];
    default:
      if (kind == Kind::mid_stream) tcp.flags = ack, tcp.options = false;
      if (kind == Kind::syn_ack_stray) tcp.flags = syn | ack;
      if (kind == Kind::flags_bad) tcp.flags = bad_flags[any() % std::size(bad_flags)], tcp.options = false;
      frame.ip(source, target, protocol_of_tcp, tcp_bytes(tcp, 0)).tcp(port, service, tcp, 0);
  }
  send(kind, 0, frame, 1);
}

// The attacker knows a TCP flow's addresses and ports and stands on its outer side, but has not seen its sequence
// numbers: his are at least 2^30 off.
void Flood::attack_aimed(Kind kind) {
  u32 number = static_cast<u32>(any() % plan_.established);
  while (flows_[number].what != Flow::Class::tcp || (kind == Kind::icmp_error && flows_[number].inside.ipv6))
    number = (number + 1) % plan_.established;
  const Flow& flow = flows_[number];
  const u32 off = (u32{1} << 30) + static_cast<u32>(any() >> 33);
  TcpFields tcp{flow.next[1] + off, flow.next[0] + off, psh | ack};
  u32 data_bytes = 0;
  Frame frame(room());
  frame.ethernet(flow.inside.ipv6, true);
  if (kind == Kind::icmp_error) {  // a stranger says that what the flow's inner end sent did not arrive
    frame.ip(stranger(false), flow.inside, protocol_icmp4, 36).put(0x0301'0000, 4).put(0, 4);
    frame.ip(flow.inside, flow.outside, protocol_of_tcp, 20);
    frame.put(flow.inside_port, 2).put(flow.outside_port, 2).put(flow.next[0] + off, 4);
    return send(kind, number, frame, 1);
  }
  if (kind == Kind::aimed_data) data_bytes = 16;
  if (kind == Kind::aimed_reset) tcp.flags = any() % 2 ? rst : rst | ack;
  if (kind == Kind::aimed_flags) tcp.flags = wrong_flags[any() % std::size(wrong_flags)];
  if (kind == Kind::aimed_checksum) tcp.sequence = flow.next[1], tcp.acknowledgement = flow.next[0], tcp.flags = rst;
  frame.ip(flow.outside, flow.inside, protocol_of_tcp, tcp_bytes(tcp, data_bytes));
  frame.tcp(flow.outside_port, flow.inside_port, tcp, data_bytes);
  send(kind, number, frame, 1, kind == Kind::aimed_checksum ? Checksum::bad : Checksum::good);
}

}  // namespace weir::flood
