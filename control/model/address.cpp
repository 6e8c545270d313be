// Prefix text to ranges, and set algebra on sorted disjoint ranges, once for both families.
#include "control/model/address.hpp"

#include <arpa/inet.h>
#include <algorithm>
#include <array>
#include <charconv>
#include <cstring>

namespace weir::control {
namespace {

bool parse_ipv4(std::string_view text, std::uint32_t& out) {
  std::uint32_t value = 0;
  std::size_t at = 0;
  for (int part = 0; part < 4; ++part) {
    if (part > 0 && (at >= text.size() || text[at++] != '.')) return false;
    const std::size_t begin = at;
    std::uint32_t octet = 0;
    while (at < text.size() && text[at] >= '0' && text[at] <= '9' && at - begin < 3)
      octet = octet * 10 + static_cast<std::uint32_t>(text[at++] - '0');
    if (at == begin || octet > 255 || (at - begin > 1 && text[begin] == '0')) return false;
    value = value << 8 | octet;
  }
  out = value;
  return at == text.size();
}

bool parse_ipv6(std::string_view text, Ipv6Number& out) {
  std::array<char, INET6_ADDRSTRLEN + 1> copy{};
  // inet_pton stops at a zero byte, and would take what stands before it.
  if (text.empty() || text.size() >= copy.size() || text.find('\0') != std::string_view::npos) return false;
  std::memcpy(copy.data(), text.data(), text.size());
  std::array<std::uint8_t, 16> wire{};
  if (inet_pton(AF_INET6, copy.data(), wire.data()) != 1) return false;
  out = 0;
  for (const std::uint8_t byte : wire) out = out << 8 | byte;
  return true;
}

template <class Number>
void cut(Prefix& prefix, Number address, Number& first, Number& last, unsigned bits) {
  const Number host = prefix.length >= bits ? Number{0} : static_cast<Number>(~Number{0}) >> prefix.length;
  first = static_cast<Number>(address & static_cast<Number>(~host));
  last = static_cast<Number>(address | host);
  prefix.fault = (address & host) != 0 ? PrefixFault::host_bits : PrefixFault::none;
}

template <class Range>
void normalise_ranges(std::vector<Range>& ranges) {
  std::sort(ranges.begin(), ranges.end(), [](const Range& a, const Range& b) { return a.first < b.first; });
  std::size_t kept = 0;
  for (const Range& range : ranges) {
    if (kept > 0 && (range.first <= ranges[kept - 1].last || range.first - ranges[kept - 1].last == 1))
      ranges[kept - 1].last = std::max(ranges[kept - 1].last, range.last);
    else ranges[kept++] = range;
  }
  ranges.resize(kept);
}

template <class Range>
std::vector<Range> subtract_ranges(const std::vector<Range>& a, const std::vector<Range>& b) {
  std::vector<Range> out;
  std::size_t at = 0;
  for (Range range : a) {
    while (at < b.size() && b[at].last < range.first) ++at;
    bool whole_gone = false;
    for (std::size_t next = at; next < b.size() && b[next].first <= range.last; ++next) {
      if (b[next].first > range.first) out.push_back({range.first, b[next].first - 1});
      if (b[next].last >= range.last) {
        whole_gone = true;
        break;
      }
      range.first = b[next].last + 1;
    }
    if (!whole_gone) out.push_back(range);
  }
  return out;
}

template <class Range, class Number>
bool contains_number(const std::vector<Range>& ranges, Number value) {
  const auto after = std::upper_bound(ranges.begin(), ranges.end(), value,
                                      [](Number v, const Range& range) { return v < range.first; });
  return after != ranges.begin() && value <= std::prev(after)->last;
}

// Blocks that are not globally reachable unicast, then blocks inside them that are.
constexpr const char* not_global[] = {"0.0.0.0/8",      "10.0.0.0/8",     "100.64.0.0/10", "127.0.0.0/8",
                                      "169.254.0.0/16", "172.16.0.0/12",  "192.0.0.0/24",  "192.0.2.0/24",
                                      "192.88.99.0/24", "192.168.0.0/16", "198.18.0.0/15", "198.51.100.0/24",
                                      "203.0.113.0/24", "224.0.0.0/4",    "240.0.0.0/4",   "2001::/23",
                                      "2001:db8::/32",  "2002::/16",      "3fff::/20"};
constexpr const char* global_inside[] = {"192.0.0.9",   "192.0.0.10",      "2001:1::1",    "2001:1::2",   "2001:1::3",
                                         "2001:3::/32", "2001:4:112::/48", "2001:20::/28", "2001:30::/28"};

template <std::size_t n>
AddressSet set_of(const char* const (&texts)[n]) {
  AddressSet set;
  for (const char* text : texts) add(set, parse_prefix(text));
  normalise(set);
  return set;
}

}  // namespace

Prefix parse_prefix(std::string_view text) {
  Prefix prefix;
  const std::size_t slash = text.find('/');
  const std::string_view address = text.substr(0, slash);
  std::uint32_t ipv4 = 0;
  Ipv6Number ipv6 = 0;
  prefix.is_ipv4 = parse_ipv4(address, ipv4);
  if (!prefix.is_ipv4 && !parse_ipv6(address, ipv6)) return prefix;
  const unsigned bits = prefix.is_ipv4 ? 32 : 128;
  unsigned length = bits;
  if (slash != std::string_view::npos) {
    const std::string_view digits = text.substr(slash + 1);
    const auto [end, fault] = std::from_chars(digits.data(), digits.data() + digits.size(), length);
    const bool whole = fault == std::errc{} && end == digits.data() + digits.size();
    if (!whole || length > bits || (digits.size() > 1 && digits[0] == '0')) {
      prefix.fault = PrefixFault::bad_length;
      return prefix;
    }
  }
  prefix.length = static_cast<std::uint8_t>(length);
  if (prefix.is_ipv4) cut(prefix, ipv4, prefix.ipv4.first, prefix.ipv4.last, bits);
  else cut(prefix, ipv6, prefix.ipv6.first, prefix.ipv6.last, bits);
  return prefix;
}

std::string show(std::uint32_t ipv4) {
  std::string out;
  for (int shift = 24; shift >= 0; shift -= 8) {
    out += std::to_string(ipv4 >> shift & 255);
    if (shift > 0) out += '.';
  }
  return out;
}

std::string show(Ipv6Number ipv6) {
  std::array<std::uint8_t, 16> wire{};
  for (std::size_t i = 0; i < 16; ++i) wire[i] = static_cast<std::uint8_t>(ipv6 >> (120 - 8 * i));
  std::array<char, INET6_ADDRSTRLEN> text{};
  return inet_ntop(AF_INET6, wire.data(), text.data(), text.size()) != nullptr ? text.data() : "";
}

std::string show(const Prefix& prefix) {
  return (prefix.is_ipv4 ? show(prefix.ipv4.first) : show(prefix.ipv6.first)) + "/" + std::to_string(prefix.length);
}

void add(AddressSet& set, const Prefix& prefix) {
  if (prefix.is_ipv4) set.ipv4.push_back(prefix.ipv4);
  else set.ipv6.push_back(prefix.ipv6);
}

void normalise(AddressSet& set) {
  normalise_ranges(set.ipv4);
  normalise_ranges(set.ipv6);
}

bool empty(const AddressSet& set) { return set.ipv4.empty() && set.ipv6.empty(); }
bool contains(const AddressSet& set, std::uint32_t ipv4) { return contains_number(set.ipv4, ipv4); }
bool contains(const AddressSet& set, Ipv6Number ipv6) { return contains_number(set.ipv6, ipv6); }

AddressSet unite(const AddressSet& a, const AddressSet& b) {
  AddressSet out = a;
  out.ipv4.insert(out.ipv4.end(), b.ipv4.begin(), b.ipv4.end());
  out.ipv6.insert(out.ipv6.end(), b.ipv6.begin(), b.ipv6.end());
  normalise(out);
  return out;
}

AddressSet subtract(const AddressSet& a, const AddressSet& b) {
  return {subtract_ranges(a.ipv4, b.ipv4), subtract_ranges(a.ipv6, b.ipv6)};
}

const AddressSet& globally_routable() {
  static const AddressSet set = [] {
    constexpr const char* whole[] = {"0.0.0.0/0", "2000::/3"};
    return unite(subtract(set_of(whole), set_of(not_global)), set_of(global_inside));
  }();
  return set;
}

}  // namespace weir::control
