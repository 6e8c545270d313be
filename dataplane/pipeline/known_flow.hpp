// Packets of known flows, whatever there is to say about them; most of them never come here (short_way.hpp).
// The order of the questions is the contract: does the flow live, is its decision current, did the packet come in by
// the right side and may its source do so, does the state permit it. Whatever is not answered yes is a drop. Internal
// to dataplane/pipeline.
#pragma once
#include "dataplane/flow/idle_times.hpp"
#include "dataplane/flow/window.hpp"
#include "dataplane/packet/numbers.hpp"
#include "dataplane/pipeline/burst.hpp"

namespace weir {

// What stands for a packet's sides when policy is asked: on the wire the classes of its ports. What came through a
// tunnel is known by address alone: in a network by those bound to it, else as on ports that nobody named, where an
// address that some port pins is spoofed.
struct Classes {
  u16 source, target;
};
inline Classes classes_of(const InstalledPolicy& installed, u32 place, u32 port) {
  if (!in_tunnel(place)) [[likely]]
    return {installed.port_class[port], installed.port_class[port ^ 1]};
  const u16 both = in_network(place) ? installed.policy.network_class(network_of(place)) : u16{0};
  return {both, both};
}
inline u32 place_of(const Headers& headers) { return headers.tunnels == 0 ? 0 : headers.place; }

// The packet at a depth: an outside, or the innermost itself.
inline Outside layer_of(const Headers& headers, u8 depth) {
  if (depth < headers.tunnels) return headers.outsides[depth];
  return {headers.source,      headers.target,    place_of(headers), headers.target_port,
          headers.l4_offset, headers.protocol, headers.is_ipv4};
}

inline bool is_icmp(FlowClass flow_class) { return flow_class == FlowClass::icmp4 || flow_class == FlowClass::icmp6; }

inline Beat new_deadline(const FlowRecord& record, Beat now, const IdleTimes& idle) {
  return static_cast<Beat>(now + idle.of_flow(record));
}

// Whether replies of a flow would be spoofed: policy lets its opener send to an address that the port which leads
// there may not claim.
inline bool replier_is_spoofed(const InstalledPolicy& installed, u16 target_class, const Address& target) {
  return installed.has_identities && !installed.policy.source_allowed(target_class, target);
}

// What a full table may take of a flow (admit.cpp): of one that has just been allowed, and of one that is known.
u8 first_standing(const Policy& policy, const Judgement& judgement, const FlowKey& key);
u8 present_standing(const Policy& policy, const Judgement& judgement, const FlowRecord& record);

inline bool came_from_opener(const Headers& headers, const FlowRecord& record) {
  return headers.source_is_a == static_cast<bool>(record.opener_is_a);
}

inline std::span<const u8> payload_of(const Packet& packet, const Headers& headers) {
  return {reinterpret_cast<const u8*>(packet.data) + headers.payload_offset, headers.payload_bytes};
}

inline TcpNumbers tcp_numbers(const Packet& packet, const Headers& headers) {
  return TcpNumbers(packet.data + headers.l4_offset, headers.payload_bytes);
}

// Whether an ICMP flow carries this message: the opener sends the query that was allowed, the other side its reply.
inline bool icmp_permitted(const FlowRecord& record, bool is_ipv4, bool opener, u8 type, u8 code) {
  return opener ? type == record.icmp_type() && code == record.icmp_code()
                : type == icmp_reply_of(is_ipv4, record.icmp_type()) && code == 0;
}

// Moves the state of a flow that is not TCP by one packet: flow_established, or why the state does not permit it.
inline Reason step_exchange(const Headers& headers, FlowRecord& record, bool opener) {
  if (is_icmp(record.key.flow_class()) &&
      !icmp_permitted(record, headers.is_ipv4, opener, headers.icmp_type, headers.icmp_code))
    return Reason::icmp_no_request;
  if (!opener) record.set_state(static_cast<u8>(Exchange::both_ways));
  return Reason::flow_established;
}

// Whether the port may carry frames at all, and this MAC's.
inline Reason Pipeline::port_doubt(const Entry& entry, const InstalledPolicy& installed) {
  const u16 port = entry.packet.port;
  if (port >= installed.ports) return Reason::port_unknown;
  const u8* source_mac = reinterpret_cast<const u8*>(entry.packet.data) + 6;
  if ((cut_ports_ >> port & 1) != 0) [[unlikely]]
    return Reason::quarantined;
  const bool is_pinned = installed.mac_pinned_ports >> port & 1;
  return is_pinned && !installed.policy.mac_allowed(installed.port_class[port], source_mac) ? Reason::spoofed_mac
                                                                                              : Reason::undecided;
}

inline void Pipeline::flow_packet(const Entry& entry, const InstalledPolicy& installed, Outcome& outcome) {
  if (entry.headers.rdma_opcode != rdma_opcode_none) [[unlikely]]
    return rdma_packet(entry, installed, outcome);
  const u32 flow = live_flow(entry);
  if (flow == no_flow) [[unlikely]]
    return first_packet(entry, installed, outcome);
  const FlowRecord& record = table_.record(flow);
  const u32 before = record.state;
  known_flow(entry, installed, flow, outcome);
  // A flow that was forgotten meanwhile was counted out as it was, and its record still says so, or is a new flow's.
  if (record.state != before && !outcome.flow_is_new) [[unlikely]]
    state_moved(flow, before);
}

// The flow of this key whose idle time has not passed. One whose time has is erased here, whatever ageing has
// reached, so that what a packet meets depends on time alone.
inline u32 Pipeline::live_flow(const Entry& entry) {
  const u32 flow = table_.find(entry.headers.key, entry.headers.hash, entry.guess);
  if (flow == no_flow || !table_.expired(flow, now_beat_)) [[likely]]
    return flow;
  table_.erase(flow, entry.headers.hash);
  counters_.flows_expired.add(1);
  return no_flow;
}

inline void Pipeline::known_flow(const Entry& entry, const InstalledPolicy& installed, u32 flow, Outcome& outcome) {
  const Headers& headers = entry.headers;
  FlowRecord& record = table_.record(flow);
  outcome.flow = flow;
  if (record.epoch != sweep_.epoch() && !judge_again(entry, installed, flow, outcome)) return;
  outcome.rule = installed.policy.rule_of(record.decision);
  const bool from_inside = (entry.packet.port & 1) == 0;
  const bool opener = came_from_opener(headers, record);
  const bool wrong_side = (opener ? record.opener_on_inside : !record.opener_on_inside) != from_inside;
  if (wrong_side || (!opener && record.replier_is_spoofed)) [[unlikely]] {
    outcome.reason = wrong_side ? Reason::wrong_side : Reason::spoofed;
    return;
  }
  if (installed.looks_by_packet) [[unlikely]] {
    outcome.reason = look_doubt(entry, installed, outcome.rule, opener);
    if (outcome.reason != Reason::undecided) return;
  }
  if (record.attended) [[unlikely]]
    return attended_packet(entry, installed, flow, opener ? 0 : 1, outcome);
  follow_plainly(entry, installed, flow, opener ? 0 : 1, outcome);
}

// The state and the time of a flow that came in by the right side, about which there is nothing else to ask.
inline void Pipeline::follow_plainly(const Entry& entry, const InstalledPolicy& installed, u32 flow, u32 from,
                                     Outcome& outcome) {
  const Headers& headers = entry.headers;
  FlowRecord& record = table_.record(flow);
  if (headers.protocol == protocol_tcp) [[likely]] {
    const TcpFate fate = follow_tcp(record, from, entry.packet.data + headers.l4_offset,
                                    headers.payload_bytes, installed.tcp);
    outcome.reason = Reason::flow_established;
    if (fate != TcpFate::passes) [[unlikely]]
      return tcp_rest(entry, installed, flow, fate, outcome);
  } else {
    outcome.reason = step_exchange(headers, record, from == 0);
    if (outcome.reason != Reason::flow_established) return;
  }
  table_.set_deadline(flow, new_deadline(record, now_beat_, idle_));
}

inline Reason reason_of(LimitCells::Answer answer) {
  constexpr Reason reasons[] = {Reason::undecided, Reason::limit_bytes, Reason::limit_packets, Reason::limit_new,
                                Reason::limit_connections};
  return reasons[static_cast<u8>(answer)];
}

// Headers that are parsed and checked are no payload; options, extensions and padding are.
inline Load Pipeline::load_of(const Entry& entry) const {
  const Headers& headers = entry.headers;
  const u64 frame_bytes = datagram_frames_ != 0 ? datagram_bytes_ : entry.packet.bytes;
  const u32 frames = datagram_frames_ != 0 ? datagram_frames_ : 1;
  const bool has_no_flow = headers.kind != PacketKind::flow || headers.tunnels != 0;
  const u64 network = headers.l3_offset + (headers.is_ipv4 ? 20u : 40u);
  const u64 transport = headers.protocol == protocol_tcp ? 20 : headers.protocol == protocol_udp ? 8 : 0;
  const u64 checked = has_no_flow ? 0 : frames * network + transport;
  return {frame_bytes, frame_bytes - std::min(checked, frame_bytes), frames};
}

}  // namespace weir
