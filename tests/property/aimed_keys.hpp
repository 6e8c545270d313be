// Flow keys as an attacker would choose them who knows the hash but not its secret, and as clusters have them by
// nature: in rows. Families are functions of a number, all of whose keys differ.
#pragma once
#include "tests/property/flow_keys.hpp"

#include <vector>

namespace weir {

using KeyFamily = FlowKey (*)(u32 number);

struct NamedFamily {
  const char* name;
  bool ipv6;
  KeyFamily key;
};

inline FlowKey row_key(bool ipv6, u64 source, u32 source_port, u64 target, u32 target_port) {
  const auto address = [&](u64 host) {
    return ipv6 ? Address{swap(u64{0xfd00'0000'0000'0000}), swap(host)}
                : Address::ipv4(swap(static_cast<u32>(0x0a00'0000 + host)));
  };
  bool swapped;
  return make_key(address(source), swap(static_cast<u16>(source_port)), address(target),
                  swap(static_cast<u16>(target_port)), numbered_scope, swapped);
}

// Without pattern, as what the others are compared with: a bijection of the number scattered over hosts and ports.
template <bool ipv6>
FlowKey scattered_key(u32 number) {
  u64 bits = (u64{number} + 1) * 0x9e37'79b9'7f4a'7c15;
  bits = (bits ^ bits >> 30) * 0xbf58'476d'1ce4'e5b9;
  bits = (bits ^ bits >> 27) * 0x94d0'49bb'1331'11eb;
  bits ^= bits >> 31;
  return row_key(ipv6, bits & 0x7f'ffff, static_cast<u32>(bits >> 23 & 0xffff), 0x80'0000 | (bits >> 39 & 0x1ff),
                 static_cast<u32>(bits >> 48));
}

// One pair of hosts: both ports in a row.
template <bool ipv6>
FlowKey port_row_key(u32 number) {
  return row_key(ipv6, 1, number & 0xffff, 2, 1024 + (number >> 16));
}
template <bool ipv6>
FlowKey address_row_key(u32 number) {
  return row_key(ipv6, 0x10'0000 + number, 40'000, 1, 443);
}
// 1024 hosts to 1024 others, then the next port.
template <bool ipv6>
FlowKey host_pairs_key(u32 number) {
  return row_key(ipv6, number & 1023, 4791, 0x1'0000 + (number >> 10 & 1023), 4791 + (number >> 20));
}
// Neighbours in the bits that a weak multiplication pushes out at the top.
inline FlowKey high_bits_key(u32 number) {
  bool swapped;
  return make_key({swap(u64{number} << 32), 0}, 0x5000, {swap(u64{1} << 63 | (number & 0xff)), 0}, 0x5000,
                  numbered_scope, swapped);
}

inline constexpr NamedFamily scattered_families[2] = {{"scattered, IPv4", false, scattered_key<false>},
                                                      {"scattered, IPv6", true, scattered_key<true>}};
inline constexpr NamedFamily row_families[] = {{"ports in a row, IPv4", false, port_row_key<false>},
                                               {"ports in a row, IPv6", true, port_row_key<true>},
                                               {"addresses in a row, IPv4", false, address_row_key<false>},
                                               {"addresses in a row, IPv6", true, address_row_key<true>},
                                               {"the same pairs of hosts, IPv4", false, host_pairs_key<false>},
                                               {"the same pairs of hosts, IPv6", true, host_pairs_key<true>},
                                               {"high bits, IPv6", true, high_bits_key}};

// The attacker's search: keys of a family that, were `guessed` the secret, would have their first bucket in one 64th of
// the index and their second one in another 12th. Looks at about 1024 for each that it takes; a family has 2^32.
inline std::vector<FlowKey> aimed_keys(KeyFamily family, const HashKey& guessed, u32 count) {
  std::vector<FlowKey> keys;
  keys.reserve(count);
  for (u32 number = 0; keys.size() < count; ++number) {
    const FlowKey key = family(number);
    const u64 hash = hash_of(key, guessed);
    const u32 spread = static_cast<u32>(hash >> 32 & 0xffff) * 0x9e37'79b1u;  // FlowIndex::other()
    if ((hash >> 26 & 0x3f) == 0x25 && spread >> 28 == 5) keys.push_back(key);
  }
  return keys;
}

}  // namespace weir
