// Packets of RDMA (RoCEv2) that do not go the short way: for queue pairs that nobody knows yet, of operations that are
// seldom or cost more than their frame, refusals, congestion notices, and whatever is not permitted.
// Sources: InfiniBand Architecture Specification, volume 1, 9.4 to 9.7 (operations, acknowledgements); annex A17.
#include "dataplane/pipeline/rdma_path.hpp"

#include "dataplane/pipeline/known_flow.hpp"

namespace weir {
namespace {

// How far behind the newest packet an answer may lie that shows whose the other direction is.
constexpr u32 answer_reach = 1u << 16;

bool is_read_response(u8 opcode) { return opcode >= rdma_read_first && opcode <= rdma_read_only; }

bool is_answer(u8 opcode) {
  return opcode == rdma_acknowledge || opcode == rdma_atomic_acknowledge || is_read_response(opcode);
}

// The syndrome of a NAK, or 0. 60 asks for a packet again, and refuses nothing.
u8 refusal_of(const Headers& headers, const Bth& bth) {
  if (headers.rdma_opcode != rdma_acknowledge) return 0;
  const u8 syndrome = bth.aeth().syndrome();
  return syndrome >= 0x60 && syndrome <= 0x64 ? syndrome : u8{0};
}

}  // namespace

u64 Pipeline::host_key(const Headers& headers) const {
  return source_hash(headers.source, space_of(headers.key), config_.secret);
}

// Of a READ: who reads, and from whom.
u64 Pipeline::read_key(const Headers& headers, bool source_reads) const {
  const Address& reader = source_reads ? headers.source : headers.target;
  const Address& read = source_reads ? headers.target : headers.source;
  const u32 space = space_of(headers.key);
  return fold_multiply(address_hash(reader, space, config_.secret) ^ config_.secret.words[0],
                       address_hash(read, space, config_.secret)) | 1;
}

void Pipeline::rdma_packet(const Entry& entry, const InstalledPolicy& installed, Outcome& outcome) {
  const Headers& headers = entry.headers;
  if (config_.rdma == nullptr) {
    outcome.reason = Reason::rdma_no_queue_pair;
    return;
  }
  if (qp_of(headers.key) == rdma_management_qp) return cm_packet(entry, installed, outcome);
  const u32 flow = live_flow(entry);
  if (flow == no_flow) {
    rdma_first(entry, installed, outcome);
    if (outcome.reason == Reason::rdma_no_queue_pair)
      count_alarm(Alarms::Kind::unknown, entry, outcome, headers.source, headers.target);
    return;
  }
  const u32 before = table_.record(flow).state;
  rdma_known(entry, installed, flow, outcome);
  if (table_.is_of(flow, headers.key) && table_.record(flow).state != before) state_moved(flow, before);
}

void Pipeline::rdma_known(const Entry& entry, const InstalledPolicy& installed, u32 flow, Outcome& outcome) {
  const Headers& headers = entry.headers;
  FlowRecord& record = table_.record(flow);
  if (QueuePair(record).is_begun()) outcome.flow = flow;  // one that no packet has begun is not named yet
  if (record.epoch != sweep_.epoch() && !judge_again(entry, installed, flow, outcome)) return;
  outcome.rule = installed.policy.rule_of(record.decision);
  const bool opener = came_from_opener(headers, record);
  const bool from_inside = (entry.packet.port & 1) == 0;
  const bool wrong_side = (opener ? record.opener_on_inside : !record.opener_on_inside) != from_inside;
  if (wrong_side || (!opener && record.replier_is_spoofed)) {
    outcome.reason = wrong_side ? Reason::wrong_side : Reason::spoofed;
    return;
  }
  QueuePair pair(record);
  outcome.reason = queue_pair_doubt(entry, installed, flow, pair, opener);
  const u32 watch = record.attended ? watch_of(flow) : Inspector::none;
  if (outcome.reason == Reason::undecided && watch != Inspector::none) {
    keep_neighbour(entry, installed, flow, watch);
    const RdmaPlace place = bth_of(entry.packet, headers).form().place;
    const bool is_beginning = place == RdmaPlace::first || place == RdmaPlace::only;
    outcome.reason = inspect_payload(entry, installed, flow, watch, opener ? 0 : 1, is_beginning, outcome);
  }
  if (outcome.reason != Reason::undecided) return;
  if (pair.state() == QueuePairState::announced) {
    // The opener's first packet says what its lost confirmation would have said.
    pair.set_state(QueuePairState::open);
    if (const u32 partner = partner_of(flow); partner != no_flow) set_pair_state(partner, QueuePairState::open);
  }
  if (const u32 psn = bth_of(entry.packet, headers).psn(); is_newer(psn, pair.psn())) pair.set_psn(psn);
  if (is_read_response(headers.rdma_opcode)) credit_covers_ = use_credit(entry, pair);
  if (const u8 syndrome = refusal_of(headers, bth_of(entry.packet, headers)); syndrome != 0)
    count_refusal(entry, outcome, syndrome);
  table_.set_deadline(flow, new_deadline(record, now_beat_, idle_));
  outcome.reason = Reason::flow_established;
  outcome.flow = flow;
  outcome.flow_is_new = !pair.is_begun();
  pair.begin();
  if (pair.is_watched()) watch_members(entry, installed, outcome, pair.job());
  if (!pair.has_partner() && rdma_operation_of(headers.rdma_opcode) == rdma_datagram)
    adopt_sender(entry, flow, outcome);
}

void Pipeline::set_pair_state(u32 flow, QueuePairState state) {
  FlowRecord& record = table_.record(flow);
  const u32 before = record.state;
  if (before == static_cast<u32>(state)) return;
  QueuePair(record).set_state(state);
  table_.set_deadline(flow, new_deadline(record, now_beat_, idle_));
  state_moved(flow, before);
}

// Why the packet may not go this way now, or undecided. A READ request that may is paid for here.
Reason Pipeline::queue_pair_doubt(const Entry& entry, const InstalledPolicy& installed, u32 flow, const QueuePair& pair,
                                  bool opener) {
  const Headers& headers = entry.headers;
  const Bth bth = bth_of(entry.packet, headers);
  if (pair.state() == QueuePairState::closed) return Reason::rdma_closed;
  if (pair.state() == QueuePairState::announced && !opener) return Reason::rdma_not_ready;
  const u8 opcode = headers.rdma_opcode;
  const u8 needs = is_read_response(opcode) ? QueuePair::read_responses : rdma_operation_of(opcode);
  if ((pair.operations() & needs) == 0) return Reason::rdma_operation;
  if (opcode == rdma_congestion) {
    const bool may = config_.rdma->may_notify(host_key(headers), now_, installed.policy.rdma().cnp);
    return may ? Reason::undecided : Reason::rdma_cnp_many;
  }
  if (opcode == rdma_read_request) return read_request(entry, installed, flow);
  if (const u8 syndrome = refusal_of(headers, bth); syndrome > 0x60) {
    const Tick first = Tick{installed.policy.rdma().nak_penalty_ms} * 1000;
    if (first != 0 && pair.credit() != 0) config_.rdma->penalties().refuse(read_key(headers, false), now_, first);
  }
  return message_fits(entry, installed, flow, bth) ? Reason::undecided : Reason::budget_spent;
}

// A WRITE that says at its start that it is longer than what is left is not begun: later it would break in the middle.
bool Pipeline::message_fits(const Entry& entry, const InstalledPolicy& installed, u32 flow, const Bth& bth) {
  if (!installed.has_charges || table_.bill(flow) == no_bill || config_.bills == nullptr) return true;
  if (bth.form().operation != rdma_write || bth.form().place != RdmaPlace::first) return true;
  const u32 payload = entry.headers.payload_bytes, length = bth.reth().length();
  const u64 frames = (u64{length} + payload - 1) / payload;
  const u64 around = entry.packet.bytes - payload;
  const u64 headers_checked = load_of(entry).frame_bytes - load_of(entry).payload_bytes;
  const Load whole{length + frames * around, length + frames * (around - headers_checked), static_cast<u32>(frames)};
  const Bill& owed = (*config_.bills)[table_.bill(flow)];
  const u32 from = came_from_opener(entry.headers, table_.record(flow)) ? 0 : 1;
  return config_.till->affords(owed.draws(from), whole);
}

// A datagram names who sent it: that is where answers go. A full table may give up the flow itself for that.
void Pipeline::adopt_sender(const Entry& entry, u32 flow, Outcome& outcome) {
  const Headers& headers = entry.headers;
  const u32 qp = bth_of(entry.packet, headers).deth().source_qp();
  if (qp <= rdma_management_qp) return;
  open_back(flow, headers.target, headers.source, qp);
  if (table_.is_of(flow, headers.key)) return;
  outcome = {.token = outcome.token, .generation = outcome.generation, .reason = Reason::table_full};
}

// Makes the other direction of a queue pair whose one is known: packets from `source` to queue pair `qp` of `target`.
// It shares judgement and rights with the first. Nothing happens where there is no room.
u32 Pipeline::open_back(u32 known, const Address& source, const Address& target, u32 qp) {
  bool swapped;
  const FlowKey key = make_rdma_key(source, target, qp, table_.record(known).key.scope, swapped);
  const u64 hash = hash_of(key, config_.secret);
  if (table_.find(key, hash, no_flow) != no_flow) return no_flow;
  const u8 standing = table_.standing(known);
  if (!table_.has_room(class_of(standing)) && !make_room(class_of(standing))) return no_flow;
  if (!table_.is_live(known)) return no_flow;  // it was what made room
  const u32 flow = table_.insert(key, hash, now_beat_, standing);
  if (flow == no_flow) return no_flow;
  FlowRecord& record = table_.record(flow);
  const FlowRecord& first = table_.record(known);
  record.epoch = epoch_stale;  // its first packet asks policy, and what it is charged to
  record.decision = first.decision;
  record.opener_is_a = first.opener_is_a;
  record.opener_on_inside = first.opener_on_inside;
  QueuePair pair(record), before(table_.record(known));
  pair.set_port(before.port());
  pair.set_job(before.job());
  if (before.is_nccl()) pair.set_nccl();
  if (before.is_datagram()) pair.set_datagram();
  pair.set_watched(before.is_watched());
  pair.set_partner(qp_of(first.key));
  pair.set_state(QueuePairState::open);
  before.set_partner(qp);
  table_.set_deadline(flow, new_deadline(record, now_beat_, idle_));
  if (config_.floods != nullptr) config_.floods->census().enter(record);
  counters_.flows_opened.add(1);
  asked_.forget(flow);
  return flow;
}

// A queue pair without a record: it opens where somebody has told of it, or where policy lets first packets do so.
void Pipeline::rdma_first(const Entry& entry, const InstalledPolicy& installed, Outcome& outcome) {
  const Headers& headers = entry.headers;
  const Classes classes = classes_of(installed, place_of(headers), entry.packet.port);
  outcome.reason = Reason::rdma_no_queue_pair;
  if (!installed.policy.source_allowed(classes.source, headers.source)) {
    outcome.reason = Reason::spoofed;
    return;
  }
  PairOffer offer{};
  offer.scope = headers.key.scope;
  offer.at = now_;
  bool from_opener = true;
  const u32 qp = qp_of(headers.key);
  const LearnedPair* const lesson = config_.rdma->lessons().find(headers.source, headers.target, qp, now_);
  if (lesson != nullptr) {
    offer.pair = *lesson;
    offer.has_tag = true;
    offer.at = lesson->learned_at;
    from_opener = lesson->opener == headers.source && lesson->replier_qp == qp;
  } else if (const image::StaticPair* declared = installed.policy.static_pair(headers.source, headers.target, qp)) {
    from_opener = declared->answers == 0;
    const u32 peer = declared->peer_qp == image::no_peer_qp ? no_queue_pair : declared->peer_qp;
    offer.pair = {from_opener ? headers.source : headers.target, from_opener ? headers.target : headers.source,
                  from_opener ? peer : qp, from_opener ? qp : peer, 0, 0};
  } else {
    return first_use(entry, installed, outcome);
  }
  offer.opener_port = entry.packet.port ^ (from_opener ? 0u : 1u);
  if (!open_queue_pair(entry, installed, offer, QueuePairState::open, outcome)) return;
  if (lesson != nullptr) config_.rdma->lessons().forget(offer.pair);
  begin_queue_pair(entry, installed, outcome);
}

// Its first packet is judged like any other of it.
void Pipeline::begin_queue_pair(const Entry& entry, const InstalledPolicy& installed, Outcome& outcome) {
  const u32 flow = live_flow(entry);
  outcome.flow = no_flow;
  outcome.reason = Reason::rdma_no_queue_pair;
  if (flow == no_flow) return;
  rdma_known(entry, installed, flow, outcome);
  if (outcome.reason != Reason::flow_established) return;
  outcome.reason = Reason::flow_new;
}

void Pipeline::first_use(const Entry& entry, const InstalledPolicy& installed, Outcome& outcome) {
  const Headers& headers = entry.headers;
  if (is_answer(headers.rdma_opcode)) return first_answer(entry, installed, outcome);
  PairOffer offer{};
  offer.scope = headers.key.scope;
  offer.opener_port = entry.packet.port;
  offer.is_first_use = true;
  offer.at = now_;
  offer.pair = {headers.source, headers.target, no_queue_pair, qp_of(headers.key), 0, 0};
  const Judgement judgement = installed.policy.judge(question_of(installed, entry, true), now_);
  if (installed.shadow != nullptr && judgement.reason != Reason::flow_new)
    compare_first_use(entry, installed, judgement);
  if (judgement.reason == Reason::no_allow) return;  // a connection manager's port may be allowed all the same
  outcome.rule = judgement.rule;
  outcome.reason = judgement.reason;
  if (judgement.reason != Reason::flow_new) return;
  // Where nothing opens so, a job is asked for what it is called that its queue pair is not there.
  const u32 most = installed.policy.rdma_rule(judgement.rule).first_use;
  const u8 transport = most == 0 ? image::transport_every : image::transport_roce;
  const RdmaRights rights = rdma_rights(installed, judgement, transport);
  if (rights.reason != Reason::undecided) {
    outcome.reason = rights.reason;
  } else if (rights.job != 0 && job_is_sealed(installed, rights.job)) {
    outcome.reason = Reason::job_sealed;
  } else if (most == 0) {
    outcome.reason = Reason::rdma_no_queue_pair;
    outcome.rule = no_rule;
  } else if (config_.floods == nullptr || config_.floods->census().first_used_by(headers.source, headers.key) >= most) {
    outcome.reason = Reason::rdma_first_use_many;
  } else {
    if (!open_queue_pair(entry, installed, offer, QueuePairState::open, outcome)) return;
    config_.rdma->unpaired().add(headers.source, headers.target, headers.key.scope, qp_of(headers.key), now_);
    begin_queue_pair(entry, installed, outcome);
  }
}

bool Pipeline::job_is_sealed(const InstalledPolicy& installed, u32 job) const {
  return job > installed.job_gates.size() ||
         installed.job_gates[job - 1]->is_sealed(now_, installed.policy.jobs()[job - 1].seal_after_us);
}

// An answer to a queue pair that nobody knows: it is the other direction of one that first use opened, if it answers
// what that one has sent.
void Pipeline::first_answer(const Entry& entry, const InstalledPolicy& installed, Outcome& outcome) {
  const Headers& headers = entry.headers;
  const u32 psn = bth_of(entry.packet, headers).psn();
  u32 asked = no_flow;
  const auto answers = [&](u32 qp) {
    const u32 flow = direction_of(headers.target, headers.source, qp, headers.key.scope);
    if (flow == no_flow || table_.expired(flow, now_beat_)) return false;
    const QueuePair pair(table_.record(flow));
    if (pair.has_partner() || ((pair.psn() - psn) & 0xff'ffff) >= answer_reach) return false;
    asked = flow;
    return true;
  };
  config_.rdma->unpaired().take(headers.target, headers.source, headers.key.scope, answers);
  if (asked == no_flow || open_back(asked, headers.source, headers.target, qp_of(headers.key)) == no_flow) return;
  begin_queue_pair(entry, installed, outcome);
}

}  // namespace weir
