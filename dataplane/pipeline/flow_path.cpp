// What known_flow.hpp leaves: first packets by policy, flows to be judged again, ICMP errors by the flow they quote.
#include "dataplane/pipeline/known_flow.hpp"

#include <utility>

namespace weir {
namespace {

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
  const bool mid_stream = headers.protocol == protocol_tcp && !tcp_opens(headers.tcp_flags);
  if (mid_stream && now_ < cookies_until_ && open_by_cookie(entry, installed, outcome)) return;
  if (mid_stream && installed.tcp.pick_up) return pick_up(entry, installed, outcome);
  if (mid_stream || (is_icmp(flow_class) && icmp_is_reply(headers.is_ipv4, headers.icmp_type))) {
    outcome.reason = !installed.policy.source_allowed(classes.source, headers.source) ? Reason::spoofed
                     : outcome.reason == Reason::syn_cookie_bad                       ? Reason::syn_cookie_bad
                     : mid_stream                                                     ? Reason::tcp_not_syn
                                                                                      : Reason::icmp_no_request;
    return;
  }
  // A queue pair is never opened by a port: 4791 is every one's.
  const Judgement judgement = judge_packet(entry, installed, true);
  outcome.reason = judgement.reason;
  outcome.rule = judgement.rule;
  // Where a SYN is answered, floods are asked when the cookie comes back: until then nobody has opened anything.
  const bool is_proxied = judgement.reason == Reason::flow_new && headers.protocol == protocol_tcp &&
                          proxies(installed, headers, judgement.decision);
  if (!is_proxied && !passes_floods(entry, installed, judgement, outcome)) {
    const bool is_policys = judgement.reason != Reason::flow_new && outcome.reason != Reason::scan_blocked;
    if (installed.shadow != nullptr && is_policys) compare_denied(entry, installed, judgement);
    return;
  }
  if (headers.protocol == protocol_tcp && headers.payload_bytes != 0 && !installed.tcp.loose) {
    outcome.reason = Reason::tcp_syn_data;
    return;
  }
  if (judgement.reason == Reason::flow_new && installed.looks_by_packet) {
    const Reason doubt = look_doubt(entry, installed, judgement.rule, true);
    if (doubt != Reason::undecided) outcome.reason = doubt;
    if (doubt != Reason::undecided) return;
  }
  if (is_proxied) return answer_syn(entry, outcome);
  open_flow(entry, installed, judgement, true, true, outcome);
}

// What policy says of a packet as the opening of a flow, or as the answer to one the other way round.
Judgement Pipeline::judge_packet(const Entry& entry, const InstalledPolicy& installed, bool from_opener) const {
  return installed.policy.judge(question_of(installed, entry, from_opener), entry.packet.time);
}

Question Pipeline::question_of(const InstalledPolicy& installed, const Entry& entry, bool from_opener) {
  const Headers& headers = entry.headers;
  const Classes classes = classes_of(installed, place_of(headers), entry.packet.port);
  Question question{headers.source, headers.target, classes.source, classes.target, headers.protocol,
                    headers.icmp_type, headers.icmp_code, headers.target_port};
  question.is_rdma = headers.rdma_opcode != rdma_opcode_none;
  if (question.is_rdma) question.target_port = 0;
  if (!from_opener) {
    std::swap(question.source, question.target);
    std::swap(question.source_class, question.target_class);
    question.target_port = headers.source_port;
  }
  return question;
}

// A record for a flow that policy allows, made of its first packet, which comes from the opener, or, where a connection
// is picked up in mid-stream (not `in_order`), from either end.
void Pipeline::open_flow(const Entry& entry, const InstalledPolicy& installed, const Judgement& judgement,
                         bool from_opener, bool in_order, Outcome& outcome) {
  const Headers& headers = entry.headers;
  const bool from_inside = (entry.packet.port & 1) == 0;
  const Classes classes = classes_of(installed, place_of(headers), entry.packet.port);
  u32 bill = no_bill, watch;
  if (const Reason no = take_watch(installed, judgement.rule, headers.key, in_order, watch); no != Reason::undecided) {
    outcome.reason = no;
    return;
  }
  if (installed.has_charges) {
    const Question question = question_of(installed, entry, from_opener);
    const u32 opener_port = entry.packet.port ^ (from_opener ? 0u : 1u);
    const Reason no = open_bill(installed, question, opener_port, from_opener ? 0 : 1, load_of(entry), bill);
    if (no != Reason::undecided) {
      outcome.reason = no;
      return give_back(watch);
    }
  }
  const u32 flow = insert(headers.key, headers.hash, installed, judgement, outcome);
  if (flow == no_flow) {
    if (bill != no_bill) config_.bills->release(bill);
    return give_back(watch);
  }
  if (bill != no_bill) table_.set_bill(flow, bill);
  FlowRecord& record = table_.record(flow);
  record.epoch = sweep_.epoch() & (epochs - 1);
  record.decision = judgement.decision;
  record.opener_is_a = headers.source_is_a == from_opener;
  record.opener_on_inside = from_inside == from_opener;
  record.replier_is_spoofed = from_opener && replier_is_spoofed(installed, classes.target, headers.target);
  if (is_icmp(record.key.flow_class())) record.set_icmp(headers.icmp_type, headers.icmp_code);
  if (headers.protocol == protocol_tcp) {
    const TcpNumbers numbers = tcp_numbers(entry.packet, headers);
    if (tcp_opens(headers.tcp_flags))
      open_tcp(record, numbers);
    else
      pick_up_tcp(record, from_opener ? 0 : 1, numbers);
  }
  if (config_.rdma != nullptr) {
    if (!config_.rdma->handshakes().is_empty()) config_.rdma->handshakes().forget(flow);
    const bool begins = headers.protocol == protocol_tcp && tcp_opens(headers.tcp_flags);
    if (begins && installed.policy.reads_handshakes())
      read_handshake(installed, headers, entry.packet, flow);
  }
  if (watch != Inspector::none) watch_flow(flow, watch);
  table_.set_deadline(flow, new_deadline(record, now_beat_, idle_));
  stand(flow);
  if (config_.floods != nullptr) config_.floods->census().enter(record);
  counters_.flows_opened.add(1);
  asked_.forget(flow);
  outcome.flow = flow;
  outcome.flow_is_new = true;
  if (installed.policy.log_of(judgement.decision) != Log::none) emit(EventKind::flow_opened, entry, outcome);
  if (installed.shadow != nullptr) [[unlikely]]
    compare_opened(entry, installed, judgement, from_opener);
  if (watch != Inspector::none) inspect_first(entry, installed, flow, from_opener ? 0 : 1, outcome);
}

// An ICMP error goes back toward the sender of the packet that it quotes: its flow must live, the carrier must be
// addressed to the quoted source, it must come in by the side that the quoted packet went out by, and what it quotes of
// TCP must be in flight.
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
  // What was quoted must have been sent: eight of its bytes are there, so a TCP sequence number and an ICMP type are.
  const std::byte* quoted = entry.packet.data + headers.quote_offset;
  bool was_sent = true;
  if (record.key.flow_class() == FlowClass::tcp)
    was_sent = quote_holds(record, quoted_from_opener ? 0 : 1, swap(load<u32>(quoted + 4)));
  else if (is_icmp(record.key.flow_class()))
    was_sent = icmp_permitted(record, headers.is_ipv4, quoted_from_opener, static_cast<u8>(quoted[0]),
                              static_cast<u8>(quoted[1]));
  if (headers.target == quoted_source && quoted_from_inside != error_from_inside && was_sent)
    outcome.reason = Reason::icmp_related;
  if (outcome.reason == Reason::icmp_related && record.attended) {
    const Reason no = inspect_error(entry, installed, flow, quoted_from_opener ? 1 : 0, outcome);
    if (no != Reason::undecided) outcome.reason = no;
  }
  if (outcome.reason == Reason::icmp_related && is_translated(flow))
    translate_error(entry, flow, quoted_from_opener ? 0 : 1, outcome);
}

}  // namespace weir
