// A policy as its writers meant it: names resolved to indices, address and port sets as sorted disjoint ranges, every
// statement with the place it was written. Filled by control/source and control/check, read by control/compile.
// Plain data; no TOML in it and no image.
#pragma once
#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace weir::control {

// Bytes [begin, end) of file `file` in Sources::files. Line and column are derived only to be shown.
struct Span {
  std::uint32_t file = 0;
  std::uint32_t begin = 0;
  std::uint32_t end = 0;
};

// Inclusive ranges, sorted, disjoint, not adjacent. IPv4 as a host-order number; IPv6 as 128-bit host-order.
__extension__ using Ipv6Number = unsigned __int128;
struct Ipv4Range {
  std::uint32_t first, last;
};
struct Ipv6Range {
  Ipv6Number first, last;
};
struct AddressSet {
  std::vector<Ipv4Range> ipv4;
  std::vector<Ipv6Range> ipv6;
};
struct PortRange {
  std::uint16_t first, last;  // also (type << 8 | code) ranges for ICMP
};

enum class Class : std::uint8_t { public_, internal, restricted, secret };

// A segment, or a list used as one (is_list). Statements refer to it by index in Model::segments.
struct Segment {
  std::string name;
  Span span;                          // of the name where it is defined
  bool is_list = false;
  bool has_addresses = false;         // cidr, except or a list's file; false: identity by port alone
  AddressSet addresses;
  std::vector<std::string> attach;    // exact port names or `prefix*`; empty: not attached
  std::optional<Class> security_class;
  Span class_span;
};

// [port.NAME]: what one port may claim.
struct PortPin {
  std::string name;
  Span span;
  bool has_addresses = false;         // an empty pin without the key pins no address
  AddressSet addresses;
  std::vector<std::array<std::uint8_t, 6>> macs;
};

// What `with` names, unioned and normalised: sorted disjoint ranges.
struct ServiceSet {
  std::vector<PortRange> tcp, udp, sctp;
  std::vector<PortRange> icmp4, icmp6;          // type << 8 | code
  std::vector<std::uint8_t> protocols;          // any other IP protocol numbers, e.g. 47, 50, 51; sorted
};

enum class Log : std::uint8_t { none, opened, all };

// One [[allow]] or [[forbid]].
struct Statement {
  std::string name;                   // given, or made from its place when absent; unique
  Span span;                          // of the name, or of the header when there is none
  bool is_forbid = false;
  std::vector<std::uint32_t> from, to;  // segment indices, sorted, unique; groups and lists expanded
  bool from_any = false, to_any = false;  // key omitted: every address, known or not
  ServiceSet services;
  Log log = Log::none;
  std::optional<std::int64_t> expires_s;  // first second (Unix) at which it no longer holds
};

struct Link {
  bool arp = false, nd = false, ra = false, dhcp = false;
};

struct Model {
  std::string name;                   // [policy] name
  std::vector<std::string> files;     // display paths, by Span::file
  std::vector<Segment> segments;      // sorted by name
  std::vector<PortPin> ports;         // sorted by name
  std::vector<Statement> statements;  // sorted by name
  Link link;

  // Line (from 1) of a span's start, for the image's rule table.
  std::vector<std::vector<std::uint32_t>> line_starts;  // by file: byte offset of each line
  std::uint32_t line_of(const Span& span) const;
};

}  // namespace weir::control
