// The rows of keys; those of tables are in tables.cpp. Documentation sentences stand here and nowhere else;
// docs/rules.md adds the prose around them.
#include "control/check/keys.hpp"

#include "dataplane/base/timeouts.hpp"

#include <algorithm>

namespace weir::control {
namespace {

using enum KeyType;

#define GOVERNANCE(table)                                                         \
  {table, "owner", text, false, true, "", "", "Who answers for this statement."}, \
      {table, "why", text, false, true, "", "", "The reason, in a sentence."},    \
      {table, "ticket", text, false, true, "", "", "Where the decision was taken."}
#define FROM_TO_WITH(table, from_required, to_doc, with_doc)                                                 \
  {table, "from", names, from_required, true, "", "", "Who opens the connection: segments, groups, lists."}, \
      {table, "to", names, false, true, "", "", to_doc}, {                                                   \
    table, "with", names, false, true, "", "", with_doc                                                      \
  }
#define MODE(table, deferred, is_enforced)                                                                   \
  {table, "mode", choice, false, true, "enforce|monitor", deferred, "Monitor counts and logs, and passes."}, \
      {table, "monitor_until", date, false, is_enforced, "", "", "When monitor becomes enforce; at most 30 days."}
#define BURSTING(key, doc)                                \
  {"flood", key, frequency, false, true, "", "", doc}, { \
    "flood", key "_burst", integer, false, true, "", "", "At once; one second of it without this key." }

constexpr KeyRow keys_[] = {
    {"", "version", integer, true, true, "", "", "Of the rule language: 1. Required in the root file."},
    {"", "include", texts, false, true, "", "",
     "Files to merge, relative to the root file, `*` and `?` within one component. Root file only. Files of a "
     "directory `policy.d` beside the root file are included without being named."},

    {"policy", "name", text, false, true, "", "", "Shown wherever the policy is."},
    {"policy", "mode", choice, false, true, "enforce|monitor", "", "Monitor counts and logs, and passes."},
    {"policy", "monitor_until", date, false, true, "", "", "When monitor becomes enforce; at most 30 days."},
    {"policy", "require", texts, false, true, "", "",
     "Governance keys that every allow must state: `owner`, `why`, `ticket`, `expires`."},
    {"policy", "pins", choice, false, true, "required|optional", "",
     "Whether an attached port of a segment that holds an asset may go without a pin."},
    {"policy", "about", text, false, true, "", "", "For people."},

    {"segment", "cidr", address, false, true, "", "", "The prefixes that are in it."},
    {"segment", "except", address, false, true, "", "",
     "Prefixes that are not. Without `cidr` it starts from globally routable unicast (IANA's registries)."},
    {"segment", "attach", names, false, true, "", "",
     "Port names, or beginnings of them with `*`, that belong to it. With `cidr` both must hold."},
    {"segment", "class", choice, false, true, "public|internal|restricted|secret", "",
     "How sensitive it is. Bytes flow down only under a budget (E0301)."},
    {"segment", "rate", rate, false, true, "", "",
     "The most that its links carry, whatever policy says: a fact that bounds use and nothing enforces."},
    {"segment", "hosts", integer, false, true, "", "", "How many hosts it has, for budgets per host."},
    {"segment", "reserve", percent, false, true, "", "",
     "The share of the flow table that flows of no such segment cannot take."},
    {"segment", "vni", integers, false, true, "", "",
     "Networks (VXLAN, Geneve) inside which it lives: outside them no address is in it."},
    {"segment", "reject", boolean, false, true, "", "",
     "Whether what is denied to its hosts is answered, by a TCP reset or an ICMP unreachable."},
    {"segment", "about", text, false, true, "", "", "For people."},

    {"group", "members", names, true, true, "", "", "Segments, lists, or other groups."},
    {"group", "about", text, false, true, "", "", "For people."},

    {"service", "tcp", ports, false, true, "", "", "TCP target ports."},
    {"service", "udp", ports, false, true, "", "", "UDP target ports. 4791 alone opens no RDMA queue pair."},
    {"service", "sctp", ports, false, true, "", "", "SCTP target ports."},
    {"service", "icmp", icmp, false, true, "", "", "ICMP queries of both families, by name."},
    {"service", "icmp4", icmp, false, true, "", "", "ICMP types, `\"8\"` or type and code `\"8/0\"`."},
    {"service", "icmp6", icmp, false, true, "", "", "ICMPv6 types, `\"128\"` or type and code `\"128/0\"`."},
    {"service", "protocol", protocols, false, true, "", "",
     "Any other IP protocol: `\"esp\"`, `\"ah\"`, `\"gre\"`, `\"ipip\"`, or its number. Or what connections of the "
     "service must begin as, whatever their port: `nvme-tcp`, `nfs`, `s3`, `grpc`, `tcpstore`, `gloo`, `nccl`."},
    {"service", "rdma", protocols, false, true, "", "", "RDMA: a connection-manager port, `\"nccl\"` or `\"any\"`."},
    {"service", "about", text, false, true, "", "", "For people."},

    {"list", "file", text, true, true, "", "", "Path relative to the file that states it."},
    {"list", "class", choice, false, true, "public|internal|restricted|secret", "",
     "Without it a list counts as `public` as a target and as `secret` as a source."},
    {"list", "about", text, false, true, "", "", "For people."},

    {"link", "arp", boolean, false, true, "", "", "ARP in canonical form, checked against pins."},
    {"link", "nd", boolean, false, true, "", "",
     "IPv6 neighbour solicitation and advertisement, checked against pins."},
    {"link", "ra", boolean, false, true, "", "", "IPv6 router solicitation and advertisement."},
    {"link", "dhcp", boolean, false, true, "", "", "DHCP and DHCPv6."},
    {"link", "rate", rate, false, false, "", "", "The most of each, per port."},
    {"link", "budget", size, false, true, "", "", "Bytes a day of each, per port; 1 MB without it."},

    {"state", "profile", choice, false, true, "strict|loose", "",
     "How closely TCP is followed: `strict` (without this key), or `loose` for hosts that do not keep to RFC 9293."},
    {"state", "pick_up", boolean, false, true, "", "",
     "Whether a TCP flow may begin in the middle, without its handshake. Without this key: not."},
    {"state", "checksums", choice, false, true, "check|trust", "",
     "Whether transport checksums are verified (`check`, without this key) or left to the ports."},
    {"state", "fragments", choice, false, true, "whole|drop", "",
     "`whole`: fragments are held until their datagram is whole, and judged once. `drop`: none passes."},
    {"state", "sweep", duration, false, true, "", "",
     "After a change of policy, the time by which every flow has been judged again: 100 ms to 10 min; `5s`."},
    {"state", "timeouts", table, false, true, "", "", "`[state.timeouts]`."},
#define WEIR_TIMEOUT(name, ms, source) \
  {"state.timeouts", #name, duration, false, true, "", "", "Without this key " #ms " ms: " source "."},
    WEIR_TIMEOUTS(WEIR_TIMEOUT)
#undef WEIR_TIMEOUT

    BURSTING("new_per_source", "Flows that one source may open; IPv6 sources count by /64."),
    BURSTING("new_per_target", "Flows that may be opened toward one target."),
    BURSTING("icmp", "ICMP and ICMPv6 flows that may be opened by all."),
    {"flood", "half_open", integer, false, true, "", "", "TCP flows at once whose handshake is not complete."},
    {"flood", "half_open_per_target", integer, false, true, "", "", "The same, toward one target."},
    {"flood", "udp", integer, false, true, "", "", "UDP flows at once."},
    {"flood", "scan_ports", integer, false, true, "", "",
     "Different target ports by which one source is a port scanner, 2 to 400."},
    {"flood", "scan_hosts", integer, false, true, "", "",
     "Different targets by which one source sweeps, 2 to 400."},
    {"flood", "scan_window", duration, false, true, "", "", "Within which they are counted, 1 s to 1 h; `10s`."},
    {"flood", "scan_block", duration, false, true, "", "",
     "How long a scanner opens nothing, at most 1 d; `0s`, without this key, only counts and tells."},
    {"flood", "syn_proxy", choice, false, true, "never|pressure|always", "",
     "When handshakes are answered for the target: `never` (without this key), while half-open flows are many, or "
     "always."},
    BURSTING("reject", "Resets and unreachables that Weir sends where policy asks for them; `100/s`."),

    {"rdma", "icrc", choice, false, true, "check|trust", "",
     "Whether the invariant CRC of packets is verified, or left to the ports (`trust`, without this key)."},
    {"rdma", "cnp", frequency, false, true, "", "", "Congestion notifications of one source; `100000/s`."},
    {"rdma", "cnp_burst", integer, false, true, "", "", "At once; one second of it without this key."},
    {"rdma", "cm", frequency, false, true, "", "", "Connection manager's requests of one source; `1000/s`."},
    {"rdma", "cm_burst", integer, false, true, "", "", "At once; one second of it without this key."},
    {"rdma", "nak_penalty", duration, false, true, "", "",
     "How long a queue pair sends no READ after one was refused, 1 ms to 1 h; doubles each time; `1s`."},

    {"port", "addresses", address, false, true, "", "", "Addresses that the port may claim; no others."},
    {"port", "macs", macs, false, true, "", "", "MAC addresses that the port may claim; no others."},
    {"port", "about", text, false, true, "", "", "For people."},

    {"allow", "name", text, false, true, "", "", "Shown in decisions and counters. Without one: its place."},
    {"allow", "from", names, true, true, "", "", "Who opens the connection: segments, groups, lists."},
    {"allow", "to", names, true, true, "", "", "Whom it may reach: segments, groups, lists."},
    {"allow", "with", names, false, true, "", "",
     "Services. Without it: TCP, UDP without tunnel and RDMA ports, SCTP and ping."},
    {"allow", "log", choice, false, true, "none|opened|all", "",
     "What to report: nothing, or connections as they open. `all` reports the same today."},
    {"allow", "expires", date, false, true, "", "", "The last day, UTC, on which it holds. The dataplane enforces it."},
    {"allow", "breakglass", duration, false, true, "", "",
     "Closed, but while `weir breakglass` opens it, for at most so long: 1 s to 1 d. Every figure counts it as open."},
    {"allow", "syn_proxy", boolean, false, true, "", "",
     "Handshakes are answered for the target, whatever [flood] says."},
    {"allow", "inspect", names, false, true, "", "",
     "Inspections that what it opens must pass. Of several allows the most specific says which."},
    {"allow", "dns", name, false, true, "", "",
     "What it opens carries DNS and nothing else, by the terms [dns.NAME]; over TCP a segment is whole messages."},
    {"allow", "icmp_payload", choice, false, true, "pass|normalise|deny", "",
     "What its ICMP may carry: anything, without this key; in echoes a pattern that is written over it; nothing."},
    {"allow", "scrub", boolean, false, true, "", "",
     "Whether fields that a sender fills as it likes are written over: IPv4 identification, IPv6 flow label, TCP "
     "timestamps and other options, reserved bits, the urgent pointer, padding, what ICMP errors quote."},
    {"allow", "operations", texts, false, true, "", "",
     "What its queue pairs may do, and nothing else: `send`, `write`, `read`, `atomic`, `ack`, `cnp`, `datagram`. "
     "Without it all but READ, which then passes unless the side that is read holds an asset that the reader lacks."},
    {"allow", "read_mtu", integer, false, true, "", "",
     "Path MTU by which RDMA READ responses are charged: 256, 512, 1024 (without this key), 2048 or 4096."},
    {"allow", "read_credit", size, false, true, "", "",
     "RDMA READ bytes that one queue pair may have outstanding; `64 MiB`."},
    {"allow", "first_use", integer, false, true, "", "",
     "Queue pairs of one source host that their first packet may teach, where nothing else does. Without it: none."},
    {"allow", "about", text, false, true, "", "", "For people."},
    GOVERNANCE("allow"),

    {"forbid", "name", text, false, true, "", "", "Shown in decisions and counters. Without one: its place."},
    FROM_TO_WITH("forbid", false, "Whom it must not reach. Without it: everybody.",
                 "Services. Without it: everything, all protocols."),
    {"forbid", "reject", boolean, false, true, "", "",
     "Whether what it denies is answered, by a TCP reset or an ICMP unreachable."},
    {"forbid", "log", choice, false, true, "none|opened|all", "", "What to report."},
    MODE("forbid", "monitor", false),
    {"forbid", "about", text, false, true, "", "", "For people."},
    GOVERNANCE("forbid"),

    {"test", "name", text, false, true, "", "", "Shown when it fails."},
    {"test", "from", names, true, true, "", "", "Segments, groups, lists or addresses."},
    {"test", "allow", texts, false, true, "", "",
     "`\"target service\"` or `\"address proto/port\"`: every combination must be allowed."},
    {"test", "deny", texts, false, true, "", "", "The same: every combination must be denied."},
    {"test", "at", date, false, true, "", "", "The day on which it is judged; without it, today."},
    {"test", "expires", date, false, true, "", "", "The last day on which the test is run."},
    {"test", "about", text, false, true, "", "", "For people."},
    GOVERNANCE("test"),

    {"limit", "name", text, false, true, "", "", "Shown in decisions and counters."},
    FROM_TO_WITH("limit", true, "Whom it dials.", "Services. Without it: everything."),
    {"limit", "rate", rate, false, true, "", "", "Bytes over time, both directions, in frame bytes."},
    {"limit", "burst", size, false, true, "", "", "What may pass at once; one second of `rate` without it."},
    {"limit", "packets", frequency, false, true, "", "", "Packets over time."},
    {"limit", "new_connections", frequency, false, true, "", "", "New connections over time."},
    {"limit", "connections", integer, false, true, "", "", "Connections at once."},
    {"limit", "per", choice, false, true, "source|target|pair|rule", "", "What has a bucket of its own."},
    MODE("limit", "", true),
    GOVERNANCE("limit"),

    {"budget", "name", text, false, true, "", "", "Shown in decisions and counters."},
    FROM_TO_WITH("budget", true, "For whom the bytes leave. Without it: everything outside `from`.",
                 "The connection's service. Without it: everything."),
    {"budget", "windows", map, false, true, "", "", "`{ \"1h\" = \"10 GB\", lifetime = \"20 TB\" }`."},
    {"budget", "bytes", size, false, true, "", "", "With `every`: one window."},
    {"budget", "every", duration, false, true, "", "", "Length of that window."},
    {"budget", "count", choice, false, true, "wire|payload", "", "What is counted."},
    {"budget", "surcharge", integer, false, true, "", "", "Bytes added per packet with `payload`."},
    {"budget", "on_exceed", text, false, true, "", "", "`deny`, `throttle RATE`, or `alert`."},
    {"budget", "alert_at", integers, false, true, "", "", "Percentages at which to tell."},
    {"budget", "scope", choice, false, true, "host|segment|fleet", "", "How many accounts it has."},
    {"budget", "max_share", percent, false, true, "", "", "The most of a window that one host may spend."},
    {"budget", "reserve", map, false, true, "", "", "Parts that only one segment or service may use."},
    {"budget", "opening", choice, false, true, "empty|spent", "", "How a new budget's first window begins."},
    MODE("budget", "", true),
    GOVERNANCE("budget"),

    {"asset", "size", size, true, true, "", "", "Of one copy."},
    {"asset", "held", names, true, true, "", "", "Segments that hold it."},
    {"asset", "compression", number, false, true, "", "", "The ratio an attacker is thought to reach; 100."},
    {"asset", "about", text, false, true, "", "", "For people."},

    {"invariant", "name", text, false, true, "", "", "Shown when it fails."},
    {"invariant", "asset", name, false, true, "", "", "What must not leave quickly."},
    {"invariant", "to", names, false, true, "", "", "For whom."},
    {"invariant", "at_least", at_least, false, true, "", "", "How long one copy must take."},
    {"invariant", "at_most", size, false, true, "", "", "The most bytes that may ever leave."},
    {"invariant", "ratio", number, false, true, "", "", "Compression to assume."},
    {"invariant", "never", table, false, true, "", "", "A pair that never speaks."},
    GOVERNANCE("invariant"),
    {"invariant.never", "from", names, true, true, "", "", "One side."},
    {"invariant.never", "to", names, true, true, "", "", "The other."},
    {"invariant.never", "via", choice, false, true, "any", "", "Over any number of allowed hops."},

    {"inspect", "direction", choice, false, true, "both|out|in", "",
     "`out` is what `from` of the allow sends, `in` what comes back; `both`."},
    {"inspect", "first", size, false, true, "", "",
     "How much of each direction is read in order, to 16 MiB; `64 KiB`. Behind it one packet of each MiB is searched."},
    {"inspect", "on_match", choice, false, true, "deny|alert|quarantine", "",
     "What a signature or a tensor does: `deny` ends the flow."},
    {"inspect", "opaque", choice, false, true, "allow|alert|deny", "",
     "What encrypted or compressed bytes do; `allow`."},
    {"inspect", "busy", choice, false, true, "wait|deny", "",
     "When inspection has no time left: `wait` drops the packet, for its sender to send again; `deny` ends the flow."},
    {"inspect", "signatures", texts, false, true, "", "",
     "Signature sets: `weights`, `names`, `movers`, `containers`, or a file relative to the root file."},
    {"inspect", "tensors", boolean, false, true, "", "", "Whether to look for tensors by their statistics."},
    {"inspect", "max_quarantined", percent, false, true, "", "",
     "The part of the hosts that may be cut off at once, `5%`; beyond it matches only alert."},
    {"inspect", "pattern", tables, false, true, "", "", "Signatures of its own."},
    MODE("inspect", "", true),
    {"inspect", "about", text, false, true, "", "", "For people."},
    {"inspect.pattern", "name", text, false, true, "", "", "Shown when it matches; else the inspection's."},
    {"inspect.pattern", "hex", text, false, true, "", "", "Bytes."},
    {"inspect.pattern", "text", text, false, true, "", "", "Text."},
    {"inspect.pattern", "regex", text, false, true, "", "", "An expression over bytes, in Hyperscan's syntax."},
    {"inspect.pattern", "at", integer, false, true, "", "",
     "Where it begins, from the start of the stream or message: 0 to 4096. Without it: anywhere."},
    {"inspect.pattern", "base64", boolean, false, true, "", "", "Whether to find the bytes coded in base64 too."},
    {"inspect.pattern", "any_case", boolean, false, true, "", "", "Letters of either case."},

    {"dns", "queries", frequency, false, true, "", "", "Queries of one source."},
    {"dns", "queries_burst", integer, false, true, "", "", "At once; one second of it without this key."},
    {"dns", "name", integer, false, true, "", "", "The longest name that may be asked for, in bytes, 1 to 253."},
    {"dns", "answers", size, false, true, "", "", "The longest answer; at most 65535 bytes."},
    {"dns", "information", size, false, true, "", "",
     "Bytes of distinct names that one source may ask for below one registered domain, in any `window`."},
    {"dns", "domains", integer, false, true, "", "",
     "Registered domains below which one source may ask, in any `window`; 1 to 1,000,000."},
    {"dns", "window", duration, false, true, "", "", "Of the two above, 1 s to 30 d; `1h`."},
    MODE("dns", "", true),
    {"dns", "about", text, false, true, "", "", "For people."},

    {"job", "members", names, true, true, "", "", "Segments of the job."},
    {"job", "transport", texts, false, true, "", "", "Queue pairs: `nccl`, `roce` (declared, first use); `tcp`: none."},
    {"job", "tag", text, false, true, "", "", "The NCCL magic of the tenant: `\"0x...\"`, 64 bits."},
    {"job", "operations", texts, false, true, "", "", "As an allow's: what both permit passes."},
    {"job", "seal_after", duration, false, true, "", "",
     "How long after its first queue pair new ones are learned, 1 s to 30 d. Without it an operator seals."},
    {"job", "read_mtu", integer, false, true, "", "", "In place of the allow's."},
    {"job", "read_credit", size, false, true, "", "", "In place of the allow's."},
    {"job", "burst", size, false, true, "", "",
     "Watches each two members: an event when one sends the other so much within `window`, and little comes back."},
    {"job", "window", duration, false, true, "", "", "1 s to 1 h; 60 s without this key."},
    {"job", "ratio", integer, false, true, "", "", "One way is so many times the other, 2 to 1,000,000; else 20."},
    {"job", "uet_job", text, false, true, "", "",
     "JobID of Ultra Ethernet, `\"0x...\"`, 24 bits: what its members send each other by it names this job."},
    {"job", "about", text, false, true, "", "", "For people."},

    {"queue_pair", "from", text, true, true, "", "", "One address."},
    {"queue_pair", "to", text, true, true, "", "", "The other host's address."},
    {"queue_pair", "from_qp", integer, false, true, "", "", "The number at `from`: packets from `to` name it."},
    {"queue_pair", "to_qp", integer, false, true, "", "", "The number at `to`: packets from `from` name it."},
    {"queue_pair", "about", text, false, true, "", "", "For people."},
    GOVERNANCE("queue_pair"),

    {"fleet", "instances", integer, true, true, "", "", "Enforcement points; each gets an equal part."},

    {"delegate", "files", text, true, true, "", "", "The team's files."},
    {"delegate", "from", names, false, true, "", "", "What they may name as `from`."},
    {"delegate", "to", names, false, true, "", "", "What they may name as `to`."},
};

#undef GOVERNANCE
#undef FROM_TO_WITH
#undef MODE
#undef BURSTING

}  // namespace

std::span<const KeyRow> key_rows() { return keys_; }

const KeyRow* find_key(std::string_view wanted_table, std::string_view wanted_key) {
  const auto found = std::ranges::find_if(
      keys_, [&](const KeyRow& one) { return one.table == wanted_table && one.key == wanted_key; });
  return found == std::end(keys_) ? nullptr : found;
}

bool is_read(std::string_view word) {
  constexpr std::string_view words[] = {
      "policy.mode", "policy.monitor_until", "forbid.mode", "forbid.monitor_until", "limit.mode",
      "limit.monitor_until", "link.rate"};
  return std::ranges::find(words, word) != std::end(words);
}

bool is_choice(std::string_view choices, std::string_view value) {
  for (std::size_t begin = 0; begin <= choices.size() && !choices.empty();) {
    const std::size_t end = std::min(choices.find('|', begin), choices.size());
    if (choices.substr(begin, end - begin) == value) return true;
    begin = end + 1;
  }
  return false;
}

}  // namespace weir::control
