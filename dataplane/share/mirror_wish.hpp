// Which packets somebody wants to see of those that are being judged: some of the reasons, and a filter in postfix,
// made by control/see of what a person wrote. A worker asks it of packets that have been decided, while an order is
// armed.
//
// It comes over the door, so from outside: fault_of() looks at all of it before anybody follows a step. Names stand in
// it as text, so that they mean the same under the next policy.
#pragma once
#include "dataplane/packet/key.hpp"
#include "dataplane/packet/numbers.hpp"
#include "dataplane/packet/reason.hpp"

#include <bit>
#include <string_view>
#include <type_traits>

namespace weir {

inline constexpr u64 mirror_wish_magic = 0x3148'5349'574d'5757;  // "WWMWISH1"
inline constexpr u32 mirror_steps_max = 32, mirror_names_max = 8, mirror_name_bytes = 64;
inline constexpr u32 mirror_packets_max = 1'000'000, mirror_ms_max = 3'600'000;

struct MirrorStep {
  enum class Kind : u8 { both, either, negation, protocol, family, address, port, segment, rule, reason };
  enum class Side : u8 { any, source, target };
  Kind kind;
  Side side;
  u8 left, right;         // both, either: earlier steps; negation: left alone
  u16 first, last;        // port: a range; protocol, family (4 or 6), reason: first alone; segment, rule: which name
  u64 lowest[2], highest[2];  // address: a range of numbers in the machine's order, the higher word first
  u8 is_ipv4;             // address
  u8 zero[7];
};
static_assert(sizeof(MirrorStep) == 48);

struct MirrorWish {
  u64 magic;
  u32 packets;      // so many and no more, from 1
  u32 for_ms;       // so long and no longer, from 1
  u64 reasons[3];   // a bit for each reason that is wanted
  u8 wants_stages;  // what a packet met on its way is noted, too
  u8 steps_count;   // the last is the whole; 0: every packet
  u8 names_count;
  u8 zero[5];
  MirrorStep steps[mirror_steps_max];
  char names[mirror_names_max][mirror_name_bytes];  // NUL-terminated

  bool wants(Reason reason) const {
    return (reasons[static_cast<u32>(reason) / 64] >> static_cast<u32>(reason) % 64 & 1) != 0;
  }
  void want(Reason reason) { reasons[static_cast<u32>(reason) / 64] |= u64{1} << static_cast<u32>(reason) % 64; }
  std::string_view name(u32 at) const {
    std::size_t letters = 0;
    while (letters < mirror_name_bytes && names[at][letters] != '\0') ++letters;
    return {names[at], letters};
  }
};
static_assert(std::is_trivially_copyable_v<MirrorWish> && sizeof(MirrorWish) == 2096 && reasons_count <= 3 * 64);

// A packet as a wish sees it. Names are "" where there is none, and match none.
struct MirrorFacts {
  bool has_addresses = false;  // else nothing is known of it but its reason
  Address source{}, target{};
  u16 source_port = 0, target_port = 0;  // host order
  u8 protocol = 0;
  std::string_view from, to, rule;
  Reason reason = Reason::undecided;
};

// Null; or why it is no wish that can be followed.
inline const char* fault_of(const MirrorWish& wish) {
  using Kind = MirrorStep::Kind;
  if (wish.magic != mirror_wish_magic) return "the file holds no wish of this version";
  if (wish.packets == 0 || wish.packets > mirror_packets_max) return "from one packet to a million can be shown";
  if (wish.for_ms == 0 || wish.for_ms > mirror_ms_max) return "it goes on for an hour at most";
  if (wish.wants_stages > 1 || wish.steps_count > mirror_steps_max || wish.names_count > mirror_names_max)
    return "its filter is longer than one may be";
  u64 wanted = 0;
  for (u32 reason = 0; reason < 3 * 64; ++reason) {
    const bool is_wanted = (wish.reasons[reason / 64] >> reason % 64 & 1) != 0;
    if (is_wanted && reason >= reasons_count) return "it wants a reason that there is not";
    wanted += is_wanted;
  }
  if (wanted == 0) return "it wants no reason";
  for (u32 at = 0; at < wish.names_count; ++at)
    if (wish.name(at).size() == mirror_name_bytes) return "a name in its filter does not end";
  for (u32 at = 0; at < wish.steps_count; ++at) {
    const MirrorStep& step = wish.steps[at];
    if (step.kind > Kind::reason || step.side > MirrorStep::Side::target || step.is_ipv4 > 1)
      return "its filter has a step of no kind";
    if (step.kind <= Kind::negation && (step.left >= at || (step.kind != Kind::negation && step.right >= at)))
      return "its filter names a step that does not come before";
    if ((step.kind == Kind::segment || step.kind == Kind::rule) && step.first >= wish.names_count)
      return "its filter names no name of its own";
  }
  return nullptr;
}

namespace mirror {

inline bool has_ports(u8 protocol) {
  return protocol == protocol_tcp || protocol == protocol_udp || protocol == protocol_sctp;
}

inline bool is_within(const Address& address, const MirrorStep& step) {
  if (address.is_ipv4() != (step.is_ipv4 != 0)) return false;
  const u64 high = address.is_ipv4() ? 0 : std::byteswap(address.high);
  const u64 low = address.is_ipv4() ? std::byteswap(static_cast<u32>(address.low)) : std::byteswap(address.low);
  const u128 number = u128{high} << 64 | low;
  return number >= (u128{step.lowest[0]} << 64 | step.lowest[1]) &&
         number <= (u128{step.highest[0]} << 64 | step.highest[1]);
}

template <class Holds>
bool of_either(MirrorStep::Side side, const Holds& holds) {
  return (side != MirrorStep::Side::target && holds(true)) || (side != MirrorStep::Side::source && holds(false));
}

inline bool step_holds(const MirrorWish& wish, const MirrorStep& step, const MirrorFacts& facts, u32 held) {
  using Kind = MirrorStep::Kind;
  switch (step.kind) {
    case Kind::both: return (held >> step.left & held >> step.right & 1) != 0;
    case Kind::either: return ((held >> step.left | held >> step.right) & 1) != 0;
    case Kind::negation: return (held >> step.left & 1) == 0;
    case Kind::reason: return static_cast<u16>(facts.reason) == step.first;
    case Kind::rule: return facts.rule == wish.name(step.first);
    case Kind::segment:
      return of_either(step.side,
                       [&](bool source) { return (source ? facts.from : facts.to) == wish.name(step.first); });
    default: break;
  }
  if (!facts.has_addresses) return false;
  switch (step.kind) {
    case Kind::protocol: return facts.protocol == step.first;
    case Kind::family: return facts.source.is_ipv4() == (step.first == 4);
    case Kind::address:
      return of_either(step.side, [&](bool source) { return is_within(source ? facts.source : facts.target, step); });
    case Kind::port:
      return has_ports(facts.protocol) && of_either(step.side, [&](bool source) {
               const u16 port = source ? facts.source_port : facts.target_port;
               return port >= step.first && port <= step.last;
             });
    default: return false;
  }
}

}  // namespace mirror

// Of a wish without a fault.
inline bool matches(const MirrorWish& wish, const MirrorFacts& facts) {
  if (wish.steps_count == 0) return true;
  u32 held = 0;  // a bit for each step
  for (u32 at = 0; at < wish.steps_count; ++at)
    held |= u32{mirror::step_holds(wish, wish.steps[at], facts, held)} << at;
  return (held >> (wish.steps_count - 1) & 1) != 0;
}

}  // namespace weir
