// Addresses, prefixes and sets of them as numbers: parsing, showing, and set algebra on sorted disjoint ranges.
// Text is RFC 4291 and dotted quads without leading zeros; a prefix states no host bits.
#pragma once
#include "control/model/model.hpp"

#include <string>
#include <string_view>

namespace weir::control {

enum class PrefixFault : std::uint8_t { none, not_an_address, bad_length, host_bits };

// One prefix or address. With `host_bits` the range is that of the prefix meant, so that help can show it.
struct Prefix {
  PrefixFault fault = PrefixFault::not_an_address;
  bool is_ipv4 = true;
  std::uint8_t length = 0;
  Ipv4Range ipv4{};
  Ipv6Range ipv6{};
};
Prefix parse_prefix(std::string_view text);

std::string show(std::uint32_t ipv4);
std::string show(Ipv6Number ipv6);
std::string show(const Prefix& prefix);

// Adds a prefix without keeping the set's order; normalise() restores it.
void add(AddressSet& set, const Prefix& prefix);
void normalise(AddressSet& set);

bool empty(const AddressSet& set);
bool contains(const AddressSet& set, std::uint32_t ipv4);
bool contains(const AddressSet& set, Ipv6Number ipv6);
AddressSet unite(const AddressSet& a, const AddressSet& b);
AddressSet subtract(const AddressSet& a, const AddressSet& b);

// Globally routable unicast: what `except` without `cidr` starts from. Sources: IANA's IPv4 and IPv6 special-purpose
// address registries (RFC 6890 and its updates); NAT64, 6to4 and Teredo are left out as the language says.
const AddressSet& globally_routable();

}  // namespace weir::control
