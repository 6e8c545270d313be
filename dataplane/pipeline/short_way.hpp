// The short way: packets of established TCP and UDP flows about which there is nothing to say, which are nearly all.
// It only ever says "forward, established" or leaves everything as it was for the whole way (decide_packet() in
// burst.cpp), which asks the same and more; what passes here would pass there, to the same effect. Internal to
// dataplane/pipeline.
#pragma once
#include "dataplane/packet/icrc.hpp"
#include "dataplane/packet/uet.hpp"
#include "dataplane/pipeline/known_flow.hpp"
#include "dataplane/pipeline/rdma_path.hpp"

namespace weir {

// Read late, so that a packet that belongs to another worker is not summed for nothing.
inline bool is_summed_right(const Packet& packet, const Headers& headers, const InstalledPolicy& installed) {
  if (packet.checksum == Checksum::good) return true;
  if (packet.checksum == Checksum::bad) return false;
  return headers.tunnels != 0 || installed.trusts_checksums ||
         checksum_holds(headers, packet.data, installed.has_wide_vectors);
}
inline bool has_right_icrc(const Packet& packet, const Headers& headers, const InstalledPolicy& installed) {
  return headers.rdma_opcode == rdma_opcode_none || !installed.checks_icrc ||
         icrc_holds(headers, packet.data, installed.has_carryless);
}
inline bool is_intact(const Packet& packet, const Headers& headers, const InstalledPolicy& installed) {
  return is_summed_right(packet, headers, installed) && has_right_icrc(packet, headers, installed);
}

// Operations whose packets there is mostly nothing to say about.
inline constexpr u8 rdma_usual = rdma_send | rdma_write | rdma_datagram | rdma_ack;

// Of an open queue pair: an operation that it may do, unless that is a refusal, names a sender who is not known yet, or
// begins a message that may be longer than what is left. Only what passes is noted.
inline bool follow_queue_pair(FlowRecord& record, const Bth& bth, bool is_charged) {
  QueuePair pair(record);
  const RdmaForm& form = bth.form();
  if (pair.state() != QueuePairState::open || (pair.operations() & form.operation & rdma_usual) == 0) return false;
  if (form.operation == rdma_ack && bth.aeth().is_nak()) return false;
  if (form.operation == rdma_datagram && !pair.has_partner()) return false;
  if (pair.is_watched()) return false;
  if (is_charged && form.place == RdmaPlace::first) return false;
  if (const u32 psn = bth.psn(); is_newer(psn, pair.psn())) pair.set_psn(psn);
  return true;
}

// Why a limit does not let it pass: asked, or counted. What only counts (monitor mode) never refuses.
inline Reason Pipeline::limit_refusal(const InstalledPolicy& installed, const LimitUse& use, const Load& load,
                                      bool counts) {
  const LimitRate& rate = installed.limit_rates[use.limit];
  LimitCells& cells = config_.bills->limits();
  const LimitCells::Answer answer = counts ? cells.take(use.cell, rate, load.frame_bytes, load.frames, now_)
                                           : cells.would_take(use.cell, rate, load.frame_bytes, load.frames, now_);
  if (answer == LimitCells::Answer::conforms) return Reason::undecided;
  if (now_ >= rate.monitor_until) return reason_of(answer);
  if (counts) counters_.limits_watched.add(load.frames);
  return Reason::undecided;
}

// Why what meets these limits and draws on these purses would not leave, all else agreed.
inline Reason Pipeline::may_pay(const InstalledPolicy& installed, std::span<const LimitUse> limits,
                                std::span<const Draw> draws, const Load& load) {
  for (const LimitUse& use : limits)
    if (const Reason no = limit_refusal(installed, use, load, false); no != Reason::undecided) return no;
  return config_.till->affords(draws, load) ? Reason::undecided : Reason::budget_spent;
}

// Counts it and debits it, after may_pay(); or another worker has taken what a limit still had.
inline Reason Pipeline::pay(const InstalledPolicy& installed, std::span<const LimitUse> limits,
                            std::span<const Draw> draws, const Load& load) {
  for (const LimitUse& use : limits)
    if (const Reason no = limit_refusal(installed, use, load, true); no != Reason::undecided) return no;
  config_.till->spend(draws, load);
  return Reason::undecided;
}

// The order of the questions is free: none leaves a trace, but for the last.
inline bool Pipeline::goes_the_short_way(const Entry& entry, const InstalledPolicy& installed) {
  const Packet& packet = entry.packet;
  const Headers& headers = entry.headers;
  const u32 unusual = static_cast<u32>(headers.drop) | static_cast<u32>(headers.kind) | headers.tunnels;
  if (unusual != 0 || !table_.is_of(entry.guess, headers.key)) [[unlikely]]
    return false;
  FlowRecord& record = table_.record(entry.guess);
  const u32 bits = record.bits(), from = FlowRecord::sender(bits, headers.source_is_a);
  if (!FlowRecord::is_usual(bits, from, packet.port & 1) || FlowRecord::epoch_of(bits) != sweep_.epoch() ||
      table_.expired(entry.guess, record, now_beat_)) [[unlikely]]
    return false;
  if (packet.port >= ports_max || ((installed.plain_ports & ~cut_ports_) >> packet.port & 1) == 0) [[unlikely]]
    return false;
  if (!is_intact(packet, headers, installed)) [[unlikely]]
    return false;
  if (installed.looks_by_packet && headers.rdma_opcode == rdma_opcode_none &&
      installed.policy.look(installed.policy.rule_of(record.decision)).is_by_packet()) [[unlikely]]
    return false;
  const u32 bill = installed.has_charges ? table_.bill(entry.guess) : no_bill;
  const Bill* const owed = bill != no_bill ? &(*config_.bills)[bill] : nullptr;
  const Load load = owed != nullptr ? load_of(entry) : Load{};
  if (owed != nullptr && may_pay(installed, owed->limits(), owed->draws(from), load) != Reason::undecided) [[unlikely]]
    return false;
  Beat idle;
  if (headers.protocol == protocol_tcp) [[likely]] {
    const u8* tcp = reinterpret_cast<const u8*>(packet.data) + headers.l4_offset;
    if (!follow_in_order(record, bits, from, tcp, headers.payload_bytes)) [[unlikely]]
      return false;
    idle = idle_.of_tcp[FlowRecord::state_established];
  } else if (headers.rdma_opcode != rdma_opcode_none) {
    if (!follow_queue_pair(record, bth_of(packet, headers), bill != no_bill)) [[unlikely]]
      return false;
    idle = idle_.of[static_cast<u8>(Timeout::rdma_open)];
  } else {
    const auto state = static_cast<Exchange>(FlowRecord::state_of(bits));
    if (installed.uet_jobs != 0 && headers.target_port == uet_port) return false;
    if (headers.protocol != protocol_udp || (from != 0 && state != Exchange::both_ways)) return false;
    idle = idle_.of_exchange(FlowClass::udp, state);
  }
  table_.set_deadline(entry.guess, record, static_cast<Beat>(now_beat_ + idle));
  if (owed != nullptr) {
    const Reason no = pay(installed, owed->limits(), owed->draws(from), load);
    if (no != Reason::undecided) [[unlikely]]
      return drop_unpaid(entry, installed, no), true;
  }
  ++established_packets_;
  established_bytes_ += packet.bytes;
  *out_++ = {.token = packet.token,
             .generation = installed.generation,
             .rule = installed.policy.rule_of(record.decision),
             .flow = entry.guess,
             .verdict = Verdict::forward,
             .reason = Reason::flow_established};
  return true;
}

}  // namespace weir
