// A policy as its writers meant it: names resolved to indices, address and port sets as sorted disjoint ranges, every
// statement with the place it was written. Filled by control/source and control/check, read by control/compile.
// Plain data; no TOML in it and no image.
#pragma once
#include "control/model/patterns.hpp"

#include <array>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

namespace weir::control {

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
  std::uint32_t reserve = 0;          // of the flow table, in ten-thousandths; 0: none
  bool reject = false;                // what is denied to its hosts is answered
  std::vector<std::uint32_t> vnis;    // the networks inside which it lives, ascending; empty: outside every tunnel
  std::optional<std::uint64_t> rate_bits_per_s;  // all that can leave it, whatever policy says
  std::uint32_t hosts = 0;            // as many as it has at the most; 0: not said
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
  std::vector<PortRange> rdma{};                // connection-manager ports; 0 stands for what needs none ("nccl")
};

enum class Log : std::uint8_t { none, opened, all };

// What queue pairs of an allow may do, and what its connections must speak.
struct RdmaTerms {
  std::optional<std::uint8_t> operations;  // bits of dataplane/packet/rdma.hpp; without them READ depends on assets
  std::uint32_t read_mtu = 1024;
  std::uint64_t read_credit = 64ull << 20;
  std::uint32_t first_use = 0;        // queue pairs of one source learned by their first packet
  std::uint16_t protocols = 0;        // bits of RdmaRule::protocols in an image
};

// What an allow asks of each packet, and what it writes over in it.
struct CovertTerms {
  std::optional<std::uint32_t> dns;   // index in Model::dns_terms
  enum class IcmpPayload : std::uint8_t { pass, normalise, deny } icmp_payload = IcmpPayload::pass;
  bool scrub = false;
};

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
  bool syn_proxy = false;             // allow: its handshakes are answered before the target hears of them
  bool reject = false;                // forbid: what it denies is answered
  std::uint32_t breakglass_s = 0;     // allow: closed, and opened for at most so long; 0: it is an ordinary one
  RdmaTerms rdma{};
  std::vector<std::uint32_t> inspections{};  // of an allow: indices in Model::inspections, sorted, unique
  CovertTerms covert{};
};

struct Link {
  bool arp = false, nd = false, ra = false, dhcp = false;
  std::uint64_t bytes_a_day = 1'000'000;  // of each of them, per port
};

// How often, as dataplane/base/rate.hpp has it: a count of units between two, and how far ahead they may run.
struct Frequency {
  std::uint64_t interval = 0;         // 0: no limit
  std::uint64_t tolerance = 0;
};

// [dns.NAME]: what DNS may carry. 0: no limit.
struct DnsTerms {
  std::string name;
  Span span;
  Frequency queries;                  // of one source
  std::uint32_t name_bytes = 0, answer_bytes = 0;  // the longest
  std::uint32_t information_bytes = 0;  // of distinct names of one source below one registered domain, in a window
  std::uint32_t domains = 0;          // of one source, in a window
  std::uint32_t window_s = 3600;
  bool monitor = false;
  std::optional<std::int64_t> monitor_until_s;  // first second (Unix) at which it enforces all the same
};

// [state] and [flood]. What a policy does not say has these values: strict, and without limits.
struct Tracking {
  bool loose = false, pick_up = false, trust_checksums = false, drop_fragments = false;
  std::uint32_t sweep_ms = 5'000;
  std::map<std::string, std::uint32_t, std::less<>> timeouts_ms;  // those that are stated, by their name
  Frequency new_per_source, new_per_target, icmp;
  Frequency reject{2'560'000, 99 * 2'560'000};                    // 100/s
  std::uint32_t half_open = 0, half_open_per_target = 0, udp = 0;
  std::uint32_t scan_ports = 0, scan_hosts = 0, scan_window_ms = 10'000, scan_block_ms = 0;
  enum class SynProxy : std::uint8_t { never, pressure, always } syn_proxy = SynProxy::never;
};

// Never more than `bytes` in any interval of `length_s` seconds; length 0: ever.
struct Window {
  std::uint64_t bytes = 0;
  std::uint64_t length_s = 0;
  Span span;
};

// One [[budget]]: what its packets may carry from a source in `from` to a target in `to`, whichever side dialled.
struct Budget {
  std::string name;                   // given, or made from its place when absent; unique among budgets
  Span span;                          // of the name, or of the header when there is none
  std::vector<std::uint32_t> from, to;  // segment indices, sorted, unique; groups and lists expanded
  bool to_any = false;                // `to` omitted: everything outside `from`, targets of no segment included
  ServiceSet services;                // of the connection
  bool any_service = false;           // `with` omitted: everything, frames that are not IP included
  std::vector<Window> windows;        // never empty; by length, lifetime last; no length twice
  enum class Count : std::uint8_t { wire, payload } count = Count::wire;
  std::uint32_t surcharge = 64;       // bytes per packet that are added to a payload
  enum class Exceed : std::uint8_t { deny, throttle, alert } on_exceed = Exceed::deny;
  std::uint64_t throttle_bits_per_s = 0;  // with throttle, never 0
  std::vector<std::uint8_t> alert_at;     // per cent, ascending, unique
  enum class Scope : std::uint8_t { fleet, segment, host } scope = Scope::fleet;
  std::uint32_t max_share = 0;        // of every window, in ten-thousandths; 0: none
  struct Reserve {
    std::optional<std::uint32_t> segment;  // who alone may use the part: this segment of `from` or `to`, or
    ServiceSet services;                   // connections of these services
    std::uint32_t share = 0;               // ten-thousandths, never 0
    Span span;
  };
  std::vector<Reserve> reserves;      // shares of 10,000 together at the most
  bool opens_empty = false;           // traffic that had no budget before starts with a full window
  bool monitor = false;               // counts and tells; absent for E0301 and for every bound
  std::optional<std::int64_t> monitor_until_s;  // first second (Unix) at which it enforces all the same
  Span from_span, windows_span;       // of the values
};

// One [[limit]]: what connections that `from` dials may do, both directions together, in frame bytes.
struct Limit {
  std::string name;                   // as a budget's; unique among limits
  Span span;
  std::vector<std::uint32_t> from, to;
  bool from_any = false, to_any = false;  // key omitted: every address, known or not
  ServiceSet services;
  bool any_service = false;
  std::uint64_t rate_bits_per_s = 0;  // 0: no limit of bytes
  std::uint64_t burst_bytes = 0;      // with a rate, never 0
  Frequency packets, new_connections;
  std::uint32_t connections = 0;      // at once; 0: no limit
  enum class Per : std::uint8_t { rule, source, target, pair } per = Per::rule;
  bool monitor = false;
  std::optional<std::int64_t> monitor_until_s;
};

// [asset.NAME]: what must not leave.
struct Asset {
  std::string name;
  Span span;
  std::uint64_t bytes = 0;            // of one copy, never 0
  std::vector<std::uint32_t> held;    // segment indices, sorted, unique, never empty
  std::uint32_t compression_thousandths = 100'000;  // the ratio an attacker is thought to reach
};

// A pair of which no packet may be forwarded.
struct NeverPair {
  std::vector<std::uint32_t> from, to;
  bool via_any = false;               // over any number of hops that policy allows
};

// One [[invariant]]: either `never`, or `asset` with at least one of the two bounds.
struct Invariant {
  std::string name;
  Span span;
  std::optional<NeverPair> never;
  std::optional<std::uint32_t> asset;     // index in Model::assets
  std::vector<std::uint32_t> to;          // exits: segment indices, sorted, unique
  bool to_any = false;                    // key omitted: everywhere that is of a lower class, or of none
  std::optional<std::uint64_t> at_least_s;    // the shortest time in which one copy may leave
  std::optional<std::uint64_t> at_most_bytes;  // that may ever leave
  std::uint32_t ratio_thousandths = 1'000;     // compression to assume; without the key that of the asset
};

// [job.NAME]: segments whose hosts train together.
struct Job {
  std::string name;
  Span span;
  std::vector<std::uint32_t> members; // segment indices, sorted, unique, never empty
  std::uint8_t transports = 0;        // image::transport_*; never 0
  std::uint8_t operations = 0x7f;
  std::uint64_t seal_after_us = 0;    // 0: sealed only by an operator
  std::optional<std::uint64_t> tag;   // NCCL's magic
  std::uint32_t read_mtu = 0;         // 0: not said
  std::uint64_t read_credit = 0;
  std::uint64_t burst = 0;            // bytes one way within the window that are told; 0: not watched
  std::uint64_t window_us = 60'000'000;
  std::uint32_t ratio = 20;           // how many times the other way is one way
  std::optional<std::uint32_t> uet;   // JobID of Ultra Ethernet, 24 bits
};

// One [[queue_pair]]: queue pairs that no handshake teaches.
struct QueuePair {
  Span span;
  AddressSet from, to;                // one address each, of one family
  std::optional<std::uint32_t> from_qp, to_qp;  // at least one; 24 bits
};

// [rdma].
struct RdmaSettings {
  bool check_icrc = false;
  Frequency cnp{2'560, 99'999 * 2'560};    // 100,000/s
  Frequency cm{256'000, 999 * 256'000};    // 1,000/s
  std::uint32_t nak_penalty_ms = 1'000;
};

// [inspect.NAME]: what is looked for in what an allow opens, and what becomes of it.
struct Inspection {
  std::string name;
  Span span;
  std::uint32_t first_bytes = 64 << 10;  // of each direction, read in order; never 0
  bool out = true, in = true;         // what `from` of the allow sends; what comes back; at least one
  bool tensors = false;
  enum class OnMatch : std::uint8_t { deny, alert, quarantine } on_match = OnMatch::deny;
  enum class Opaque : std::uint8_t { allow, alert, deny } opaque = Opaque::allow;
  enum class Busy : std::uint8_t { wait, deny } busy = Busy::wait;
  std::uint32_t max_quarantined = 500;  // of the hosts, in ten-thousandths
  std::vector<std::uint32_t> sets;    // indices in Model::pattern_sets, sorted, unique
  bool monitor = false;
  std::optional<std::int64_t> monitor_until_s;  // first second (Unix) at which it enforces all the same
};

// How many accounts a budget per host can need for one segment: as many as it has hosts, or as it has
// ports where they alone say who is in it. 0: nobody said.
inline constexpr std::uint32_t attached_ports_max = 16;
std::uint32_t most_hosts(const Segment& segment);

struct Model {
  std::string name;                   // [policy] name
  std::vector<std::string> files;     // display paths, by Span::file
  std::vector<Segment> segments;      // sorted by name
  std::vector<PortPin> ports;         // sorted by name
  std::vector<Statement> statements;  // sorted by name
  std::vector<Statement> breakglass;  // allows that are closed, sorted by name; control/model/breakglass.hpp
  Link link;
  Tracking tracking;
  std::vector<Budget> budgets;        // sorted by name
  std::vector<Limit> limits;          // sorted by name
  std::vector<Asset> assets;          // sorted by name
  std::vector<Invariant> invariants;  // sorted by name
  std::vector<Job> jobs;              // sorted by name
  std::vector<QueuePair> queue_pairs; // in the order found
  RdmaSettings rdma;
  std::vector<Inspection> inspections;  // sorted by name
  std::vector<PatternSet> pattern_sets;  // those that some inspection names, sorted by name
  std::vector<DnsTerms> dns_terms;    // sorted by name
  std::uint32_t instances = 1;        // enforcement points that share every budget and limit
  bool fleet_stated = false;          // [fleet] is there
  bool monitor = false;               // policy.mode: nothing that policy would deny is denied; no bound holds
  Span mode_span;                     // of policy.mode, when it is monitor
  std::optional<std::int64_t> monitor_until_s;  // first second (Unix) at which it enforces all the same

  // Line (from 1) of a span's start, for the image's rule table.
  std::vector<std::vector<std::uint32_t>> line_starts;  // by file: byte offset of each line
  std::uint32_t line_of(const Span& span) const;
  bool opens_rdma() const;            // some allow has RDMA among its services
};

}  // namespace weir::control
