// ICMP (RFC 792, 950, 8335) and ICMPv6 (RFC 4443, 3810): queries by identifier, errors by the packet they quote. A type
// without a known form is left to policy, under number 0, if it is informational.
#include "dataplane/packet/layers.hpp"

namespace weir {
namespace {

IcmpForm form4(u8 type) {
  switch (type) {
    case 0:
    case 8:  // echo
    case 15:
    case 16:  // information
    case 42:
    case 43: return {8, true, true};  // extended echo
    case 13:
    case 14: return {20, true, true};  // timestamp
    case 17:
    case 18: return {12, true, true};  // address mask
    case 3:
    case 4:
    case 5:
    case 11:
    case 12: return {icmp_bytes, false, false};
    default: return {icmp_bytes, true, false};
  }
}

IcmpForm form6(u8 type) {
  switch (type) {
    case 128:
    case 129:  // echo
    case 160:
    case 161: return {8, true, true};  // extended echo
    case 130:
    case 131:
    case 132: return {24, true, false};  // multicast listener discovery
    case 133:
    case 134:
    case 135:
    case 136:
    case 137: return {icmp_bytes, false, false};
    default: return {icmp_bytes, type >= 128, false};
  }
}

// The query that a type answers, else the type itself (RFC 792, 950; RFC 4443, section 4.2).
u8 query_of(bool is_ipv4, u8 type) {
  if (!is_ipv4) return type == 129 ? 128 : type;
  if (type == 0) return 8;
  return type == 14 || type == 16 || type == 18 ? static_cast<u8>(type - 1) : type;
}

Reason parse_message(Walk& walk, FlowClass flow_class) {
  const IcmpForm form = icmp_form(walk.out.is_ipv4, walk.out.icmp_type);
  if (!form.is_flow || walk.l4_bytes() < form.bytes_least) return Reason::icmp_header_bad;
  const IcmpNumbers numbers = icmp_numbers(walk.out.is_ipv4, walk.l4());
  return walk.flow(flow_class, numbers.source, numbers.target, icmp_bytes);
}

// No error is so long that it need be fragmented (RFC 1812 4.3.2.3, RFC 4443 2.4 c), and the quote of one that is may
// not all be here.
Reason parse_error(Walk& walk, Reason (*parse_quote)(Walk&, u32)) {
  if (walk.datagram_bytes != 0) return Reason::icmp_header_bad;
  walk.out.kind = PacketKind::icmp_error;
  walk.out.payload_offset = static_cast<u16>(walk.out.l4_offset + icmp_bytes);
  walk.out.payload_bytes = walk.l4_bytes() - icmp_bytes;
  return parse_quote(walk, walk.out.payload_offset);
}

}  // namespace

IcmpForm icmp_form(bool is_ipv4, u8 type) { return is_ipv4 ? form4(type) : form6(type); }

IcmpNumbers icmp_numbers(bool is_ipv4, const u8* message) {
  if (!icmp_form(is_ipv4, message[0]).has_identifier) return {0, 0};
  const u16 identifier = load<u16>(message + 4);
  const u8 query = query_of(is_ipv4, message[0]);
  const u16 number = swap(u16{query});
  return query == message[0] ? IcmpNumbers{identifier, number} : IcmpNumbers{number, identifier};
}

// Source quench is deprecated (RFC 6633) and no flow's business, so it ends in parse_message().
Reason parse_icmp4(Walk& walk) {
  if (walk.l4_bytes() < icmp_bytes) return Reason::icmp_header_bad;
  const u8 type = walk.out.icmp_type = walk.l4()[0];
  walk.out.icmp_code = walk.l4()[1];
  switch (type) {
    case 3:
    case 11:
    case 12: return parse_error(walk, parse_quote4);
    case 5: return Reason::link_redirect;
    default: return parse_message(walk, FlowClass::icmp4);
  }
}

Reason parse_icmp6(Walk& walk) {
  if (walk.l4_bytes() < icmp_bytes) return Reason::icmp_header_bad;
  const u8 type = walk.out.icmp_type = walk.l4()[0];
  walk.out.icmp_code = walk.l4()[1];
  if (type >= 1 && type <= 4) return parse_error(walk, parse_quote6);
  if (type == 137) return Reason::link_redirect;
  if (type >= 133 && type <= 136) return parse_neighbour(walk);
  return parse_message(walk, FlowClass::icmp6);
}

}  // namespace weir
