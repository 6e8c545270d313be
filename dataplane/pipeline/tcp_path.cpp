// TCP segments that are not simply a known flow's next: those that change nothing, begin anew or ask policy, and
// connections that are picked up in mid-stream.
#include "dataplane/pipeline/known_flow.hpp"

namespace weir {

// A segment of a known flow that does not pass as its next. What the loose profile passes keeps the flow alive; what is
// left to the endpoint does not, so that nobody keeps a dead flow from its end.
void Pipeline::tcp_rest(const Entry& entry, const InstalledPolicy& installed, u32 flow, TcpFate fate,
                        Outcome& outcome) {
  const Headers& headers = entry.headers;
  FlowRecord& record = table_.record(flow);
  outcome.reason = reason_of(fate);
  if (answers_asked(entry, installed, flow, outcome)) return;
  if (fate == TcpFate::challenges && tcp_opens(headers.tcp_flags) && came_from_opener(headers, record))
    asked_.note(flow, syn_of(tcp_numbers(entry.packet, headers)));
  if (fate == TcpFate::reopens) {
    table_.erase(flow, headers.hash);
    outcome.flow = no_flow;
    outcome.rule = no_rule;
    return first_packet(entry, installed, outcome);
  }
  if (fate == TcpFate::judged) {
    const Judgement judgement = judge_packet(entry, installed, true);
    outcome.reason = judgement.reason;
    outcome.rule = judgement.rule;
    if (judgement.reason != Reason::flow_new) return;
    outcome.reason = Reason::flow_established;
    second_syn(record, tcp_numbers(entry.packet, headers));
    table_.set_deadline(flow, new_deadline(record, now_beat_, idle_));
  }
  if (fate == TcpFate::loose) table_.set_deadline(flow, new_deadline(record, now_beat_, idle_));
}

// The replier answers a SYN that passed in the middle of the connection as one that does not know the connection: the
// opener had forgotten it, and both have now. A RST ends it; a SYN-ACK goes on from the SYN. Where numbers are
// translated the SYN must come again, for the proxy to answer.
bool Pipeline::answers_asked(const Entry& entry, const InstalledPolicy& installed, u32 flow, Outcome& outcome) {
  const Headers& headers = entry.headers;
  FlowRecord& record = table_.record(flow);
  if ((headers.tcp_flags & tcp_ack) == 0 || (headers.tcp_flags & (tcp_syn | tcp_rst)) == 0) return false;
  const TcpNumbers answer = tcp_numbers(entry.packet, headers);
  const TcpSyn* syn = came_from_opener(headers, record) ? nullptr : asked_.acknowledged(flow, answer.acknowledgement);
  const bool accepts = (headers.tcp_flags & tcp_syn) != 0;
  if (syn == nullptr || (accepts && answer.payload != 0 && !installed.tcp.loose)) return false;
  outcome.reason = Reason::flow_established;
  if (accepts && !is_translated(flow)) {
    open_again(record, *syn);
    follow_rare(record, 1, answer, installed.tcp);
  } else {
    record.set_state(static_cast<u32>(TcpState::reset));
    if (is_translated(flow)) outcome.reason = Reason::tcp_state;
  }
  asked_.forget(flow);
  table_.set_deadline(flow, new_deadline(record, now_beat_, idle_));
  return true;
}

// The first segment that is met of a connection may come from either end: where policy does not let its sender open,
// it may be the answer to one who was let.
void Pipeline::pick_up(const Entry& entry, const InstalledPolicy& installed, Outcome& outcome) {
  const Headers& headers = entry.headers;
  outcome.reason = Reason::tcp_not_syn;
  const Classes classes = classes_of(installed, place_of(headers), entry.packet.port);
  if (!installed.policy.source_allowed(classes.source, headers.source)) {
    outcome.reason = Reason::spoofed;
    return;
  }
  if (headers.tcp_flags & (tcp_syn | tcp_rst)) return;
  for (const bool from_opener : {true, false}) {
    const Judgement judgement = judge_packet(entry, installed, from_opener);
    if (judgement.reason != Reason::flow_new) continue;
    outcome.reason = judgement.reason;
    outcome.rule = judgement.rule;
    if (!passes_floods(entry, installed, judgement, outcome)) return;
    if (installed.looks_by_packet) {
      const Reason doubt = look_doubt(entry, installed, judgement.rule, from_opener);
      if (doubt != Reason::undecided) outcome.reason = doubt;
      if (doubt != Reason::undecided) return;
    }
    return open_flow(entry, installed, judgement, from_opener, false, outcome);
  }
}

}  // namespace weir
