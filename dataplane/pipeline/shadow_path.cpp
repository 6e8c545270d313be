// Where the shadow is asked: about flows that begin, flows that are judged again, and what policy denies. Packets of
// established flows do not come here, with a shadow or without.
#include "dataplane/pipeline/known_flow.hpp"
#include "dataplane/pipeline/rdma_path.hpp"

namespace weir {
namespace {

bool has_ports(u8 protocol) {
  return protocol == protocol_tcp || protocol == protocol_udp || protocol == protocol_sctp;
}

}  // namespace

// A flow has begun. Around one inside a tunnel policy has allowed each outside, which is compared now and not with each
// packet.
void Pipeline::compare_opened(const Entry& entry, const InstalledPolicy& installed, const Judgement& live,
                              bool from_opener) {
  const Headers& headers = entry.headers;
  const u16 opener_number = from_opener ? headers.source_port : headers.target_port;
  shadow_.compare(installed, live, question_of(*installed.shadow, entry, from_opener),
                  {entry.packet.time, has_ports(headers.protocol) ? opener_number : u16{0},
                   entry.packet.port ^ (from_opener ? 0u : 1u), headers.key.place()});
  for (u8 depth = 0; depth < headers.tunnels; ++depth)
    compare_outside(entry, installed, depth, {Reason::flow_new, 0, hits_.rule_of_outside(depth), 0, 0});
}

// A first packet that policy denies.
void Pipeline::compare_denied(const Entry& entry, const InstalledPolicy& installed, const Judgement& live) {
  const Headers& headers = entry.headers;
  shadow_.compare(installed, live, question_of(*installed.shadow, entry, true),
                  {entry.packet.time, has_ports(headers.protocol) ? headers.source_port : u16{0}, entry.packet.port,
                   headers.key.place()});
}

void Pipeline::compare_outside(const Entry& entry, const InstalledPolicy& installed, u8 depth, const Judgement& live) {
  const Outside& outside = entry.headers.outsides[depth];
  const Classes classes = classes_of(*installed.shadow, outside.place, entry.packet.port);
  shadow_.compare(installed, live,
                  {outside.source, outside.target, classes.source, classes.target, outside.protocol, 0, 0,
                   outside.target_port},
                  {entry.packet.time, 0, entry.packet.port, outside.place});
}

// Flows that have just been asked about again, at most a group of the sweep.
void Pipeline::compare_flows(const InstalledPolicy& installed, std::span<const u32> flows,
                             std::span<const Judgement> live) {
  Question questions[Sweep::group_records];
  Judgement judgements[Sweep::group_records];
  const std::size_t count = flows.size();
  for (std::size_t i = 0; i < count; ++i)
    questions[i] = question_of(*installed.shadow, table_.record(flows[i]));
  installed.shadow->policy.judge({questions, count}, now_, {judgements, count});
  for (std::size_t i = 0; i < count; ++i) {
    const FlowRecord& record = table_.record(flows[i]);
    const u16 number = record.opener_is_a ? record.key.a_number : record.key.b_number;
    const bool is_named = has_ports(questions[i].protocol) && !questions[i].is_rdma;
    shadow_.note(installed, live[i], judgements[i], questions[i],
                 {now_, is_named ? swap(number) : u16{0}, record.key.pair() * 2 + (record.opener_on_inside ? 0u : 1u),
                  record.key.place()});
  }
}

// A queue pair that opens, or that policy denies.
void Pipeline::compare_offer(const InstalledPolicy& installed, const PairOffer& offer, const Judgement& live) {
  const Question question = rdma_question(*installed.shadow, offer.pair.opener, offer.pair.replier, offer.scope,
                                          offer.opener_port, offer.service_port);
  shadow_.compare(installed, live, question, {now_, 0, offer.opener_port, offer.scope & place_mask});
}

// One that would open with its first packet, and that policy denies: the shadow must let it open so, too.
void Pipeline::compare_first_use(const Entry& entry, const InstalledPolicy& installed, const Judgement& live) {
  const Policy& shadow = installed.shadow->policy;
  const Question question = question_of(*installed.shadow, entry, true);
  const Judgement would = shadow.judge(question, now_);
  if (would.reason == Reason::flow_new && shadow.rdma_rule(would.rule).first_use == 0) return;
  shadow_.note(installed, live, would, question, {now_, 0, entry.packet.port, entry.headers.key.place()});
}

}  // namespace weir
