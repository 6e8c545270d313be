// What event logs tell of traffic that no allow covers: let pass by a policy in monitor mode, or dropped by one that
// enforces. Lines of other events, and lines that are none, are counted and left out.
#pragma once
#include <cstdint>
#include <map>
#include <set>
#include <string>
#include <string_view>
#include <tuple>

namespace weir::control {

// A kind of traffic: who dials whom, by segment (or by address, where no segment has it), and for what.
struct Wanted {
  enum class What : std::uint8_t { tcp, udp, sctp, icmp4, icmp6, rdma, protocol };
  std::string from, to;      // segments; "" where it is in none
  What what;
  std::uint16_t number = 0;  // target port; ICMP type << 8 | code; protocol
  auto operator<=>(const Wanted&) const = default;
};

struct Met {
  std::uint64_t times = 0;
  std::set<std::string> sources, targets;  // addresses, at most addresses_most of each
  bool more_sources = false, more_targets = false;
  std::string first, last;                 // times, as EVE writes them
};
inline constexpr std::size_t addresses_most = 64, kinds_most = 100'000;

struct Seen {
  std::map<Wanted, Met> wanted;
  std::map<std::tuple<std::string, std::string, std::string>, std::uint64_t> forbidden;  // by forbid, from, to
  std::uint64_t lines = 0, unread = 0, beyond = 0;  // not an event's line; kinds of traffic beyond kinds_most
  std::string first, last;

  void add(std::string_view line);
};

}  // namespace weir::control
