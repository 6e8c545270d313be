// What connection managers say on queue pair 1: the one kind of packet there that passes. Policy is asked at the
// request, by the service that it names; the answer makes the queue pairs known, the confirmation opens them, a
// disconnect closes them. Every message must belong to a conversation, come from who speaks in it, and name the
// addresses that it has. Sources: InfiniBand Architecture Specification, volume 1, 12.6 (messages), 12.9 (states);
// annex A11 (service identifiers of IP).
#include "dataplane/packet/mad.hpp"
#include "dataplane/pipeline/known_flow.hpp"
#include "dataplane/pipeline/rdma_path.hpp"

namespace weir {
namespace {

CmStep step_of(CmAttribute attribute) {
  switch (attribute) {
    case CmAttribute::req: return CmStep::request;
    case CmAttribute::mra: return CmStep::wait;
    case CmAttribute::rej: return CmStep::reject;
    case CmAttribute::rep: return CmStep::reply;
    case CmAttribute::rtu: return CmStep::ready;
    case CmAttribute::dreq: return CmStep::disconnect;
    case CmAttribute::drep: return CmStep::disconnected;
    case CmAttribute::sidr_req: return CmStep::resolve;
    case CmAttribute::sidr_rep: return CmStep::resolution;
  }
  return CmStep::reject;
}

bool opens(CmStep step) { return step == CmStep::request || step == CmStep::resolve; }

// Who says what: a refusal or a delay names what it is about, and refusals of nothing in particular are the replier's.
bool speaks_as_opener(const CmMessage& message, CmStep step) {
  constexpr u8 about_reply = 1;
  if (step == CmStep::wait || step == CmStep::reject) return message.about == about_reply;
  return opens(step) || step == CmStep::ready;
}

// Only services with a port are ones that policy can name.
bool has_port(const CmMessage& message) { return is_tcp_service(message.service) || is_udp_service(message.service); }

PairOffer offer_of(const Conversation& talk, u32 port, Tick now) {
  PairOffer offer{};
  const bool is_datagram = talk.state == Conversation::State::resolving || talk.state == Conversation::State::resolved;
  offer.pair = {talk.opener, talk.replier, is_datagram ? no_queue_pair : talk.opener_qp, talk.replier_qp, 0, 0};
  offer.at = now;
  offer.scope = talk.scope;
  offer.opener_port = (port & ~1u) | (talk.opener_on_inside ? 0u : 1u);
  offer.service_port = talk.port;
  offer.is_datagram = is_datagram;
  return offer;
}

}  // namespace

// What policy was asked about the connection that a message is about.
Question Pipeline::question_of(const InstalledPolicy& installed, const Conversation& talk, const Entry& entry) {
  const Address& dialled_by = talk.replier_dialled ? talk.replier : talk.opener;
  const u32 port = entry.packet.port ^ (entry.headers.source == dialled_by ? 0u : 1u);
  return rdma_question(installed, dialled_by, talk.replier_dialled ? talk.opener : talk.replier, talk.scope, port,
                       talk.port);
}

void Pipeline::cm_packet(const Entry& entry, const InstalledPolicy& installed, Outcome& outcome) {
  const Headers& headers = entry.headers;
  const Classes classes = classes_of(installed, place_of(headers), entry.packet.port);
  if (!installed.policy.source_allowed(classes.source, headers.source)) {
    outcome.reason = Reason::spoofed;
    return;
  }
  CmMessage message;
  outcome.reason = Reason::rdma_cm_bad;
  if (read_mad(headers, entry.packet.data, message) != CmRead::message) return;
  const CmStep step = step_of(message.attribute);
  if (step == CmStep::disconnect) return cm_disconnect(entry, installed, message, outcome);
  // A talk is named by the number that its opener chose.
  const bool from_opener = speaks_as_opener(message, step);
  Conversations& talks = config_.rdma->conversations();
  const u32 id = from_opener || step == CmStep::resolution ? message.local_id : message.remote_id;
  Conversation* const talk = from_opener ? talks.find(headers.source, headers.target, headers.key.scope, id, now_)
                                         : talks.find(headers.target, headers.source, headers.key.scope, id, now_);
  if (talk == nullptr && opens(step)) return cm_request(entry, installed, message, outcome);
  cm_answer(entry, installed, message, talk, from_opener, outcome);
}

// A request that is new: its service and its addresses are what policy is asked about.
void Pipeline::cm_request(const Entry& entry, const InstalledPolicy& installed, const CmMessage& message,
                          Outcome& outcome) {
  const Headers& headers = entry.headers;
  if (!cm_addresses_hold(message, headers) || !has_port(message)) return;
  count_alarm(Alarms::Kind::requests, entry, outcome, headers.source, headers.target);
  if (!config_.rdma->may_ask(host_key(headers), now_, installed.policy.rdma().cm)) {
    outcome.reason = Reason::rdma_cm_many;
    return;
  }
  Conversation wanted{};
  wanted.opener = headers.source;
  wanted.replier = headers.target;
  wanted.scope = headers.key.scope;
  wanted.opener_id = message.local_id;
  wanted.opener_qp = message.qp;
  wanted.port = port_of_service(message.service);
  wanted.opener_on_inside = (entry.packet.port & 1) == 0;
  const bool is_datagram = message.attribute == CmAttribute::sidr_req;
  wanted.state = is_datagram ? Conversation::State::resolving : Conversation::State::asked;
  PairOffer offer = offer_of(wanted, entry.packet.port, now_);
  RdmaRights rights{};
  const Judgement judgement = judge_offer(installed, offer, rights);
  outcome.rule = judgement.rule;
  outcome.reason = judgement.reason;
  if (judgement.reason != Reason::flow_new) return;
  Conversation* const talk =
      config_.rdma->conversations().add(wanted.opener, wanted.replier, wanted.scope, wanted.opener_id, now_);
  outcome.reason = Reason::rdma_cm_full;
  if (talk == nullptr) return;
  wanted.until = talk->until;
  *talk = wanted;
  cm_passes(*talk, outcome);
}

void Pipeline::cm_passes(const Conversation& talk, Outcome& outcome) {
  talk_ = &talk;
  outcome.reason = Reason::rdma_connection;
}

// Any later message. What it says must be what was said before, where it was.
void Pipeline::cm_answer(const Entry& entry, const InstalledPolicy& installed, const CmMessage& message,
                         Conversation* talk, bool from_opener, Outcome& outcome) {
  outcome.reason = Reason::rdma_cm_state;
  if (talk == nullptr || talk->opener_on_inside != (((entry.packet.port & 1) == 0) == from_opener)) return;
  const CmStep step = step_of(message.attribute);
  using State = Conversation::State;
  const bool knows_replier = talk->state == State::answered || talk->state == State::ready;
  if (opens(step) && (talk->opener_qp != message.qp || talk->port != port_of_service(message.service))) return;
  if (step == CmStep::reply && knows_replier &&
      (talk->replier_id != message.local_id || talk->replier_qp != message.qp))
    return;
  if (step == CmStep::ready && talk->replier_id != message.remote_id) return;
  const bool is_first_reply = step == CmStep::reply && talk->state == State::asked;
  const bool is_resolved = step == CmStep::resolution && talk->state == State::resolving && message.status == 0;
  Conversation next = *talk;
  if (!Conversations::step(next, step, from_opener, now_)) return;
  if (is_first_reply || is_resolved) {
    next.replier_id = message.local_id;
    next.replier_qp = message.qp;
    const PairOffer offer = offer_of(next, entry.packet.port, now_);
    const auto state = is_resolved ? QueuePairState::open : QueuePairState::announced;
    if (!open_queue_pair(entry, installed, offer, state, outcome)) return;
    outcome.flow = no_flow;
  }
  if (step == CmStep::ready) cm_state(next, QueuePairState::open);
  if (step == CmStep::ready && talk->state == State::answered)
    config_.rdma->alarms().forgive(Alarms::Kind::requests, next.opener, next.replier, next.scope & place_mask);
  if (step == CmStep::reject && knows_replier) cm_state(next, QueuePairState::closed);
  *talk = next;
  outcome.rule = installed.policy.judge(question_of(installed, *talk, entry), now_).rule;
  cm_passes(*talk, outcome);
}

// Both directions of what a conversation has made known, where they are not closed.
void Pipeline::cm_state(const Conversation& talk, QueuePairState state) {
  const u32 flow = direction_of(talk.opener, talk.replier, talk.replier_qp, talk.scope);
  if (flow == no_flow) return;
  const u32 partner = partner_of(flow);
  for (const u32 one : {flow, partner})
    if (one != no_flow && QueuePair(table_.record(one)).state() != QueuePairState::closed) set_pair_state(one, state);
}

// Either end may end a connection, by the number of the other's queue pair.
void Pipeline::cm_disconnect(const Entry& entry, const InstalledPolicy& installed, const CmMessage& message,
                             Outcome& outcome) {
  const Headers& headers = entry.headers;
  const bool from_inside = (entry.packet.port & 1) == 0;
  outcome.reason = Reason::rdma_cm_state;
  const u32 flow = direction_of(headers.source, headers.target, message.qp, headers.key.scope);
  if (flow == no_flow || table_.expired(flow, now_beat_) || !is_current(installed, flow)) return;
  FlowRecord& record = table_.record(flow);
  const bool opener = came_from_opener(headers, record);
  if ((opener ? record.opener_on_inside : !record.opener_on_inside) != from_inside) return;
  Conversations& talks = config_.rdma->conversations();
  Conversation* talk = talks.find(headers.source, headers.target, headers.key.scope, message.local_id, now_);
  if (talk == nullptr) talk = talks.add(headers.source, headers.target, headers.key.scope, message.local_id, now_);
  outcome.reason = Reason::rdma_cm_full;
  if (talk == nullptr) return;
  talk->state = Conversation::State::closing;
  talk->until = now_ + Conversations::memory_us;
  talk->replier_id = message.remote_id;
  talk->port = QueuePair(record).port();
  talk->opener_on_inside = from_inside;
  talk->replier_dialled = !opener;
  if (const u32 partner = partner_of(flow); partner != no_flow) set_pair_state(partner, QueuePairState::closed);
  set_pair_state(flow, QueuePairState::closed);
  outcome.rule = installed.policy.rule_of(record.decision);
  cm_passes(*talk, outcome);
}

}  // namespace weir
