// TCP connections that may be NCCL's: their first bytes are read in order as they pass, and what both ends say about
// queue pairs becomes lessons, if policy would let these two speak RDMA. Nothing depends on what is read but what is
// learned; a connection that contradicts itself, or sends what no reader could follow, is held to one version.
#include "dataplane/pipeline/known_flow.hpp"
#include "dataplane/pipeline/rdma_path.hpp"

namespace weir {

// From now on the flow's packets are looked at, until it is known what it is.
void Pipeline::read_handshake(const InstalledPolicy& installed, const Headers& headers, const Packet& packet,
                              u32 flow) {
  const auto leave = [&](u32 other, const FlowKey& key) {
    if (table_.is_of(other, key)) table_.record(other).attended = installed.policy.has_looks();
  };
  Handshake* const slot = config_.rdma->handshakes().begin(flow, headers.key, now_, leave);
  if (slot == nullptr) return;
  slot->readers[0] = StreamReader(tcp_numbers(packet, headers).sequence + 1, nccl_bytes_max);
  slot->readers[1] = StreamReader();
  attend(flow);
}

Handshake* Pipeline::handshake_of(u32 flow) {
  return config_.rdma == nullptr ? nullptr : config_.rdma->handshakes().find(flow, table_.record(flow).key);
}

// One in 2^32 of those that are is taken for one that is not, and does not come to be.
bool Pipeline::is_translated(u32 flow) {
  return table_.record(flow).attended != 0 && table_.offset(flow) != 0;
}

void Pipeline::end_handshake(const InstalledPolicy& installed, Handshake& slot, u32 flow) {
  config_.rdma->handshakes().end(slot);
  FlowRecord& record = table_.record(flow);
  record.attended = wish_of(installed, record) != nullptr;
}

// A segment of a connection that is being read: followed like any other, unless the reader cannot take it.
void Pipeline::read_packet(const Entry& entry, const InstalledPolicy& installed, u32 flow, Handshake& slot, u32 from,
                           Outcome& outcome) {
  const Headers& headers = entry.headers;
  FlowRecord& record = table_.record(flow);
  const FlowRecord before = record;
  const TcpFate fate = follow_tcp(record, from, entry.packet.data + headers.l4_offset, headers.payload_bytes,
                                  installed.tcp);
  outcome.reason = Reason::flow_established;
  const TcpNumbers numbers = tcp_numbers(entry.packet, headers);
  const bool synchronises = (numbers.flags & tcp_syn) != 0;
  if (fate != TcpFate::passes) {
    if (synchronises || (numbers.flags & tcp_rst) != 0) end_handshake(installed, slot, flow);
    return tcp_rest(entry, installed, flow, fate, outcome);
  }
  // Of a segment that came in fragments only the first is at hand.
  const bool is_over = datagram_frames_ != 0 || (numbers.flags & (tcp_fin | tcp_rst)) != 0;
  if (is_over || (synchronises && slot.readers[from].delivered_bytes() != 0)) {
    end_handshake(installed, slot, flow);
  } else if (synchronises) {
    slot.readers[from] = StreamReader(numbers.sequence + 1, nccl_bytes_max);
  } else if (const Reason no = read_segment(entry, installed, flow, slot, from); no != Reason::undecided) {
    record = before;
    if (no == Reason::stream_differs) end_handshake(installed, slot, flow);
    outcome.reason = no;
    return;
  }
  table_.set_deadline(flow, new_deadline(record, now_beat_, idle_));
}

Reason Pipeline::read_segment(const Entry& entry, const InstalledPolicy& installed, u32 flow, Handshake& slot,
                              u32 from) {
  const Headers& headers = entry.headers;
  const TcpNumbers numbers = tcp_numbers(entry.packet, headers);
  slot.readers[from ^ 1].acknowledge(numbers.acknowledgement);
  if (headers.payload_bytes == 0) return Reason::undecided;
  const auto* const data = reinterpret_cast<const u8*>(entry.packet.data) + headers.payload_offset;
  using Answer = StreamReader::Answer;
  switch (slot.readers[from].offer(numbers.sequence, {data, headers.payload_bytes}, slot.history[from]).answer) {
    case Answer::fresh: learn_from(entry, installed, flow, slot); return Reason::undecided;
    case Answer::again:
    case Answer::old:
    case Answer::past: return Reason::undecided;
    case Answer::ahead:
    case Answer::waits: return Reason::stream_ahead;
    case Answer::differs:
    case Answer::forgotten: break;
  }
  return Reason::stream_differs;
}

void Pipeline::learn_from(const Entry& entry, const InstalledPolicy& installed, u32 flow, Handshake& slot) {
  NcclPairs client, server;
  const NcclReading asked = read_nccl_client(slot.so_far(0), client);
  if (asked.answer == NcclAnswer::undecided) return;
  if (asked.answer != NcclAnswer::pairs) return end_handshake(installed, slot, flow);
  const NcclReading answered = read_nccl_server(slot.so_far(1), asked.layout, server);
  if (answered.answer == NcclAnswer::undecided) return;
  const FlowKey key = slot.key;
  end_handshake(installed, slot, flow);
  if (answered.answer != NcclAnswer::pairs) return;
  const u32 opener_port = key.pair() * 2 + (table_.record(flow).opener_on_inside ? 0 : 1);
  const u32 scope = (key.scope & ~u32{7}) | static_cast<u32>(FlowClass::rdma);
  pair_up(client, server, asked.layout, [&](const NcclPair& one) {
    LearnedPair pair{one.client_address, one.server_address, one.client_queue_pair, one.server_queue_pair,
                     asked.magic, now_};
    PairOffer offer{pair, scope, opener_port, 0, true, false, false, now_};
    RdmaRights rights{};
    const Judgement judgement = judge_offer(installed, offer, rights);
    if (judgement.reason != Reason::flow_new) {
      Outcome told{};
      told.reason = judgement.reason;
      told.rule = judgement.rule;
      emit(EventKind::packet_dropped, entry, told);
      return;
    }
    if (rights.job != 0) pair.job = job_mark(installed.policy.text(installed.policy.jobs()[rights.job - 1].name));
    learn(pair);
    if (config_.teach.tell != nullptr) config_.teach.tell(config_.teach.self, pair);
  });
}

void Pipeline::learn(const LearnedPair& pair) {
  if (config_.rdma != nullptr) config_.rdma->lessons().learn(pair, pair.learned_at);
}

}  // namespace weir
