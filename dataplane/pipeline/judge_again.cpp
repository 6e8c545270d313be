// Flows that an older policy allowed: asked again on their next packet, and by the sweep, in groups, for those that no
// packet comes to. What either finds is only kept for the next packet, which would have found the same: so decisions
// do not depend on how far the sweep is.
//
// A flow that is denied stays until its time has passed or its room is needed, with a mark that no epoch has: its
// packets are named `revoked` or `expired`, and not as if there had never been a flow; it goes on if policy returns.
#include "dataplane/flow/queue_pair.hpp"
#include "dataplane/pipeline/known_flow.hpp"

namespace weir {
namespace {

u8 protocol_of(const FlowKey& key) {
  switch (key.flow_class()) {
    case FlowClass::tcp: return 6;
    case FlowClass::udp:
    case FlowClass::rdma: return 17;
    case FlowClass::icmp4: return 1;
    case FlowClass::icmp6: return 58;
    case FlowClass::sctp: return 132;
    case FlowClass::ip: break;
  }
  return static_cast<u8>(key.a_number);
}

bool is_rdma(const FlowKey& key) { return key.flow_class() == FlowClass::rdma; }
bool has_ports(const FlowKey& key) {
  return !is_icmp(key.flow_class()) && key.flow_class() != FlowClass::ip && !is_rdma(key);
}

u32 opener_port(const FlowRecord& record) { return record.key.pair() * 2 + (record.opener_on_inside ? 0 : 1); }

}  // namespace

// What the flow's first packet asked.
Question Pipeline::question_of(const InstalledPolicy& installed, FlowRecord& record) {
  const FlowKey& key = record.key;
  const u16 connection_port = is_rdma(key) ? QueuePair(record).port() : u16{0};
  const bool icmp = is_icmp(key.flow_class());
  const Classes classes = classes_of(installed, key.place(), opener_port(record));
  return {
      .source = record.opener_is_a ? key.a : key.b,
      .target = record.opener_is_a ? key.b : key.a,
      .source_class = classes.source,
      .target_class = classes.target,
      .protocol = protocol_of(key),
      .icmp_type = icmp ? record.icmp_type() : u8{0},
      .icmp_code = icmp ? record.icmp_code() : u8{0},
      .target_port = has_ports(key) ? swap(record.opener_is_a ? key.b_number : key.a_number) : connection_port,
      .is_rdma = is_rdma(key),
  };
}

namespace {

Reason denial_of(const Judgement& judgement) {
  const bool is_named = judgement.reason == Reason::expired || judgement.reason == Reason::quarantined_host;
  return is_named ? judgement.reason : Reason::revoked;
}

// Whether the packet could be the first of a flow that policy has not been asked about yet: one from the opener, of
// the same message, has just been denied.
bool may_open(const Headers& headers, const FlowRecord& record) {
  if (headers.kind != PacketKind::flow) return false;
  if (is_rdma(record.key)) return false;
  if (is_icmp(record.key.flow_class())) return !icmp_is_reply(headers.is_ipv4, headers.icmp_type);
  return !came_from_opener(headers, record) &&
         (headers.protocol != protocol_tcp || tcp_opens(headers.tcp_flags));
}

}  // namespace

// Asks the policy in force about a flow as its first packet was asked about. False when it does not allow it: then
// the packet is named here, or has opened a flow that the policy does allow, in the denied one's place.
bool Pipeline::judge_again(const Entry& entry, const InstalledPolicy& installed, u32 flow, Outcome& outcome) {
  FlowRecord& record = table_.record(flow);
  const Headers& headers = entry.headers;
  const Question question = question_of(installed, record);
  const Judgement judgement = ask_again(installed, flow, question);
  if (judgement.reason == Reason::flow_new) {
    const Reason no = allow_again(installed, flow, question, judgement);
    if (no == Reason::undecided) return true;
    outcome.reason = no;
    outcome.rule = judgement.rule;
    return false;
  }
  revoke(installed, flow, question, judgement);
  outcome.reason = denial_of(judgement);
  outcome.rule = judgement.rule;
  if (!may_open(headers, record)) return false;
  if (judge_packet(entry, installed, true).reason != Reason::flow_new) return false;
  table_.erase(flow, headers.hash);
  outcome.flow = no_flow;
  outcome.rule = no_rule;
  first_packet(entry, installed, outcome);
  return false;
}

Judgement Pipeline::ask_again(const InstalledPolicy& installed, u32 flow, const Question& question) {
  FlowRecord& record = table_.record(flow);
  counters_.flows_judged_again.add(record.epoch != epoch_stale);
  Judgement judgement = installed.policy.judge(question, now_);
  if (installed.shadow != nullptr) [[unlikely]]
    compare_flows(installed, {&flow, 1}, {&judgement, 1});
  judge_rights(installed, record, judgement);
  if (aside_.holds(record.key, now_)) judgement.reason = Reason::quarantined_host;
  return judgement;
}

// Whether policy allows the flow still, for somebody else's packet that depends on it.
bool Pipeline::is_current(const InstalledPolicy& installed, u32 flow) {
  FlowRecord& record = table_.record(flow);
  if (record.epoch == sweep_.epoch()) return true;
  const Question question = question_of(installed, record);
  const Judgement judgement = ask_again(installed, flow, question);
  if (judgement.reason == Reason::flow_new)
    return allow_again(installed, flow, question, judgement) == Reason::undecided;
  revoke(installed, flow, question, judgement);
  return false;
}

// Undecided; or why it may not go on yet, where the policy's budgets or inspection have no room for it: it is asked
// again on its next packet.
Reason Pipeline::allow_again(const InstalledPolicy& installed, u32 flow, const Question& question,
                             const Judgement& judgement) {
  FlowRecord& record = table_.record(flow);
  Reason no = watch_again(installed, flow, judgement.rule);
  if (no == Reason::undecided && (installed.has_charges || table_.bill(flow) != no_bill) &&
      !bill_again(installed, flow, question, opener_port(record)))
    no = Reason::budget_closed;
  if (no != Reason::undecided) {
    record.epoch = epoch_stale;
    stand(flow);
    return no;
  }
  record.epoch = sweep_.epoch() & (epochs - 1);
  record.decision = judgement.decision;
  hits_.keep(judgement.rule, now_);
  record.replier_is_spoofed = replier_is_spoofed(installed, question.target_class, question.target);
  table_.set_standing(flow, present_standing(installed.policy, judgement, record));
  return Reason::undecided;
}

// Once for each time that a flow is taken back: later packets of it are named, not told again.
void Pipeline::revoke(const InstalledPolicy& installed, u32 flow, const Question& question,
                      const Judgement& judgement) {
  FlowRecord& record = table_.record(flow);
  if (record.epoch == epoch_stale) return;
  record.epoch = epoch_stale;
  stand(flow);
  counters_.flows_revoked.add(1);
  if (config_.events == nullptr) return;
  const FlowKey& key = record.key;
  const u16 source_port = has_ports(key) ? swap(record.opener_is_a ? key.a_number : key.b_number) : u16{0};
  const u16 icmp_message = static_cast<u16>(question.icmp_type << 8 | question.icmp_code);
  config_.events->push({now_, static_cast<u32>(installed.generation), judgement.rule, question.source, question.target,
                        source_port, is_icmp(key.flow_class()) ? icmp_message : question.target_port,
                        EventKind::flow_revoked, denial_of(judgement), question.protocol,
                        static_cast<u8>(opener_port(record)), no_detail, key.place()});
}

// An epoch ends or the sweep goes on.
void Pipeline::wake(const InstalledPolicy& installed) {
  if (installed.installation != epoch_installation_ || now_ >= epoch_ends_) begin_epoch(installed);
  sweep(installed, sweep_.step(now_), false);
  wake_ = std::min(epoch_ends_, sweep_.next(now_));
}

void Pipeline::begin_epoch(const InstalledPolicy& installed) {
  epoch_installation_ = installed.installation;
  epoch_ends_ = std::min(installed.policy.next_expiry(now_), installed.charges.next_change(now_));
  if (installed.shadow != nullptr) epoch_ends_ = std::min(epoch_ends_, installed.shadow->policy.next_expiry(now_));
  const image::Tracking& tracking = installed.policy.tracking();
  idle_ = IdleTimes(tracking.timeout_ms);
  hits_.begin(installed, config_.self);
  table_.set_idle_times(idle_);
  begin_link(installed.policy.link());
  table_.shares().set(tracking.reserve_share, image::reserve_whole, table_.capacity());
  if (config_.floods != nullptr) config_.floods->begin(installed.policy);
  const bool is_outrun = sweep_.begin(now_, table_.used(), Tick{tracking.sweep_ms} * 1000);
  counters_.sweep_began.set(sweep_.left() != 0 ? now_ : 0);
  if (is_outrun) sweep(installed, sweep_.left(), true);
}

void Pipeline::sweep(const InstalledPolicy& installed, u32 records, bool all) {
  while (records != 0) {
    const u32 count = sweep_.stretch(records);
    judge_group(installed, sweep_.cursor(), count, all);
    sweep_.advance(count);
    records -= count;
  }
  if (sweep_.left() != 0 || counters_.sweep_began.read() == 0) return;
  counters_.sweep_us.set(now_ - sweep_.began());
  counters_.sweep_began.set(0);
}

// Judges the flows among `count` records that the policy in force has not: with `all`, whatever their marks say.
// One whose time has passed is ageing's; no packet will meet it.
void Pipeline::judge_group(const InstalledPolicy& installed, u32 first, u32 count, bool all) {
  Question questions[Sweep::group_records];
  Judgement judgements[Sweep::group_records];
  u32 flows[Sweep::group_records];
  u32 asked = 0;
  for (u32 flow = first; flow < first + count; ++flow) {
    if (flow + Sweep::group_records < table_.used()) __builtin_prefetch(&table_.record(flow + Sweep::group_records), 1);
    if (!table_.is_live(flow)) continue;
    FlowRecord& record = table_.record(flow);
    if (record.epoch == epoch_stale || (record.epoch == sweep_.epoch() && !all)) continue;
    if (deadline_passed(record.deadline, now_beat_)) continue;
    questions[asked] = question_of(installed, record);
    flows[asked++] = flow;
  }
  installed.policy.judge({questions, asked}, now_, {judgements, asked});
  if (installed.shadow != nullptr) compare_flows(installed, {flows, asked}, {judgements, asked});
  for (u32 i = 0; i < asked; ++i) {
    judge_rights(installed, table_.record(flows[i]), judgements[i]);
    if (aside_.holds(table_.record(flows[i]).key, now_)) judgements[i].reason = Reason::quarantined_host;
    if (judgements[i].reason == Reason::flow_new)
      allow_again(installed, flows[i], questions[i], judgements[i]);
    else
      revoke(installed, flows[i], questions[i], judgements[i]);
  }
  counters_.flows_judged_again.add(asked);
  counters_.sweep_judged.add(asked);
}

}  // namespace weir
