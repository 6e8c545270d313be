// What one fragment shows of itself alone, IPv4 or IPv6; whether it fits the others of its datagram is Reassembly's
// question. Sources: RFC 791 2.3, 8200 4.5, 1858, 3128, 6946, 7112.
#include "dataplane/packet/layers.hpp"

namespace weir {
namespace {

// The least that a piece with more behind it may carry: so that the first holds every transport header, whatever the
// options, and a datagram takes few frames to hold. An MTU of 296, the smallest in use on slow lines (RFC 1144), gives
// pieces of 272; IPv6 has no MTU below 1280.
constexpr u32 piece_bytes_least = 256;

constexpr u32 datagram_bytes_most = 65535;

}  // namespace

// Order: reserved bits, atomic, lengths, too long, tiny. A piece that begins within the least first one would lie over
// its headers, or leaves it too little to hold them.
Reason parse_fragment(Walk& walk, u32 identification, u32 field, u32 before_bytes) {
  const u32 offset = field & 0xfff8, bytes = walk.l4_bytes();
  const bool more = (field & 1) != 0;
  if ((field & 6) != 0) return Reason::fragment_bad;
  if (offset == 0 && !more) return Reason::fragment_atomic;
  if (bytes == 0 || (more && bytes % 8 != 0)) return Reason::fragment_bad;
  if (before_bytes + offset + bytes > datagram_bytes_most) return Reason::fragment_too_long;
  if ((more && bytes < piece_bytes_least) || (offset != 0 && offset < piece_bytes_least)) return Reason::fragment_tiny;
  walk.link(PacketKind::fragment, 0);
  walk.out.fragment = static_cast<u16>(offset | more);
  walk.out.key = {walk.out.source, walk.out.target, static_cast<u16>(identification),
                  static_cast<u16>(identification >> 16), walk.scope(FlowClass::ip)};
  return Reason::undecided;
}

}  // namespace weir
