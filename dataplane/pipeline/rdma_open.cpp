// How RDMA queue pairs come to be flows: whatever taught of them, policy decides, the job they belong to, and what
// their bytes are charged to; then each direction has a record. And what policy, asked again, says of those that are.
#include "dataplane/pipeline/known_flow.hpp"
#include "dataplane/pipeline/rdma_path.hpp"

#include <bit>

namespace weir {
namespace {

// Packets of queue pairs that are watched go the whole way.
bool is_watched(const InstalledPolicy& installed, u32 job) {
  return job != 0 && installed.policy.jobs()[job - 1].burst != 0;
}

Question asked_by(const InstalledPolicy& installed, const PairOffer& offer) {
  return rdma_question(installed, offer.pair.opener, offer.pair.replier, offer.scope, offer.opener_port,
                       offer.service_port);
}

}  // namespace

Question rdma_question(const InstalledPolicy& installed, const Address& opener, const Address& replier, u32 scope,
                       u32 opener_port, u16 service_port) {
  const Classes classes = classes_of(installed, scope & place_mask, opener_port);
  return {.source = opener,
          .target = replier,
          .source_class = classes.source,
          .target_class = classes.target,
          .protocol = protocol_udp,
          .icmp_type = 0,
          .icmp_code = 0,
          .target_port = service_port,
          .is_rdma = true};
}

// The job of a pair is the first that both ends are members of and that lists its kind; who is a member of any speaks
// to nobody else, and what a job does not list its members do not do. But what has a connection manager's port is a
// service, which an allow has named: where a job loads and saves is no part of it.
RdmaRights rdma_rights(const InstalledPolicy& installed, const Judgement& judgement, u8 transport) {
  const Policy& policy = installed.policy;
  RdmaRights rights{};
  u8 forth = policy.operations_of(judgement, false), back = policy.operations_of(judgement, true);
  const u64 of_opener = policy.jobs_of_source(judgement.source_zone);
  const u64 of_replier = policy.jobs_of_target(judgement.target_zone);
  if (transport != 0 && (of_opener | of_replier) != 0) {
    u64 shared = of_opener & of_replier;
    rights.reason = shared == 0 ? Reason::job_outsider : Reason::job_transport;
    while (shared != 0) {
      const auto index = static_cast<u32>(std::countr_zero(shared));
      const image::Job& job = policy.jobs()[index];
      shared &= shared - 1;
      if ((job.transports & transport) == 0) continue;
      rights.job = index + 1;
      rights.reason = Reason::undecided;
      forth &= job.operations;
      back &= job.operations;
      break;
    }
  }
  // What one side may READ the other side answers.
  const auto answers = [](u8 other) { return (other & rdma_read) != 0 ? QueuePair::read_responses : u8{0}; };
  rights.operations[0] = forth | answers(back);
  rights.operations[1] = back | answers(forth);
  return rights;
}

// What policy says of a queue pair that somebody offers; its job's window is asked as of when it was learned, and
// begins where none was yet.
Judgement Pipeline::judge_offer(const InstalledPolicy& installed, const PairOffer& offer, RdmaRights& rights) {
  Judgement judgement = installed.policy.judge(asked_by(installed, offer), now_);
  if (judgement.reason != Reason::flow_new) {
    if (installed.shadow != nullptr) compare_offer(installed, offer, judgement);
    return judgement;
  }
  rights = rdma_rights(installed, judgement, transport_of(offer.service_port, offer.has_tag));
  if (rights.reason == Reason::undecided && rights.job != 0) {
    const image::Job& job = installed.policy.jobs()[rights.job - 1];
    const bool is_ours = !offer.has_tag || job.has_tag == 0 || job.tag == offer.pair.tag;
    if (!is_ours) rights.reason = Reason::job_tag;
    else if (rights.job > installed.job_gates.size() ||
             !installed.job_gates[rights.job - 1]->lets_open(offer.at, job.seal_after_us))
      rights.reason = Reason::job_sealed;
  }
  if (rights.reason != Reason::undecided) judgement.reason = rights.reason;
  return judgement;
}

// Opens both directions as far as their numbers are known. False, and the outcome says why, where they do not open.
bool Pipeline::open_queue_pair(const Entry& entry, const InstalledPolicy& installed, const PairOffer& offer,
                               QueuePairState state, Outcome& outcome) {
  RdmaRights rights{};
  const Judgement judgement = judge_offer(installed, offer, rights);
  outcome.rule = judgement.rule;
  outcome.reason = judgement.reason;
  if (judgement.reason != Reason::flow_new) return false;
  u32 made[2] = {no_flow, no_flow};
  FlowKey keys[2] = {};
  const auto take_back = [&](u32 flow) {
    if (flow != no_flow) table_.erase(flow, hash_of(table_.record(flow).key, config_.secret));
  };
  for (const u32 from : {0u, 1u}) {
    const u32 qp = from == 0 ? offer.pair.replier_qp : offer.pair.opener_qp;
    if (qp == no_queue_pair) continue;
    made[from] = open_direction(installed, offer, judgement, from, keys[from], outcome);
    const bool first_is_there = from == 0 || made[0] == no_flow || table_.is_of(made[0], keys[0]);
    if (made[from] == no_flow || !first_is_there) {
      if (!first_is_there) outcome.reason = Reason::table_full;  // the first had to make room for the second
      take_back(made[from]);
      if (first_is_there && from == 1) take_back(made[0]);
      return false;
    }
    FlowRecord& record = table_.record(made[from]);
    QueuePair pair(record);
    pair.set_operations(offer.is_datagram ? rights.operations[from] & datagram_operations : rights.operations[from]);
    pair.set_job(rights.job);
    pair.set_watched(is_watched(installed, rights.job));
    pair.set_state(state);
    table_.set_deadline(made[from], new_deadline(record, now_beat_, idle_));
    stand(made[from]);
    if (config_.floods != nullptr) config_.floods->census().enter(record);
    counters_.flows_opened.add(1);
    asked_.forget(made[from]);
  }
  outcome.flow = made[0] != no_flow ? made[0] : made[1];
  if (installed.policy.log_of(judgement.decision) != Log::none) emit(EventKind::flow_opened, entry, outcome);
  if (installed.shadow != nullptr) [[unlikely]]
    compare_offer(installed, offer, judgement);
  return true;
}

// A record for what the opener (0) or the replier sends, with its bill; no_flow where there is no room for either.
u32 Pipeline::open_direction(const InstalledPolicy& installed, const PairOffer& offer, const Judgement& judgement,
                             u32 from, FlowKey& key, Outcome& outcome) {
  const Address& source = from == 0 ? offer.pair.opener : offer.pair.replier;
  const Address& target = from == 0 ? offer.pair.replier : offer.pair.opener;
  const u32 qp = from == 0 ? offer.pair.replier_qp : offer.pair.opener_qp;
  const u32 partner = from == 0 ? offer.pair.opener_qp : offer.pair.replier_qp;
  const Question question = asked_by(installed, offer);
  bool swapped;
  key = make_rdma_key(source, target, qp, offer.scope, swapped);
  const u64 hash = hash_of(key, config_.secret);
  close_queue_pair(key, hash);  // a number that is used again begins anew
  u32 bill = no_bill, watch;
  Reason no = take_watch(installed, judgement.rule, key, false, watch);
  if (no == Reason::undecided && installed.has_charges)
    no = open_bill(installed, question, offer.opener_port, from, {}, bill);
  if (no != Reason::undecided) outcome.reason = no;
  const u32 flow = no == Reason::undecided ? insert(key, hash, installed, judgement, outcome) : no_flow;
  if (flow == no_flow) {
    if (bill != no_bill) config_.bills->release(bill);
    give_back(watch);
    return no_flow;
  }
  if (bill != no_bill) table_.set_bill(flow, bill);
  FlowRecord& record = table_.record(flow);
  record.epoch = sweep_.epoch() & (epochs - 1);
  record.decision = judgement.decision;
  record.opener_is_a = swapped == (from == 1);
  record.opener_on_inside = (offer.opener_port & 1) == 0;
  record.replier_is_spoofed = replier_is_spoofed(installed, question.target_class, question.target);
  if (watch != Inspector::none) watch_flow(flow, watch);
  QueuePair pair(record);
  pair.set_port(offer.service_port);
  if (partner != no_queue_pair) pair.set_partner(partner);
  if (offer.is_first_use) pair.set_first_use();
  if (offer.has_tag) pair.set_nccl();
  if (offer.is_datagram) pair.set_datagram();
  return flow;
}

// Both directions, where they are known.
void Pipeline::close_queue_pair(const FlowKey& key, u64 hash) {
  const u32 flow = table_.find(key, hash, no_flow);
  if (flow == no_flow) return;
  const u32 partner = partner_of(flow);
  table_.erase(flow, hash);
  if (partner != no_flow) table_.erase(partner, hash_of(table_.record(partner).key, config_.secret));
}

// The other direction's record, or no_flow where it is not known or gone.
u32 Pipeline::partner_of(u32 flow) {
  FlowRecord& record = table_.record(flow);
  const QueuePair pair(record);
  if (!pair.has_partner()) return no_flow;
  const bool to_a = target_is_a(record.key);
  return direction_of(to_a ? record.key.a : record.key.b, to_a ? record.key.b : record.key.a, pair.partner(),
                      record.key.scope);
}

// The record of what `source` sends to queue pair `qp` of `target`, or no_flow. Its time may have passed.
u32 Pipeline::direction_of(const Address& source, const Address& target, u32 qp, u32 scope) const {
  bool swapped;
  const FlowKey key = make_rdma_key(source, target, qp, scope, swapped);
  return table_.find(key, hash_of(key, config_.secret), no_flow);
}

// Of a judgement that allows a flow: it holds for a queue pair where the pair's rights still are some, which it then
// has.
void Pipeline::judge_rights(const InstalledPolicy& installed, FlowRecord& record, Judgement& judgement) {
  if (record.key.flow_class() != FlowClass::rdma || judgement.reason != Reason::flow_new) return;
  QueuePair pair(record);
  const RdmaRights rights = rdma_rights(installed, judgement, transport_of(pair.port(), pair.is_nccl()));
  if (rights.reason != Reason::undecided) {
    judgement.reason = rights.reason;
    return;
  }
  const u32 from = (record.opener_is_a != 0) == target_is_a(record.key) ? 1 : 0;
  pair.set_operations(pair.is_datagram() ? rights.operations[from] & datagram_operations : rights.operations[from]);
  pair.set_job(rights.job);
  pair.set_watched(is_watched(installed, rights.job));
}

}  // namespace weir
