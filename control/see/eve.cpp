#include "control/see/eve.hpp"

#include "control/see/community_id.hpp"
#include "dataplane/packet/numbers.hpp"

#include <fmt/chrono.h>
#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include <ctime>

namespace weir::see {
namespace {

using Json = nlohmann::ordered_json;

constexpr int generator = 1;  // EVE's `gid`: 1 is text rules; signature numbers below are ours

// The names that Suricata has for protocols (src/util-proto-name.c); others by number.
std::string eve_protocol(u8 protocol) {
  switch (protocol) {
    case protocol_icmp: return "ICMP";
    case protocol_igmp: return "IGMP";
    case protocol_ipv4: return "IP-in-IP";
    case protocol_tcp: return "TCP";
    case protocol_udp: return "UDP";
    case protocol_ipv6: return "IPv6";
    case protocol_gre: return "GRE";
    case protocol_esp: return "ESP";
    case protocol_ah: return "AH";
    case protocol_icmp6: return "IPv6-ICMP";
    case protocol_sctp: return "SCTP";
    default: return fmt::format("{:03}", protocol);
  }
}

bool has_address(const Address& address) { return (address.high | address.low) != 0; }

// Alarms count what a host does, not one flow of it.
bool is_about_flow(EventKind kind) {
  return kind <= EventKind::packet_dropped || kind == EventKind::inspect_alert || is_of_shadow(kind);
}

// How the policy in force decided, of which a shadow that denies is no part.
Reason reason_of(const Event& event) {
  return event.kind == EventKind::shadow_would_deny ? Reason::flow_new : event.reason;
}

std::string_view type_of(EventKind kind) {
  if (kind == EventKind::flow_opened || kind == EventKind::flow_revoked) return "flow";
  return kind == EventKind::packet_dropped ? "drop" : "alert";
}

std::string sentence_of(const Event& event, const EventNames& names) {
  switch (event.kind) {
    case EventKind::scan_detected: return "a source tries many ports or hosts";
    case EventKind::rdma_refused: return "RDMA: many requests of one host are refused by another";
    case EventKind::rdma_gaps: return "RDMA: many gaps in the numbers of packets";
    case EventKind::rdma_unknown: return "RDMA: many packets for queue pairs that nobody knows";
    case EventKind::rdma_requests: return "RDMA: many requests for connections";
    case EventKind::job_burst: return "a member of a job sends much at once to another";
    case EventKind::job_turned: return "traffic between two members of a job goes mostly one way";
    case EventKind::shadow_would_pass: return "the shadow policy allows what is denied";
    case EventKind::shadow_would_deny: return "the shadow policy denies what is allowed";
    default: break;
  }
  return names.found.empty() ? std::string(row(event.reason).sentence) : std::string(names.found);
}

void add_addresses(Json& line, const Event& event) {
  if (has_address(event.source)) line["src_ip"] = text_of(event.source);
  const bool has_ports =
      event.protocol == protocol_tcp || event.protocol == protocol_udp || event.protocol == protocol_sctp;
  if (has_ports) line["src_port"] = event.source_port;
  if (has_address(event.target)) line["dest_ip"] = text_of(event.target);
  if (has_ports) line["dest_port"] = event.target_port;
  if (!has_address(event.source)) return;
  line["ip_v"] = event.source.is_ipv4() ? 4 : 6;
  line["proto"] = eve_protocol(event.protocol);
  if (is_icmp_protocol(event.protocol)) {
    line["icmp_type"] = event.target_port >> 8;
    line["icmp_code"] = event.target_port & 0xff;
  }
  if (is_about_flow(event.kind) && has_address(event.target))
    line["community_id"] =
        community_id({event.source, event.target, event.source_port, event.target_port, event.protocol});
}

void add_vlans(Json& line, u32 place) {
  if (in_tunnel(place)) return;
  Json vlans = Json::array();
  for (const u32 shift : {8u, 20u})
    if (const u32 vlan = place >> shift & 0xfff; vlan != 0) vlans.push_back(vlan);
  if (!vlans.empty()) line["vlan"] = std::move(vlans);
}

Json alert_of(const Event& event, const EventNames& names) {
  const bool denies = verdict_of(reason_of(event)) == Verdict::drop;
  const bool is_signature = event.detail != no_detail && !is_of_shadow(event.kind);
  const u32 number = is_signature ? 1000 + event.detail : 100 + static_cast<u32>(event.kind);
  return {{"action", denies ? "blocked" : "allowed"},
          {"gid", generator},
          {"signature_id", number},
          {"rev", 1},
          {"signature", sentence_of(event, names)},
          {"category", kind_name(event.kind)},
          {"severity", is_of_shadow(event.kind) ? 3 : event.kind == EventKind::scan_detected ? 2 : 1}};
}

Json shadow_of(const Event& event, const ShadowNames& names) {
  const bool passes = event.kind == EventKind::shadow_would_pass;
  const Reason reason = passes ? Reason::flow_new : event.reason;
  Json made = {{"reason", row(reason).name}, {"verdict", verdict_name(verdict_of(reason))}};
  if (!names.known && shadow_rule_in(event.detail) != no_shadow_rule)
    made["rule_number"] = shadow_rule_in(event.detail);
  if (names.rule.empty()) return made;
  made["rule"] = names.rule;
  made["rule_kind"] = names.is_forbid ? "forbid" : "allow";
  made["at"] = fmt::format("{}:{}", names.file, names.line);
  return made;
}

Json weir_of(const Event& event, const EventNames& names) {
  Json made = {{"event", kind_name(event.kind)},
               {"reason", row(reason_of(event)).name},
               {"verdict", verdict_name(verdict_of(reason_of(event)))},
               {"generation", event.generation}};
  const auto name = [&](const char* key, std::string_view text) {
    if (!text.empty()) made[key] = text;
  };
  if (!names.known) {
    if (event.rule != no_rule) made["rule_number"] = event.rule;
    if (event.detail != no_detail && !is_of_shadow(event.kind)) made["found_number"] = event.detail;
  }
  name("rule", names.rule);
  if (!names.rule.empty()) {
    made["rule_kind"] = names.is_forbid ? "forbid" : "allow";
    made["at"] = fmt::format("{}:{}", names.file, names.line);
  }
  name("from", names.from);
  name("to", names.to);
  name("found", names.found);
  if (in_network(event.place)) made["network"] = network_of(event.place);
  if (is_of_shadow(event.kind)) made["shadow"] = shadow_of(event, names.shadow);
  return made;
}

std::string written(const Json& line) { return line.dump(-1, ' ', false, Json::error_handler_t::replace) + "\n"; }

}  // namespace

std::string eve_time(Tick time) {
  const auto seconds = static_cast<std::time_t>(time / tick_second);
  return fmt::format("{:%Y-%m-%dT%H:%M:%S}.{:06}+0000", fmt::gmtime(seconds), time % tick_second);
}

std::string eve_line(const Event& event, const EventNames& names, std::string_view port_name) {
  Json line = {{"timestamp", eve_time(event.time)}};
  if (!port_name.empty()) line["in_iface"] = port_name;
  line["event_type"] = type_of(event.kind);
  add_vlans(line, event.place);
  add_addresses(line, event);
  if (event.kind == EventKind::flow_opened) line["flow"] = {{"start", eve_time(event.time)}, {"state", "new"}};
  if (event.kind == EventKind::flow_revoked)
    line["flow"] = {{"end", eve_time(event.time)}, {"state", "closed"}, {"reason", "forced"}, {"action", "drop"}};
  if (event.kind == EventKind::packet_dropped) line["drop"] = {{"reason", row(event.reason).name}};
  if (type_of(event.kind) == "alert") line["alert"] = alert_of(event, names);
  line["weir"] = weir_of(event, names);
  return written(line);
}

std::string eve_counts_line(Tick time, const LogCounts& counts) {
  return written({{"timestamp", eve_time(time)},
                  {"event_type", "stats"},
                  {"weir",
                   {{"event", "not_logged"},
                    {"lost", counts.lost},
                    {"suppressed", counts.suppressed},
                    {"unwritten", counts.unwritten},
                    {"unsound", counts.unsound}}}});
}

}  // namespace weir::see
