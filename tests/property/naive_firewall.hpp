// A firewall as one would write it in an afternoon: a map of flows, a loop over statements, no table, no image, no
// bursts. The twin of the engine: written from the rule language and the RFCs, not from the engine's code.
#pragma once
#include "control/model/model.hpp"
#include "dataplane/packet/reason.hpp"
#include "tests/property/naive_floods.hpp"

#include <algorithm>
#include <cstdint>
#include <map>
#include <string>
#include <tuple>

namespace weir::naive {

// A packet by what it means. `addresses` are IPv4 host-order numbers, or IPv6 ones when `ipv6`.
struct MeantPacket {
  bool ipv6 = false;
  control::Ipv6Number source = 0, target = 0;
  std::uint8_t protocol = 6;
  std::uint16_t source_port = 0, target_port = 0;  // the identifier in both, for ICMP queries
  std::uint8_t tcp_flags = 0;
  std::uint8_t icmp_type = 0, icmp_code = 0;
  bool quotes = false;  // an ICMP error; the fields below are the quoted packet's
  control::Ipv6Number quoted_source = 0, quoted_target = 0;
  std::uint8_t quoted_protocol = 0;
  std::uint16_t quoted_source_port = 0, quoted_target_port = 0;
  bool bad_checksum = false;
  bool from_inside = true;
  std::uint64_t time_us = 0;
  std::uint32_t payload = 0;  // bytes of it, UDP alone
};

struct Verdict {
  Reason reason;
  std::uint64_t flow = 0;  // serial number of the flow it belongs to, 0 when none
  bool is_new = false;
};

inline bool contains(const control::AddressSet& set, bool ipv6, control::Ipv6Number address) {
  if (ipv6) return std::ranges::any_of(set.ipv6, [&](auto& r) { return r.first <= address && address <= r.last; });
  return std::ranges::any_of(set.ipv4, [&](auto& r) { return r.first <= address && address <= r.last; });
}

class Firewall {
 public:
  // `model` may change between packets: a new policy. It uses no ports, pins or attachments.
  Verdict decide(const MeantPacket& packet, const control::Model& model) {
    if (packet.bad_checksum) return {Reason::l4_checksum_bad};
    return packet.quotes ? decide_error(packet, model) : decide_own(packet, model);
  }
  void flush() { flows_.clear(); }
  std::uint64_t scans_told() const { return floods_.scans_told; }

  // Whether policy denies the flow that this packet opened.
  static bool is_denied(const MeantPacket& opening, const control::Model& model) {
    return judge(model, opening, opening.time_us) != Reason::flow_new;
  }

  // The same for both directions.
  using Key = std::tuple<bool, control::Ipv6Number, std::uint16_t, control::Ipv6Number, std::uint16_t, std::uint8_t>;
  static Key key_of(const MeantPacket& packet) {
    return key_of(packet.ipv6, packet.source, packet.source_port, packet.target, packet.target_port, packet.protocol);
  }

 private:
  enum class Tcp { syn_seen, both_syn, syn_ack_seen, open, opener_done, replier_done, both_done, was_reset };
  struct Flow {
    MeantPacket opening;
    Tcp tcp = Tcp::syn_seen;
    bool answered = false;
    std::uint64_t last_us = 0, idle_us = 0;
    std::uint64_t serial = 0;
  };
  static Key key_of(bool ipv6, control::Ipv6Number a, std::uint16_t ap, control::Ipv6Number b, std::uint16_t bp,
                    std::uint8_t protocol) {
    return std::tie(a, ap) < std::tie(b, bp) ? Key{ipv6, a, ap, b, bp, protocol} : Key{ipv6, b, bp, a, ap, protocol};
  }

  static bool covers(const control::Statement& statement, const control::Model& model, const MeantPacket& packet) {
    auto side = [&](bool any, const std::vector<std::uint32_t>& segments, control::Ipv6Number address) {
      return any || std::ranges::any_of(segments, [&](std::uint32_t s) {
               return contains(model.segments[s].addresses, packet.ipv6, address);
             });
    };
    auto in = [](const std::vector<control::PortRange>& ranges, unsigned number) {
      return std::ranges::any_of(ranges, [&](auto& r) { return r.first <= number && number <= r.last; });
    };
    const unsigned message = packet.icmp_type * 256u + packet.icmp_code;
    const control::ServiceSet& services = statement.services;
    const bool service = packet.protocol == 6    ? in(services.tcp, packet.target_port)
                         : packet.protocol == 17 ? in(services.udp, packet.target_port)
                         : packet.protocol == 1  ? in(services.icmp4, message)
                         : packet.protocol == 58 ? in(services.icmp6, message)
                                                 : std::ranges::count(services.protocols, packet.protocol) != 0;
    return service && side(statement.from_any, statement.from, packet.source) &&
           side(statement.to_any, statement.to, packet.target);
  }

  static Reason judge(const control::Model& model, const MeantPacket& packet, std::uint64_t now_us) {
    bool allowed = false, expired = false;
    for (const auto& statement : model.statements) {
      if (!covers(statement, model, packet)) continue;
      if (statement.is_forbid) return Reason::forbidden;
      const bool over = statement.expires_s && now_us >= static_cast<std::uint64_t>(*statement.expires_s) * 1'000'000;
      (over ? expired : allowed) = true;
    }
    return allowed ? Reason::flow_new : expired ? Reason::expired : Reason::no_allow;
  }

  static std::string idle_name(const Flow& flow) {
    if (flow.opening.protocol == 17) return flow.answered ? "udp_both_ways" : "udp_one_way";
    if (flow.opening.protocol == 1 || flow.opening.protocol == 58) return "icmp_query";
    if (flow.opening.protocol != 6) return "ip_any";
    switch (flow.tcp) {
      case Tcp::open: return "tcp_established";
      case Tcp::opener_done:
      case Tcp::replier_done: return "tcp_half_closed";
      case Tcp::both_done: return "tcp_closed";
      case Tcp::was_reset: return "tcp_reset";
      default: return "tcp_opening";
    }
  }

  // The flow goes on from this packet, for as long as the policy of this moment says.
  static void renew(Flow& flow, const control::Model& model, std::uint64_t now_us) {
    static const std::map<std::string, std::uint64_t> otherwise_s = {
        {"udp_both_ways", 120},    {"udp_one_way", 30},      {"icmp_query", 60}, {"ip_any", 600},
        {"tcp_established", 7440}, {"tcp_half_closed", 240}, {"tcp_closed", 60}, {"tcp_reset", 10},
        {"tcp_opening", 30}};
    const std::string name = idle_name(flow);
    const auto said = model.tracking.timeouts_ms.find(name);
    flow.idle_us = said != model.tracking.timeouts_ms.end() ? said->second * std::uint64_t{1000}
                                                            : otherwise_s.at(name) * 1'000'000;
    flow.last_us = now_us;
  }

  static bool over(const Flow& flow, std::uint64_t now_us) {
    // Idle time is counted in steps of 2^19 microseconds, and a started one at either end does not count.
    constexpr std::uint64_t step_us = 524'288;
    return now_us / step_us > flow.last_us / step_us + (flow.idle_us + step_us - 1) / step_us;
  }

  Flow* live(const Key& key, std::uint64_t now_us) {
    auto found = flows_.find(key);
    if (found == flows_.end()) return nullptr;
    if (over(found->second, now_us)) {
      flows_.erase(found);
      return nullptr;
    }
    return &found->second;
  }

  // Whether the policy of this moment still allows the flow. One that it does not allow is remembered all the same, for
  // as long as it would have been: so its packets have a name, and it goes on when policy allows it again.
  static Reason still_allowed(const Flow& flow, const control::Model& model, std::uint64_t now_us) {
    const Reason reason = judge(model, flow.opening, now_us);
    if (reason == Reason::flow_new) return Reason::flow_established;
    return reason == Reason::expired ? Reason::expired : Reason::revoked;
  }

  Verdict decide_own(const MeantPacket& packet, const control::Model& model) {
    const Key key = key_of(packet);
    Flow* flow = live(key, packet.time_us);
    if (flow == nullptr) return open(key, packet, model);
    const std::uint64_t serial = flow->serial;
    const Reason current = still_allowed(*flow, model, packet.time_us);
    if (current != Reason::flow_established) {
      // A denied flow does not stand in the way of one that policy allows.
      if (!may_open(packet) || judge(model, packet, packet.time_us) != Reason::flow_new) return {current, serial};
      flows_.erase(key);
      return open(key, packet, model);
    }
    const bool opener = packet.source == flow->opening.source && packet.source_port == flow->opening.source_port;
    if (packet.from_inside != (opener ? flow->opening.from_inside : !flow->opening.from_inside))
      return {Reason::wrong_side, serial};
    if (packet.protocol == 6 && (flow->tcp == Tcp::both_done || flow->tcp == Tcp::was_reset) &&
        (packet.tcp_flags & 0x16) == 0x02) {
      flows_.erase(key);
      return open(key, packet, model);
    }
    const Reason reason = packet.protocol == 6 ? tcp(*flow, packet, opener) : other(*flow, packet, opener);
    if (reason == Reason::flow_established) renew(*flow, model, packet.time_us);
    return {reason, serial};
  }

  static bool is_reply(const MeantPacket& packet) {
    return (packet.protocol == 1 && (packet.icmp_type == 0 || packet.icmp_type == 14)) ||
           (packet.protocol == 58 && packet.icmp_type == 129);
  }
  static bool is_mid_stream(const MeantPacket& packet) {
    return packet.protocol == 6 && (packet.tcp_flags & 0x16) != 0x02;
  }
  static bool may_open(const MeantPacket& packet) { return !is_reply(packet) && !is_mid_stream(packet); }

  Verdict open(const Key& key, const MeantPacket& packet, const control::Model& model) {
    if (is_mid_stream(packet)) return {Reason::tcp_not_syn};
    if (is_reply(packet)) return {Reason::icmp_no_request};
    const Reason reason = judge(model, packet, packet.time_us);
    const Floods::Attempt attempt{{packet.ipv6, packet.source},
                                  {packet.ipv6, packet.target},
                                  packet.protocol,
                                  is_icmp(packet) ? packet.icmp_type * 256u + packet.icmp_code : packet.target_port,
                                  packet.time_us};
    if (const Reason found = floods_.scans(attempt, model.tracking); found != Reason::flow_new) return {found};
    if (reason != Reason::flow_new) return {rejected(packet, model, reason)};
    const auto half_open_there = [&](auto& one) { return is_half_open(one) && to_same(one, packet); };
    const auto udp = [](auto& one) { return one.opening.protocol == 17; };
    const Reason full = floods_.opens(attempt, model.tracking, count(packet, is_half_open),
                                      count(packet, half_open_there), count(packet, udp));
    if (full != Reason::flow_new) return {full};
    Flow flow;
    flow.opening = packet;
    renew(flow, model, packet.time_us);
    flow.serial = ++serials_;
    flows_[key] = flow;
    return {reason, flow.serial, true};
  }

  static bool is_icmp(const MeantPacket& packet) { return packet.protocol == 1 || packet.protocol == 58; }
  static bool is_half_open(const Flow& flow) {
    return flow.opening.protocol == 6 &&
           (flow.tcp == Tcp::syn_seen || flow.tcp == Tcp::both_syn || flow.tcp == Tcp::syn_ack_seen);
  }
  static bool to_same(const Flow& flow, const MeantPacket& packet) {
    return flow.opening.ipv6 == packet.ipv6 && flow.opening.target == packet.target;
  }
  template <class Kind>
  std::size_t count(const MeantPacket& packet, Kind kind) const {
    return static_cast<std::size_t>(std::ranges::count_if(
        flows_, [&](auto& one) { return !over(one.second, packet.time_us) && kind(one.second); }));
  }

  // A denial, or the answer that policy asks for instead: from a frame with room for one no longer.
  Reason rejected(const MeantPacket& packet, const control::Model& model, Reason denial) {
    bool asks = std::ranges::any_of(
        model.segments, [&](auto& one) { return one.reject && contains(one.addresses, packet.ipv6, packet.source); });
    if (denial == Reason::forbidden) {
      // The most specific forbid is the one asked; the models here have one.
      for (const auto& statement : model.statements)
        asks |= statement.is_forbid && statement.reject && covers(statement, model, packet);
    }
    const std::uint32_t ip = packet.ipv6 ? 40 : 20;
    const std::uint32_t payload = packet.protocol == 17 ? 8 + packet.payload : packet.protocol == 50 ? 16 : 20;
    const bool fits = packet.protocol == 6 || payload >= 8 + ip + 8;
    if (!asks || !fits || !floods_.answers(model.tracking, packet.time_us)) return denial;
    return packet.protocol == 6 ? Reason::rejected_reset : Reason::rejected_unreachable;
  }

  static Reason tcp(Flow& flow, const MeantPacket& packet, bool opener) {
    const bool syn = packet.tcp_flags & 2, ack = packet.tcp_flags & 16, fin = packet.tcp_flags & 1;
    const Tcp before = flow.tcp;
    if (packet.tcp_flags & 4) {
      flow.tcp = Tcp::was_reset;
      return Reason::flow_established;
    }
    switch (before) {
      case Tcp::syn_seen:
        if (opener ? !(syn && !ack) : !syn) return Reason::tcp_state;
        if (!opener) flow.tcp = ack ? Tcp::syn_ack_seen : Tcp::both_syn;
        break;
      case Tcp::both_syn:
        if (!syn) return Reason::tcp_state;
        if (ack) flow.tcp = Tcp::syn_ack_seen;
        break;
      case Tcp::syn_ack_seen:
        if (!opener && !syn) return Reason::tcp_state;
        if (opener && !syn) flow.tcp = fin ? Tcp::opener_done : Tcp::open;
        break;
      case Tcp::open:
        if (syn && !ack) return Reason::tcp_state;
        if (!syn && fin) flow.tcp = opener ? Tcp::opener_done : Tcp::replier_done;
        break;
      case Tcp::opener_done:
        if (syn && (opener || !ack)) return Reason::tcp_state;
        if (!syn && fin && !opener) flow.tcp = Tcp::both_done;
        break;
      case Tcp::replier_done:
        if (syn) return Reason::tcp_state;
        if (fin && opener) flow.tcp = Tcp::both_done;
        break;
      case Tcp::both_done:
        if (syn) return Reason::tcp_state;
        break;
      case Tcp::was_reset: return Reason::tcp_state;
    }
    return Reason::flow_established;
  }

  static Reason other(Flow& flow, const MeantPacket& packet, bool opener) {
    if (packet.protocol == 1 || packet.protocol == 58) {
      const int query = flow.opening.icmp_type;
      const int answer = packet.protocol == 58 ? (query == 128 ? 129 : -1) : query == 8 ? 0 : query == 13 ? 14 : -1;
      const bool fits = opener ? packet.icmp_type == query && packet.icmp_code == flow.opening.icmp_code
                               : packet.icmp_type == answer && packet.icmp_code == 0;
      if (!fits) return Reason::icmp_no_request;
    }
    if (!opener) flow.answered = true;
    return Reason::flow_established;
  }

  Verdict decide_error(const MeantPacket& packet, const control::Model& model) {
    const Key key = key_of(packet.ipv6, packet.quoted_source, packet.quoted_source_port, packet.quoted_target,
                           packet.quoted_target_port, packet.quoted_protocol);
    Flow* flow = live(key, packet.time_us);
    if (flow == nullptr) return {Reason::icmp_unmatched};
    const std::uint64_t serial = flow->serial;
    const Flow copy = *flow;
    const Reason current = still_allowed(*flow, model, packet.time_us);
    if (current != Reason::flow_established) return {current, serial};
    const bool quoted_opener =
        packet.quoted_source == copy.opening.source && packet.quoted_source_port == copy.opening.source_port;
    const bool quoted_from_inside = quoted_opener == copy.opening.from_inside;
    const bool right = packet.target == packet.quoted_source && packet.from_inside != quoted_from_inside;
    return {right ? Reason::icmp_related : Reason::icmp_unmatched, serial};
  }

  std::map<Key, Flow> flows_;
  Floods floods_;
  std::uint64_t serials_ = 0;
};

}  // namespace weir::naive
