// What known_flow.hpp leaves: first packets by policy, flows to be judged again, ICMP errors by the flow they quote.
#include "dataplane/pipeline/known_flow.hpp"

namespace weir {
namespace {

constexpr u32 ageing_when_full = 1024;  // deadlines: a full table looks further before it refuses

// Whether an error quotes a tunnel's own packet, which never is of a flow.
bool quotes_tunnel(const Headers& headers) {
  const FlowKey& key = headers.key;
  const u16 number = headers.source_is_a ? key.b_number : key.a_number;
  if (key.flow_class() == FlowClass::udp) return is_tunnel(protocol_udp, swap(number));
  return key.flow_class() == FlowClass::ip && is_tunnel(static_cast<u8>(number), 0);
}

}  // namespace

void Pipeline::first_packet(const Entry& entry, const InstalledPolicy& installed, Outcome& outcome) {
  const Headers& headers = entry.headers;
  const Classes classes = classes_of(installed, place_of(headers), entry.packet.port);
  const FlowClass flow_class = headers.key.flow_class();
  // A reply without its flow is named before policy is asked: "no allow from server to client" would mislead.
  const bool mid_stream = headers.protocol == 6 && tcp_segment(headers.tcp_flags) != TcpSegment::syn;
  if (mid_stream || (is_icmp(flow_class) && icmp_is_reply(headers.is_ipv4, headers.icmp_type))) {
    outcome.reason = !installed.policy.source_allowed(classes.source, headers.source) ? Reason::spoofed
                     : mid_stream                                                   ? Reason::tcp_not_syn
                                                                                    : Reason::icmp_no_request;
    return;
  }
  const Judgement judgement =
      installed.policy.judge({headers.source, headers.target, classes.source, classes.target, headers.protocol,
                              headers.icmp_type, headers.icmp_code, headers.target_port},
                             entry.packet.time);
  outcome.reason = judgement.reason;
  outcome.rule = judgement.rule;
  if (!passes_floods(entry, installed, judgement, outcome)) return;

  const u32 flow = insert(entry);
  if (flow == no_flow) {
    outcome.reason = Reason::table_full;
    return;
  }
  FlowRecord& record = table_.record(flow);
  record.epoch = sweep_.epoch() & (epochs - 1);
  record.decision = judgement.decision;
  record.opener_is_a = headers.source_is_a;
  record.opener_on_inside = (entry.packet.port & 1) == 0;
  record.replier_is_spoofed = replier_is_spoofed(installed, classes.target, headers.target);
  if (is_icmp(flow_class)) record.set_icmp(headers.icmp_type, headers.icmp_code);
  table_.set_deadline(flow, new_deadline(record, now_beat_, idle_));
  if (config_.floods != nullptr) config_.floods->census().enter(record);
  counters_.flows_opened.add(1);
  outcome.flow = flow;
  outcome.flow_is_new = true;
  if (installed.policy.log_of(judgement.decision) != Log::none) emit(EventKind::flow_opened, entry, outcome);
}

u32 Pipeline::insert(const Entry& entry) {
  const u32 flow = table_.insert(entry.headers.key, entry.headers.hash, now_beat_);
  if (flow != no_flow) return flow;
  age_some(ageing_when_full);
  return table_.insert(entry.headers.key, entry.headers.hash, now_beat_);
}

// An ICMP error goes back toward the sender of the packet that it quotes: its flow must live, the carrier must be
// addressed to the quoted source, and it must come in by the side that the quoted packet went out by.
// Sources: RFC 792, 4443; RFC 5927 (attacks), section 4.
void Pipeline::icmp_error(const Entry& entry, const InstalledPolicy& installed, Outcome& outcome) {
  const Headers& headers = entry.headers;
  const Classes classes = classes_of(installed, place_of(headers), entry.packet.port);
  if (!installed.policy.source_allowed(classes.source, headers.source)) {
    outcome.reason = Reason::spoofed;
    return;
  }
  outcome.reason = Reason::icmp_unmatched;
  if (quotes_tunnel(headers)) return tunnel_error(entry, installed, outcome);
  const u32 flow = live_flow(entry);
  if (flow == no_flow) return;
  FlowRecord& record = table_.record(flow);
  outcome.flow = flow;
  if (record.epoch != sweep_.epoch() && !judge_again(entry, installed, flow, outcome)) return;
  outcome.rule = installed.policy.rule_of(record.decision);
  const bool quoted_from_opener = came_from_opener(headers, record);
  const bool quoted_from_inside = quoted_from_opener ? record.opener_on_inside : !record.opener_on_inside;
  const bool error_from_inside = (entry.packet.port & 1) == 0;
  const Address& quoted_source = headers.source_is_a ? record.key.a : record.key.b;
  if (headers.target == quoted_source && quoted_from_inside != error_from_inside) outcome.reason = Reason::icmp_related;
}

}  // namespace weir
