// READ: one request of 74 bytes moves up to 2 GiB the other way. So it is paid for before it passes: what it
// announces and the headers of its responses go to what the responses' direction is charged to, and become that
// direction's credit, which responses use before they are charged like any frame. Credit is never given back: a
// request that is sent again is paid for again, and what is left when all have been answered is lost. Who was refused
// waits (dataplane/rdma/read_penalties.hpp). Source: InfiniBand Architecture Specification, volume 1, 9.4.4 and
// 9.7.5.1.9 (responses are cut at the path MTU).
#include "dataplane/pipeline/known_flow.hpp"
#include "dataplane/pipeline/rdma_path.hpp"

#include <algorithm>

namespace weir {
namespace {

constexpr u32 response_header_bytes = udp_bytes + bth_bytes + 4 + icrc_bytes;  // 4: AETH; pads stand once a message
constexpr u32 pad_most = 3;

struct ReadTerms {
  u64 credit_most;
  u32 mtu;
};
ReadTerms terms_of(const InstalledPolicy& installed, u32 rule, u32 job) {
  const image::RdmaRule& row = installed.policy.rdma_rule(rule);
  ReadTerms terms{row.read_credit, row.read_mtu};
  if (job != 0) {
    const image::Job& stated = installed.policy.jobs()[job - 1];
    if (stated.read_credit != 0) terms.credit_most = stated.read_credit;
    if (stated.read_mtu != 0) terms.mtu = stated.read_mtu;
  }
  terms.credit_most = std::min(terms.credit_most, QueuePair::credit_max);
  return terms;
}

}  // namespace

// Pays for the responses to a request; undecided when it may pass.
Reason Pipeline::read_request(const Entry& entry, const InstalledPolicy& installed, u32 flow) {
  const Headers& headers = entry.headers;
  const u32 back = partner_of(flow);
  if (back == no_flow || table_.expired(back, now_beat_)) return Reason::rdma_read_unpaired;
  if (!is_current(installed, back)) return Reason::revoked;
  if (config_.rdma->penalties().holds(read_key(headers, true), now_)) return Reason::rdma_read_penalty;
  FlowRecord& record = table_.record(back);
  QueuePair responses(record);
  const ReadTerms terms = terms_of(installed, installed.policy.rule_of(record.decision), responses.job());
  const Bth bth = bth_of(entry.packet, headers);
  const u32 length = bth.reth().length();
  const u64 frames = std::max<u64>(1, (u64{length} + terms.mtu - 1) / terms.mtu);
  const u64 bytes = length + frames * (headers.l4_offset + response_header_bytes) + pad_most;
  const Load own = load_of(entry);
  const Load load{bytes, bytes - frames * (own.frame_bytes - own.payload_bytes), static_cast<u32>(frames)};
  const bool is_new = is_newer(bth.psn(), QueuePair(table_.record(flow)).psn());
  if (responses.credit() + bytes > terms.credit_most) return Reason::rdma_read_credit;
  if (is_new && responses.reads() == QueuePair::reads_max) return Reason::rdma_read_credit;
  if (installed.has_charges && table_.bill(back) != no_bill) {
    const u32 from = came_from_opener(headers, record) ? 1 : 0;  // who is read
    const auto draws = (*config_.bills)[table_.bill(back)].draws(from);
    if (!config_.till->affords(draws, load)) return Reason::budget_spent;
    config_.till->spend(draws, load);
  }
  responses.set_credit(responses.credit() + bytes);
  if (is_new) responses.set_reads(responses.reads() + 1);
  return Reason::undecided;
}

// Of a READ response that passes: whether credit pays for it, which is then less.
bool Pipeline::use_credit(const Entry& entry, QueuePair& pair) {
  const u32 bytes = entry.packet.bytes;
  const bool covers = pair.credit() >= bytes;
  if (covers) pair.set_credit(pair.credit() - bytes);
  const RdmaPlace place = rdma_forms[entry.headers.rdma_opcode].place;
  if (place != RdmaPlace::last && place != RdmaPlace::only) return covers;
  if (pair.reads() != 0) pair.set_reads(pair.reads() - 1);
  if (pair.reads() == 0) pair.set_credit(0);
  return covers;
}

}  // namespace weir
