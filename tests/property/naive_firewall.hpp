// A firewall as one would write it in an afternoon: a map of flows, a loop over statements, no table, no image, no
// bursts. The twin of the engine: written from the rule language and the RFCs, not from the engine's code.
#pragma once
#include "control/model/model.hpp"
#include "dataplane/packet/reason.hpp"
#include "tests/property/naive_floods.hpp"
#include "tests/property/naive_tcp.hpp"

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
  Segment tcp;
  std::uint8_t icmp_type = 0, icmp_code = 0;
  bool quotes = false;  // an ICMP error; the fields below are the quoted packet's
  control::Ipv6Number quoted_source = 0, quoted_target = 0;
  std::uint8_t quoted_protocol = 0;
  std::uint16_t quoted_source_port = 0, quoted_target_port = 0;
  std::uint32_t quoted_sequence = 0;
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
  void restart() {
    for (auto& [key, flow] : flows_) flow.tcp.forget_asked();
  }
  std::uint64_t scans_told() const { return floods_.scans_told; }

  // What policy says of the flow that this packet opens or opened, and whether it denies it.
  static Reason asked(const MeantPacket& opening, const control::Model& model) {
    return judge(model, opening, opening.time_us);
  }
  static bool is_denied(const MeantPacket& opening, const control::Model& model) {
    return asked(opening, model) != Reason::flow_new;
  }

  // The same for both directions.
  using Key = std::tuple<bool, control::Ipv6Number, std::uint16_t, control::Ipv6Number, std::uint16_t, std::uint8_t>;
  static Key key_of(const MeantPacket& packet) {
    if (is_icmp(packet)) return query_key(packet);
    return key_of(packet.ipv6, packet.source, packet.source_port, packet.target, packet.target_port, packet.protocol);
  }

 private:
  struct Flow {
    MeantPacket opening;
    Tcp tcp;
    bool answered = false;
    std::uint64_t last_us = 0, idle_us = 0;
    std::uint64_t serial = 0;
  };
  static Key key_of(bool ipv6, control::Ipv6Number a, std::uint16_t ap, control::Ipv6Number b, std::uint16_t bp,
                    std::uint8_t protocol) {
    return std::tie(a, ap) < std::tie(b, bp) ? Key{ipv6, a, ap, b, bp, protocol} : Key{ipv6, b, bp, a, ap, protocol};
  }

  // Who asks whom for what, by the name that the asker gave it.
  static Key query_key(const MeantPacket& packet) {
    static const std::map<int, int> answered = {{0, 8}, {14, 13}, {129, 128}};
    const auto found = answered.find(packet.icmp_type);
    const bool answers = found != answered.end();
    const auto type = static_cast<std::uint16_t>(answers ? found->second : packet.icmp_type);
    return answers ? Key{packet.ipv6, packet.target, packet.source_port, packet.source, type, packet.protocol}
                   : Key{packet.ipv6, packet.source, packet.source_port, packet.target, type, packet.protocol};
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
    const auto is_before = [&](std::int64_t end_s) { return now_us < static_cast<std::uint64_t>(end_s) * 1'000'000; };
    if (model.monitor && (!model.monitor_until_s || is_before(*model.monitor_until_s))) return Reason::flow_new;
    bool allowed = false, expired = model.monitor;  // as if by an allow of everything that has ended
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
    return flow.tcp.idle_name();
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
    if (packet.protocol == 6) return tcp(key, *flow, packet, opener, model);
    const Reason reason = other(*flow, packet, opener);
    if (reason == Reason::flow_established) renew(*flow, model, packet.time_us);
    return {reason, serial};
  }

  Verdict tcp(const Key& key, Flow& flow, const MeantPacket& packet, bool opener, const control::Model& model) {
    const Tcp::Said said = flow.tcp.hear(opener ? 0 : 1, packet.tcp, rules_of(model));
    if (said.answer == Tcp::Answer::reopen) {
      flows_.erase(key);
      return open(key, packet, model);
    }
    Reason reason = said.reason;
    if (said.answer == Tcp::Answer::ask_policy) {
      reason = judge(model, packet, packet.time_us);
      if (reason != Reason::flow_new) return {reason, flow.serial};
      flow.tcp.opened_too(packet.tcp);
      reason = Reason::flow_established;
    }
    if (reason == Reason::flow_established || reason == Reason::tcp_loose) renew(flow, model, packet.time_us);
    return {reason, flow.serial};
  }

  static TcpRules rules_of(const control::Model& model) { return {model.tracking.loose, model.tracking.pick_up}; }

  // A connection in mid-stream: its sender's, or the one it answers.
  Verdict pick_up(const Key& key, const MeantPacket& packet, const control::Model& model) {
    if (!rules_of(model).pick_up || packet.tcp.syn || packet.tcp.rst) return {Reason::tcp_not_syn};
    MeantPacket turned = packet;
    std::swap(turned.source, turned.target), std::swap(turned.source_port, turned.target_port);
    turned.from_inside = !packet.from_inside;
    for (const bool from_opener : {true, false}) {
      const MeantPacket& opening = from_opener ? packet : turned;
      if (judge(model, opening, packet.time_us) != Reason::flow_new) continue;
      const Reason found = floods_.scans(attempt_of(packet), model.tracking);
      if (found != Reason::flow_new) return {found};
      if (const Reason full = ceilings(packet, model); full != Reason::flow_new) return {full};
      return remember(key, opening, Tcp::met(from_opener ? 0 : 1, packet.tcp), model, packet.time_us);
    }
    return {Reason::tcp_not_syn};
  }

  Verdict remember(const Key& key, const MeantPacket& opening, const Tcp& tcp, const control::Model& model,
                   std::uint64_t now_us) {
    Flow flow;
    flow.opening = opening;
    flow.tcp = tcp;
    renew(flow, model, now_us);
    flow.serial = ++serials_;
    flows_[key] = flow;
    return {Reason::flow_new, flow.serial, true};
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
    if (is_mid_stream(packet)) return pick_up(key, packet, model);
    if (is_reply(packet)) return {Reason::icmp_no_request};
    const Reason reason = judge(model, packet, packet.time_us);
    const Reason found = floods_.scans(attempt_of(packet), model.tracking);
    if (found != Reason::flow_new) return {found};
    if (reason != Reason::flow_new) return {rejected(packet, model, reason)};
    if (const Reason full = ceilings(packet, model); full != Reason::flow_new) return {full};
    if (packet.protocol == 6 && packet.tcp.bytes != 0 && !rules_of(model).loose) return {Reason::tcp_syn_data};
    return remember(key, packet, packet.protocol == 6 ? Tcp::opened(packet.tcp) : Tcp(), model, packet.time_us);
  }

  static Floods::Attempt attempt_of(const MeantPacket& packet) {
    return {{packet.ipv6, packet.source},
            {packet.ipv6, packet.target},
            packet.protocol,
            is_icmp(packet) ? packet.icmp_type * 256u + packet.icmp_code : packet.target_port,
            packet.time_us};
  }
  Reason ceilings(const MeantPacket& packet, const control::Model& model) {
    const auto half_open_there = [&](auto& one) { return is_half_open(one) && to_same(one, packet); };
    const auto udp = [](auto& one) { return one.opening.protocol == 17; };
    return floods_.opens(attempt_of(packet), model.tracking, count(packet, is_half_open),
                         count(packet, half_open_there), count(packet, udp));
  }

  static bool is_icmp(const MeantPacket& packet) { return packet.protocol == 1 || packet.protocol == 58; }
  static bool is_half_open(const Flow& flow) {
    return flow.opening.protocol == 6 && flow.tcp.is_half_open();
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
    const bool sent = packet.quoted_protocol != 6 || copy.tcp.in_flight(quoted_opener ? 0 : 1, packet.quoted_sequence);
    const bool right = packet.target == packet.quoted_source && packet.from_inside != quoted_from_inside && sent;
    return {right ? Reason::icmp_related : Reason::icmp_unmatched, serial};
  }

  std::map<Key, Flow> flows_;
  Floods floods_;
  std::uint64_t serials_ = 0;
};

}  // namespace weir::naive
