// A SYN cookie: the sequence number of a SYN-ACK that answers for a target without keeping anything, and lets the ACK
// that brings it back tell what its SYN said. An address that cannot receive what is sent to it cannot know one.
//
//   bits 31..8  MAC: SipHash-2-4 of both endpoints, the place of the flow, the client's first sequence number, the time
//               slot and the bits below
//   bits  7..4  the client's window scale, 15 where it has none
//   bit      3  the client permits SACK
//   bits  2..0  the client's maximum segment size, the nearest one of a table that is not above it
//
// A slot is 2^25 microseconds, 33.6 s, and the slot before the present one is accepted: a cookie holds for 33 to 67 s.
// A guess holds with probability 2^-23 (24 bits, two slots).
// Source: RFC 4987 3.6. The key is the process's own and random: who may choose SYNs sees as many outputs as he likes.
#pragma once
#include "dataplane/base/siphash.hpp"
#include "dataplane/base/tick.hpp"
#include "dataplane/packet/segment.hpp"

namespace weir {

inline constexpr u32 cookie_slot_shift = 25;
// No cookie made at least so long ago holds.
inline constexpr Tick cookie_life_max = Tick{2} << cookie_slot_shift;

// The sizes that a cookie tells apart: what IPv4 and IPv6 assume without the option, usual tunnels, Ethernet,
// InfiniBand and jumbo frames. Below the first, the first.
inline constexpr u16 cookie_mss[] = {256, 536, 1220, 1360, 1440, 1460, 4000, 8940};

// What a cookie vouches for. `sequence` is that of the client's SYN.
struct CookieSubject {
  Address client, target;
  u16 client_port, target_port;
  u32 scope;  // of the flow's key
  u32 sequence;
};

u32 cookie_of(const SipKey& key, const CookieSubject& subject, const TcpOptions& options, Tick now);
// Whether we made this cookie for the subject, in this slot or the one before.
bool cookie_holds(const SipKey& key, const CookieSubject& subject, u32 cookie, Tick now);
// The options that went into a cookie, as it can tell them.
TcpOptions options_of_cookie(u32 cookie);

}  // namespace weir
