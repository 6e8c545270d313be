// Packets on their way to who asked to see them: what the order wants is copied when it has been counted, with its flow
// before and after, and what policy says of it. Nothing here changes a table, so that who looks changes no decision.
//
// A frame that is rewritten is copied as it leaves. One that was rewritten and then could not be paid for is copied as
// it was rewritten, though it does not leave.
#include "dataplane/flow/queue_pair.hpp"
#include "dataplane/pipeline/known_flow.hpp"

#include <algorithm>

namespace weir {
namespace {

MirroredLayers layers_of(const Headers& headers) {
  MirroredLayers made;
  made.doubt = headers.drop;
  if (!headers.well_formed()) return made;
  made.source = headers.source, made.target = headers.target;
  made.place = place_of(headers), made.payload_bytes = headers.payload_bytes;
  made.l3_offset = headers.l3_offset, made.l4_offset = headers.l4_offset;
  made.payload_offset = headers.payload_offset;
  made.fragment = headers.kind == PacketKind::fragment ? headers.fragment : u16{0};
  made.source_port = headers.source_port, made.target_port = headers.target_port;
  made.kind = headers.kind;
  made.is_ipv4 = headers.is_ipv4, made.protocol = headers.protocol, made.tcp_flags = headers.tcp_flags;
  made.icmp_type = headers.icmp_type, made.icmp_code = headers.icmp_code;
  made.tunnels = headers.tunnels, made.rdma_opcode = headers.rdma_opcode;
  for (u8 depth = 0; depth < headers.tunnels; ++depth) {
    const Outside& outside = headers.outsides[depth];
    made.outsides[depth] = {outside.source,      outside.target,   outside.place,
                            outside.target_port, outside.protocol, outside.is_ipv4};
  }
  return made;
}

bool has_flow_key(const Headers& headers) {
  return headers.well_formed() && (headers.kind == PacketKind::flow || headers.kind == PacketKind::icmp_error);
}

MirrorFacts facts_of(const Headers& headers, const Outcome& outcome, const Policy* policy) {
  MirrorFacts facts;
  facts.reason = outcome.reason;
  if (policy != nullptr && outcome.rule < policy->rules_count()) facts.rule = policy->rule(outcome.rule).name;
  if (!headers.well_formed()) return facts;
  const Outside at = layer_of(headers, std::min(outcome.depth, headers.tunnels));
  facts.has_addresses = true;
  facts.source = at.source, facts.target = at.target, facts.protocol = at.protocol;
  facts.source_port = outcome.depth == headers.tunnels ? headers.source_port : u16{0};
  facts.target_port = at.target_port;
  if (policy == nullptr) return facts;
  facts.from = policy->segment_name(outcome.source_segment), facts.to = policy->segment_name(outcome.target_segment);
  return facts;
}

}  // namespace

void Pipeline::listen() {
  if (config_.mirror == nullptr) return;
  const MirrorOrder& order = config_.mirror->order;
  const u64 number = order.number();
  if (number == mirroring_.heard) [[likely]]
    return;
  mirroring_.heard = number;
  const bool is_armed = (number & 1) != 0;
  mirroring_.ring = is_armed ? config_.mirror : nullptr;
  mirroring_.left = is_armed ? order.wish().packets : 0;
  const bool sees_all = is_armed && (order.wish().wants_stages != 0 || order.wish().wants(Reason::flow_established));
  mirroring_.takes_whole_way = config_.name_segments || sees_all;
  config_.mirror->heard.store(number, std::memory_order_release);
}

// Before a packet is decided.
void Pipeline::note_flow(const Entry& entry) {
  mirroring_.before = {};
  if (mirroring_.judging == nullptr || mirroring_.ring->order.wish().wants_stages == 0) return;
  const Headers& headers = entry.headers;
  if (!has_flow_key(headers)) return;
  const u32 flow = table_.find(headers.key, headers.hash, entry.guess);
  if (flow != no_flow && !table_.expired(flow, now_beat_))
    mirroring_.before = sight_of(*mirroring_.judging, flow, headers);
}

MirroredFlow Pipeline::sight_of(const InstalledPolicy& installed, u32 flow, const Headers& headers) {
  const FlowRecord& record = table_.record(flow);
  MirroredFlow made;
  made.flow = flow;
  const bool is_current = record.epoch == sweep_.epoch() && installed.installation == epoch_installation_;
  made.judged = record.epoch == epoch_stale ? MirroredJudged::revoked
                : is_current                ? MirroredJudged::now
                                            : MirroredJudged::before;
  made.rule = is_current ? installed.policy.rule_of(record.decision) : no_rule;
  if (!deadline_passed(record.deadline, now_beat_))
    made.left_ms = static_cast<u32>(static_cast<Beat>(record.deadline - now_beat_) * beat_us / 1000);
  made.flow_class = static_cast<u8>(record.key.flow_class()), made.state = record.state;
  made.is_from_opener = came_from_opener(headers, record);
  made.is_attended = record.attended;
  const u32 watch = record.attended ? watch_of(flow) : Inspector::none;
  made.is_watched = watch != Inspector::none;
  if (made.is_watched) made.ended_by = config_.inspector->watches().end_of(watch);
  if (installed.has_charges && config_.bills != nullptr && table_.bill(flow) != no_bill) {
    const Bill& bill = (*config_.bills)[table_.bill(flow)];
    made.limits = static_cast<u8>(bill.limits().size());
    made.purses = static_cast<u8>(bill.draws(made.is_from_opener != 0 ? 0 : 1).size());
  }
  return made;
}

MirroredJudgement Pipeline::asked_of(const Entry& entry, const InstalledPolicy& installed, u32 flow) {
  if (entry.packet.port >= installed.ports || !has_flow_key(entry.headers)) return {};
  if (flow == no_flow && entry.headers.kind != PacketKind::flow) return {};
  const Question question =
      flow != no_flow ? question_of(installed, table_.record(flow)) : question_of(installed, entry, true);
  const Judgement judged = installed.policy.judge(question, now_);
  return {1, judged.reason, judged.decision, judged.rule, judged.source_zone, judged.target_zone};
}

// Whether what the frame carries may be of somebody who holds an asset: in doubt it is. That is asked of the packet, of
// those around it, and of what an ICMP error quotes.
bool Pipeline::may_hold_asset(const Entry& entry, const InstalledPolicy* installed) const {
  if (installed == nullptr) return true;
  if (!installed->has_holders) return false;
  const Headers& headers = entry.headers;
  const bool is_error = headers.kind == PacketKind::icmp_error;
  const bool has_sender = is_error || headers.kind == PacketKind::flow || headers.kind == PacketKind::fragment;
  if (!headers.well_formed() || !has_sender || entry.packet.port >= installed->ports) return true;
  const auto holds = [&](const Address& source, const Address& target, Classes classes) {
    const Question question{source, target, classes.source, classes.target, headers.protocol, 0, 0, 0};
    const Judgement judged = installed->policy.judge(question, now_);
    return judged.reason == Reason::spoofed || installed->policy.assets_of_source(judged.source_zone) != 0;
  };
  for (u8 depth = 0; depth < headers.tunnels; ++depth) {
    const Outside& outside = headers.outsides[depth];
    if (holds(outside.source, outside.target, classes_of(*installed, outside.place, entry.packet.port))) return true;
  }
  const Classes classes = classes_of(*installed, place_of(headers), entry.packet.port);
  if (holds(headers.source, headers.target, classes)) return true;
  const FlowKey& key = headers.key;
  return is_error && holds(headers.source_is_a ? key.a : key.b, headers.source_is_a ? key.b : key.a,
                           {classes.target, classes.source});
}

// A packet that has been decided and counted.
void Pipeline::show(const Entry& entry, const Outcome& outcome) {
  MirrorRing& ring = *mirroring_.ring;
  const MirrorWish& wish = ring.order.wish();
  if (!wish.wants(outcome.reason)) return;
  const Headers& headers = entry.headers;
  const InstalledPolicy* const installed = mirroring_.judging;
  Outcome named = outcome;
  if (installed != nullptr) name_segments(entry, *installed, named);
  if (!matches(wish, facts_of(headers, named, installed == nullptr ? nullptr : &installed->policy))) return;
  if (ring.packets.room() == 0) return ring.lost.add(1);
  if (--mirroring_.left == 0) {
    mirroring_.ring = nullptr;
    mirroring_.takes_whole_way = config_.name_segments;
  }
  Mirrored made{};
  made.magic = mirrored_magic;
  made.frame_bytes = outcome.verdict == Verdict::rewrite ? outcome.frame_bytes : entry.packet.bytes;
  made.generation = outcome.generation, made.time = entry.packet.time;
  made.rule = outcome.rule, made.flow = outcome.flow, made.port = entry.packet.port;
  made.source_segment = named.source_segment, made.target_segment = named.target_segment;
  made.found = outcome.found, made.answer_bytes = outcome.answer_bytes;
  made.verdict = outcome.verdict, made.reason = outcome.reason;
  made.depth = outcome.depth, made.is_first = outcome.flow_is_new;
  made.worker = static_cast<u8>(config_.self), made.workers = static_cast<u8>(config_.workers);
  made.is_named_port = installed != nullptr && entry.packet.port < installed->ports &&
                       (installed->named_ports >> entry.packet.port & 1) != 0;
  made.layers = layers_of(headers);
  if (wish.wants_stages != 0) {
    made.has_stages = 1;
    made.before = mirroring_.before;
    const bool is_there = installed != nullptr && outcome.flow != no_flow && table_.is_live(outcome.flow);
    if (is_there && has_flow_key(headers)) made.after = sight_of(*installed, outcome.flow, headers);
    if (installed != nullptr) made.judged = asked_of(entry, *installed, is_there ? outcome.flow : no_flow);
  }
  const u32 room = std::min(made.frame_bytes, Mirrored::bytes_max);
  made.is_bare = !ring.keeps_whole && may_hold_asset(entry, installed);
  const u32 bare = headers.well_formed() ? headers.payload_offset + mirrored_payload_least : mirrored_unread_bytes;
  made.bytes = static_cast<u16>(made.is_bare ? std::min(room, bare) : room);
  std::memcpy(made.frame, entry.packet.data, made.bytes);
  ring.packets.put(made);
}

}  // namespace weir
