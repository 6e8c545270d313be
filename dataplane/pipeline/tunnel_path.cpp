// Packets around tunnels. They carry no connection, so policy judges every one by itself, in its own direction; what is
// inside must then pass as if it had come alone, which is the other paths' affair.
#include "dataplane/pipeline/known_flow.hpp"

namespace weir {
namespace {

// UDP's checksum around a tunnel, where the sender made one: it may leave it out on IPv6 too (RFC 6935). GRE's has been
// read by the parser; the rest have none.
bool checksum_holds(const Outside& outside, const std::byte* frame) {
  if (outside.protocol != protocol_udp || load<u16>(frame + outside.l4_offset + 6) == 0) return true;
  Headers headers{};
  headers.source = outside.source;
  headers.target = outside.target;
  headers.protocol = outside.protocol;
  headers.is_ipv4 = outside.is_ipv4;
  headers.l4_offset = outside.l4_offset;
  headers.payload_offset = static_cast<u16>(outside.l4_offset + udp_bytes);
  headers.payload_bytes = load_be16(frame + outside.l4_offset + 4) - udp_bytes;
  return weir::checksum_holds(headers, frame);
}

}  // namespace

// From the wire inward, checksum before policy. The first that does not hold is the outcome. A port that found a
// checksum right speaks of the outermost alone.
bool Pipeline::outsides_allowed(const Entry& entry, const InstalledPolicy& installed, Outcome& outcome) {
  const Headers& headers = entry.headers;
  for (u8 depth = 0; depth < headers.tunnels; ++depth) {
    const Outside& outside = headers.outsides[depth];
    outcome.depth = depth;
    const bool vouched = depth == 0 && entry.packet.checksum == Checksum::good;
    if (!vouched && !checksum_holds(outside, entry.packet.data)) {
      outcome.reason = Reason::l4_checksum_bad;
      return false;
    }
    const Classes classes = classes_of(installed, outside.place, entry.packet.port);
    const Judgement judgement = installed.policy.judge({outside.source, outside.target, classes.source, classes.target,
                                                        outside.protocol, 0, 0, outside.target_port},
                                                       entry.packet.time);
    hits_.note_outside(depth, judgement.rule);
    if (judgement.reason == Reason::flow_new) continue;
    if (installed.shadow != nullptr) compare_outside(entry, installed, depth, judgement);
    outcome.reason = judgement.reason;
    outcome.rule = judgement.rule;
    return false;
  }
  outcome.depth = headers.tunnels;
  if (weir::checksum_holds(headers, entry.packet.data, installed.has_wide_vectors)) return true;
  outcome.reason = Reason::l4_checksum_bad;
  return false;
}

// An ICMP error that quotes a tunnel's packet finds no flow: it passes when policy would allow what it quotes, from the
// side that it is sent back to (RFC 2003 4, RFC 4459: a tunnel's way in must learn what fits).
void Pipeline::tunnel_error(const Entry& entry, const InstalledPolicy& installed, Outcome& outcome) {
  const Headers& headers = entry.headers;
  const FlowKey& key = headers.key;
  const Address& source = headers.source_is_a ? key.a : key.b;
  const Address& target = headers.source_is_a ? key.b : key.a;
  const Classes back = classes_of(installed, key.place(), entry.packet.port ^ 1u);
  const bool is_udp = key.flow_class() == FlowClass::udp;
  const u16 number = headers.source_is_a ? key.b_number : key.a_number;
  const u8 protocol = is_udp ? protocol_udp : static_cast<u8>(number);
  const Judgement judgement = installed.policy.judge(
      {source, target, back.source, back.target, protocol, 0, 0, is_udp ? swap(number) : u16{0}}, entry.packet.time);
  if (judgement.reason != Reason::flow_new || headers.target != source) return;
  outcome.reason = Reason::icmp_related;
  outcome.rule = judgement.rule;
}

}  // namespace weir
