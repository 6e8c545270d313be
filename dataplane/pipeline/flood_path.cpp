// Between policy's answer about a first packet and the flow that it would open: who floods or scans is refused, and
// what is denied is answered where policy asks for that.
// Sources: RFC 9293 3.10.7.1 (a reset in CLOSED), RFC 1812 4.3.2 and RFC 4443 2.4 (errors).
#include "dataplane/packet/numbers.hpp"
#include "dataplane/packet/segment.hpp"
#include "dataplane/packet/unreachable.hpp"
#include "dataplane/pipeline/flood.hpp"
#include "dataplane/pipeline/known_flow.hpp"

namespace weir {
namespace {

constexpr u32 reset_room = 14 + 8 + 40 + 20;  // Ethernet, two tags, IPv6, TCP
constexpr u32 ageing_at_ceiling = 1024;  // deadlines: flows whose time has passed are no flood

// The reset that a closed port would send, or nothing.
u32 answer_reset(const Packet& packet, const Headers& headers) {
  const TcpNumbers denied = tcp_numbers(packet, headers);
  const u32 length = denied.payload + ((denied.flags & tcp_syn) != 0) + denied.is_fin();
  const bool has_ack = (denied.flags & tcp_ack) != 0;
  BareSegment reset{has_ack ? denied.acknowledgement : 0, has_ack ? 0 : denied.sequence + length,
                    static_cast<u8>(has_ack ? tcp_rst : tcp_rst | tcp_ack), 0, {}};
  return answer_segment(packet.answer, {packet.data, packet.bytes}, headers, reset);
}

}  // namespace

// Whether a first packet goes on to open its flow; otherwise the outcome is named here.
bool Pipeline::passes_floods(const Entry& entry, const InstalledPolicy& installed, const Judgement& judgement,
                        Outcome& outcome) {
  const bool is_allowed = judgement.reason == Reason::flow_new;
  if (judgement.reason == Reason::spoofed) return false;  // whoever it says it is did nothing
  Floods* const floods = config_.floods;
  if (floods == nullptr) {
    if (!is_allowed || !installed.policy.limits_floods()) return is_allowed;
    outcome.reason = Reason::flood_source;
    return false;
  }
  if (floods->watches() && attempts_scan(entry, outcome)) return false;
  if (!is_allowed) {
    if (installed.policy.wants_reject(judgement)) reject(entry, outcome);
    return false;
  }
  if (!floods->watches()) return true;
  Reason reason = floods->opens(entry.headers, entry.packet.time);
  if (reason == Reason::flood_half_open || reason == Reason::flood_udp) {
    age_some(ageing_at_ceiling);
    reason = floods->ceiling(entry.headers);
  }
  outcome.reason = reason;
  return reason == Reason::flow_new;
}

// Counts the attempt, tells a scan when it is recognised, and names the packet when its source may open nothing.
bool Pipeline::attempts_scan(const Entry& entry, Outcome& outcome) {
  const ScanTable::Finding found = config_.floods->attempt(entry.headers, entry.packet.time);
  if (found == ScanTable::Finding::nothing) return false;
  const bool is_blocked = config_.floods->blocks_scans();
  if (is_blocked) outcome.reason = Reason::scan_blocked;
  if (found == ScanTable::Finding::scan) {
    counters_.scans_detected.add(1);
    emit(EventKind::scan_detected, entry, outcome);
  }
  return is_blocked;
}

// Answers what is denied, one frame for one and no longer than it; where it cannot, the denial stays as it is.
void Pipeline::reject(const Entry& entry, Outcome& outcome) {
  const Packet& packet = entry.packet;
  const Headers& headers = entry.headers;
  const std::span<const std::byte> frame(packet.data, packet.bytes);
  if (!may_be_answered(frame, headers)) return;
  const bool is_tcp = headers.protocol == protocol_tcp;
  if (is_tcp ? packet.answer.size() < reset_room : !unreachable_fits(packet.answer, frame, headers)) return;
  if (!config_.floods->may_answer(packet.time)) return;
  const u32 bytes = is_tcp ? answer_reset(packet, headers) : answer_unreachable(packet.answer, frame, headers);
  WEIR_CHECK(bytes != 0);
  outcome.reason = is_tcp ? Reason::rejected_reset : Reason::rejected_unreachable;
  outcome.answer_bytes = static_cast<u16>(bytes);
  emit(EventKind::packet_dropped, entry, outcome);
}

}  // namespace weir
