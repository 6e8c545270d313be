// Neighbour and router discovery: the validity tests of RFC 4861 6.1 and 7.1, and no bytes hidden around the message.
// Whether the addresses belong to the port is the pipeline's question.
#include "dataplane/packet/layers.hpp"

namespace weir {
namespace {

constexpr u8 router_solicitation = 133, router_advertisement = 134;
constexpr u8 neighbour_solicitation = 135, neighbour_advertisement = 136;

u32 fixed_bytes(u8 type) { return type == router_solicitation ? 8 : type == router_advertisement ? 16 : 24; }

constexpr u8 option_source_link_address = 1, option_target_link_address = 2, option_nonce = 14;

// Every option states a length of at least one unit of eight bytes. All but router advertisements are canonical: at
// most one link address, of the side that the message speaks for, and one nonce (RFC 7527), each one unit long.
bool options_hold(u8 type, const u8* option, const u8* end, bool& source_link_address) {
  const u8 link_address = type == neighbour_advertisement ? option_target_link_address : option_source_link_address;
  bool has_link_address = false, has_nonce = false;
  while (option < end) {
    if (end - option < 8 || option[1] == 0 || option[1] * 8 > end - option) return false;
    if (option[0] == option_source_link_address) source_link_address = true;
    if (type != router_advertisement) {
      bool& seen = option[0] == link_address ? has_link_address : has_nonce;
      if ((option[0] != link_address && option[0] != option_nonce) || option[1] != 1 || seen) return false;
      seen = true;
    }
    option += option[1] * 8;
  }
  return true;
}

// ff02::1:ff00:0/104.
bool is_solicited_node(const u8* address) {
  static constexpr u8 prefix[13] = {0xff, 0x02, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0xff};
  return std::memcmp(address, prefix, sizeof prefix) == 0;
}

bool addresses_hold(const Walk& walk, u8 type, bool source_link_address) {
  const u8* ip = walk.frame + walk.out.l3_offset;
  const u8* message = walk.l4();
  const bool unspecified = walk.out.source == Address{0, 0};
  if (unspecified && source_link_address) return false;
  if (type == router_solicitation) return true;
  if (type == router_advertisement) return ip[8] == 0xfe && (ip[9] & 0xc0) == 0x80;
  if (message[8] == 0xff) return false;
  if (type == neighbour_solicitation) return !unspecified || is_solicited_node(ip + 24);
  const bool solicited = (message[4] & 0x40) != 0;
  return !solicited || ip[24] != 0xff;
}

}  // namespace

// One reason for all of it, so no order: hop limit 255, code 0, nothing between the IPv6 header and the message (RFC
// 6980 and RFC 7113 say how that evades guards), nothing after it in the frame, lengths, options, addresses.
Reason parse_neighbour(Walk& walk) {
  const u8 type = walk.out.icmp_type;
  const bool bare = walk.out.l4_offset == walk.out.l3_offset + ipv6_bytes && walk.end == walk.present;
  if (walk.hops != 255 || walk.out.icmp_code != 0 || !bare) return Reason::link_nd_bad;
  if (walk.l4_bytes() < fixed_bytes(type)) return Reason::link_nd_bad;
  bool source_link_address = false;
  const u8* message = walk.l4();
  if (!options_hold(type, message + fixed_bytes(type), message + walk.l4_bytes(), source_link_address))
    return Reason::link_nd_bad;
  if (!addresses_hold(walk, type, source_link_address)) return Reason::link_nd_bad;
  return walk.link(type <= router_advertisement ? PacketKind::ra : PacketKind::nd, icmp_bytes);
}

}  // namespace weir
