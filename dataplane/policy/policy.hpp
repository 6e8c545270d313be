// A verified policy image, ready to be asked. Read-only and position-independent: several workers share one.
// Built only by verify() (dataplane/policy/verify.hpp), so whoever holds a Policy may follow every index in it.
#pragma once
#include "dataplane/base/check.hpp"
#include "dataplane/base/limits.hpp"
#include "dataplane/base/tick.hpp"
#include "dataplane/packet/key.hpp"
#include "dataplane/packet/reason.hpp"
#include "dataplane/policy/image.hpp"

#include <expected>
#include <span>
#include <string_view>

namespace weir {

inline constexpr u32 no_rule = ~u32{0};
inline constexpr u16 no_segment = 0xffff;
inline constexpr u32 zone_unknown = 0;  // an address in no segment: granted nothing

// What a first packet is judged by. Ports are named by class: see Policy::port_class. Inside a tunnel with a number
// both are the class of its network.
struct Question {
  Address source, target;
  u16 source_class, target_class;  // port classes of the port it came in by and the port it would leave by
  u8 protocol;
  u8 icmp_type, icmp_code;         // protocol 1 and 58
  u16 target_port;                 // host order; TCP, UDP, SCTP; of RDMA the connection-manager port
  bool is_rdma = false;            // a queue pair is opened; port 0: by what needs no connection manager
};

struct Judgement {
  Reason reason;       // flow_new when it passes, by monitor mode too; no_allow, forbidden, expired or spoofed
  u16 decision;        // index of the decision, also when it denies; 0 where no rule decided
  u32 rule;            // the allow or forbid that decided (the expired allow, for expired), or no_rule
  u32 source_zone, target_zone;  // compiled zones of this image; unknown when spoofed
};

struct RuleView {
  std::string_view name, file;
  u32 line;
  bool is_forbid;
};

struct LinkRules {
  bool arp, nd, ra, dhcp;
  u64 bytes_a_day;  // of each of them, per port
};

// Logging asked for by the rule that decided.
enum class Log : u8 { none, opened, all };

// The words of [state] and [flood], as image::Tracking has them.
enum class Profile : u8 { strict, loose };
enum class Checksums : u8 { check, trust };
enum class Fragments : u8 { whole, drop };
enum class SynProxy : u8 { never, pressure, always };

struct ImageError;

// Trivially copyable: spans into the image, which outlives it unchanged.
class Policy {
 public:
  u64 generation() const { return view_.header->generation; }
  // The first Tick at which it denies what it says: 0 but in monitor mode.
  Tick monitor_until() const { return view_.meta[0].monitor_until; }
  std::string_view name() const { return text(view_.meta[0].name); }
  LinkRules link() const;

  // The class of a port by its name: exact `attach`/[port] pattern, else the longest `prefix*` pattern, else 0
  // (an unattached port, an uplink).
  u16 port_class(std::string_view port_name) const;
  // The class of a network by its number (VNI): its own where a segment is bound to it, else that of all others.
  // Cost: a binary search of the numbers that segments are bound to.
  u16 network_class(u32 number) const;
  // Whether some port is named, so that an address may be spoofed.
  bool has_identities() const { return view_.port_classes_count > 1; }
  // Whether `mac` (6 bytes) may be a source on a port of this class: true when the class pins no MACs.
  bool mac_allowed(u16 port_class, const u8* mac) const;
  bool pins_macs(u16 port_class) const { return view_.port_classes[checked(port_class)].macs_count != 0; }
  // Whether an address may be a source on a port of this class (pins and attached segments). For ARP and ND.
  bool source_allowed(u16 port_class, const Address& source) const;

  // The whole decision of a first packet at `now`. Cost does not depend on the number of rules.
  // Cache lines for IPv4 in Form::matrix: root, at most five nodes and a leaf for each address, two zones, one
  // service page, row, cell, decision.
  Judgement judge(const Question& question, Tick now) const;
  // The same for many at once, their table lines loading side by side. As many judgements as questions.
  void judge(std::span<const Question> questions, Tick now, std::span<Judgement> judgements) const;

  // A decision's facts, by index from a Judgement or a flow record of the same generation.
  Log log_of(u16 decision) const { return static_cast<Log>(view_.decisions[decision_checked(decision)].log); }
  u32 rule_of(u16 decision) const { return view_.decisions[decision_checked(decision)].rule; }
  // First tick at which the decision no longer allows (its rule's `expires`; of a forbid, where monitor mode ends), or
  // the largest Tick.
  Tick expires_at(u16 decision) const {
    const image::Decision& one = view_.decisions[decision_checked(decision)];
    return one.allow || decision == 0 ? one.expires : view_.meta[0].monitor_until;
  }
  // The earliest expires_at() of any decision that is later than `now`, or the largest Tick.
  Tick next_expiry(Tick now) const;

  // [state], [flood] and reserves. Lives as long as the policy; copy what every packet needs at an epoch's start.
  const image::Tracking& tracking() const { return view_.tracking[0]; }
  // Whether the policy states any ceiling of [flood].
  bool limits_floods() const {
    const image::Tracking& row = tracking();
    return row.new_per_source.limits() || row.new_per_target.limits() || row.icmp.limits() ||
           (row.half_open | row.half_open_per_target | row.udp | row.scan_ports | row.scan_hosts) != 0;
  }
  // Of a zone in a Judgement of this policy: its class in tracking().reserve_share, 0 for none. An address in several
  // segments with a reserve has the largest, ties by name.
  u8 reserve_of_source(u32 zone) const { return source_facts(zone).reserve; }
  u8 reserve_of_target(u32 zone) const { return target_facts(zone).reserve; }
  // Whether the rule that allows wants the target's handshakes proxied.
  bool wants_syn_proxy(u16 decision) const { return view_.decisions[decision_checked(decision)].syn_proxy; }
  // Whether policy asks that this denial be answered: by the forbid that decided, or by the source's segment.
  bool wants_reject(const Judgement& judgement) const {
    if (judgement.reason != Reason::no_allow && judgement.reason != Reason::forbidden &&
        judgement.reason != Reason::expired)
      return false;
    return view_.decisions[decision_checked(judgement.decision)].reject ||
           source_facts(judgement.source_zone).reject;
  }

  // RDMA and jobs. Zones are those of a Judgement of this policy. Whether some allow opens RDMA:
  bool has_rdma() const { return view_.rdma[0].used; }
  // Whether what NCCL's connections say of queue pairs is learned.
  bool reads_handshakes() const { return view_.rdma[0].reads_handshakes; }
  const image::RdmaSettings& rdma() const { return view_.rdma[0]; }
  // What the queue pairs of a rule may do.
  const image::RdmaRule& rdma_rule(u32 rule) const {
    WEIR_CHECK(rule < view_.rdma_rules.size());
    return view_.rdma_rules[rule];
  }
  // Bit a: who is there holds asset a.
  u64 assets_of_source(u32 zone) const { return source_facts(zone).assets; }
  u64 assets_of_target(u32 zone) const { return target_facts(zone).assets; }
  // Whether anybody holds one. Cost: a look at each source zone.
  bool has_holders() const;
  // What queue pairs that a judgement allows may do, before any job narrows it: packets toward the question's target,
  // or of those that come back. They differ in READ, which takes from whom it is sent to.
  u8 operations_of(const Judgement& judgement, bool coming_back) const {
    const image::RdmaRule& rule = rdma_rule(judgement.rule);
    const u64 opener = assets_of_source(judgement.source_zone), target = assets_of_target(judgement.target_zone);
    const u64 alone = coming_back ? opener & ~target : target & ~opener;  // held by who is read and not by the reader
    return rule.operations | (rule.read_unless_asset && alone == 0 ? rdma_read : u8{0});
  }
  // Bit j: who is there is a member of jobs()[j].
  u64 jobs_of_source(u32 zone) const { return source_facts(zone).jobs; }
  u64 jobs_of_target(u32 zone) const { return target_facts(zone).jobs; }
  std::span<const image::Job> jobs() const { return view_.jobs; }
  // Packets from `source` to `target` for a queue pair that the policy declares; null where it does not. Cost: a binary
  // search. That the declaration is there allows nothing: a rule must, too.
  const image::StaticPair* static_pair(const Address& source, const Address& target, u32 qp) const;

  // What is looked at in what rules open. Whether any rule asks for something:
  bool has_looks() const { return view_.has_looks; }
  bool looks_by_packet() const { return view_.looks_by_packet; }
  const image::Look& look(u32 rule) const {
    WEIR_CHECK(rule < view_.looks.size());
    return view_.looks[rule];
  }
  std::span<const image::Inspection> inspections() const { return view_.inspections; }
  std::span<const std::byte> patterns() const { return std::as_bytes(view_.patterns); }
  std::span<const image::DnsTerms> dns_terms() const { return view_.dns_terms; }

  u32 rules_count() const { return static_cast<u32>(view_.rules.size()); }
  RuleView rule(u32 index) const;
  // The name shown for an address: its narrowest segment or list, ties by name; no_segment when it is in none.
  u16 source_segment(u16 port_class, const Address& source) const;
  u16 target_segment(u16 port_class, const Address& target) const;
  std::string_view segment_name(u16 segment) const;

  // The verified image itself: for `weir dump` and for tests.
  const image::View& view() const { return view_; }
  std::string_view text(image::Text at) const {
    return {reinterpret_cast<const char*>(view_.strings.data()) + at.offset, at.bytes};
  }

 private:
  friend std::expected<Policy, ImageError> verify(std::span<const std::byte> image);
  Policy(const image::View& view, bool wide) : view_(view), wide_(wide) {}

  // An index that does not come from this policy is the caller's mistake.
  u16 checked(u16 port_class) const {
    WEIR_CHECK(port_class < view_.port_classes.size());
    return port_class;
  }
  u16 segment_without_addresses(u16 port_class) const;
  bool is_in(u16 port_class, u16 segment) const;
  u16 decision_checked(u16 decision) const {
    WEIR_CHECK(decision < view_.decisions.size());
    return decision;
  }
  image::ZoneFacts source_facts(u32 zone) const {
    return zone < view_.source_facts.size() ? view_.source_facts[zone] : image::ZoneFacts{};
  }
  image::ZoneFacts target_facts(u32 zone) const {
    return zone < view_.target_facts.size() ? view_.target_facts[zone] : image::ZoneFacts{};
  }
  u16 source_zone(u16 port_class, u32 atom) const {
    return view_.source_zones[u64{view_.port_classes[port_class].source_row} * view_.atoms_count + atom];
  }
  u16 target_zone(u16 port_class, u32 atom) const {
    return view_.target_zones[u64{view_.port_classes[port_class].target_row} * view_.atoms_count + atom];
  }

  image::View view_;
  bool wide_;  // machine_has_vectors_512(), asked once
};

}  // namespace weir
