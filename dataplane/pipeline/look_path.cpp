// Packets whose allow asks what each of them carries, one by one and whatever came before: DNS by its terms, and ICMP
// payloads. What cannot be looked at whole does not pass. And the last thing that happens to a packet that leaves: what
// its allow scrubs or normalises is written over.
#include "dataplane/budget/rate_table.hpp"
#include "dataplane/packet/scrub.hpp"
#include "dataplane/pipeline/dns_limits.hpp"
#include "dataplane/pipeline/known_flow.hpp"

namespace weir {

// Why a packet of a flow that this rule opens, or lets open, may not pass for what it carries; undecided: it may.
// Nothing has been changed by then but what DNS is counted in.
Reason Pipeline::look_doubt(const Entry& entry, const InstalledPolicy& installed, u32 rule, bool from_opener) {
  const image::Look& look = installed.policy.look(rule);
  const Headers& headers = entry.headers;
  if (!look.is_by_packet() || headers.rdma_opcode != rdma_opcode_none) return Reason::undecided;
  if (datagram_frames_ != 0) return Reason::inspect_fragment;
  if (is_icmp(headers.key.flow_class())) return icmp_doubt(headers, look.icmp_payload);
  if (look.dns == 0 || headers.payload_bytes == 0) return Reason::undecided;
  const image::DnsTerms& terms = installed.policy.dns_terms()[look.dns - 1];
  const std::span<const u8> payload(reinterpret_cast<const u8*>(entry.packet.data) + headers.payload_offset,
                                    headers.payload_bytes);
  Reason doubt = Reason::undecided;
  const auto ask = [&](std::span<const u8> message) {
    const Reason one = dns_doubt(entry, installed, terms, message, from_opener);
    if (doubt == Reason::undecided) doubt = one;
  };
  if (headers.protocol == protocol_udp) {
    ask(payload);
  } else if (headers.protocol != protocol_tcp || !each_whole_message(payload, ask)) {
    doubt = Reason::dns_malformed;
  }
  if (doubt == Reason::undecided || doubt == Reason::dns_malformed || doubt == Reason::inspect_full ||
      now_ >= terms.monitor_until)
    return doubt;
  Outcome told{};
  told.generation = installed.generation;
  told.rule = rule;
  told.reason = doubt;
  emit(EventKind::inspect_alert, entry, told);
  return Reason::undecided;
}

// What ICMP may carry behind its eight bytes. Messages that are no echo have nothing there that could be normalised.
Reason Pipeline::icmp_doubt(const Headers& headers, image::IcmpPayload policy) {
  if (policy == image::IcmpPayload::pass || headers.payload_bytes == 0) return Reason::undecided;
  const bool may = policy == image::IcmpPayload::normalise && is_echo(headers);
  return may ? Reason::undecided : Reason::icmp_payload;
}

// Who opened the flow asks, and the other side answers. Terms that are zero set no limit.
Reason Pipeline::dns_doubt(const Entry& entry, const InstalledPolicy& installed, const image::DnsTerms& terms,
                           std::span<const u8> bytes, bool from_opener) {
  DnsMessage message;
  if (!read_dns(bytes, message) || message.is_answer == from_opener) return Reason::dns_malformed;
  if (message.is_answer) {
    const bool is_large = terms.answer_bytes_max != 0 && bytes.size() > terms.answer_bytes_max;
    return is_large ? Reason::dns_answer_large : Reason::undecided;
  }
  if (terms.name_bytes_max != 0 && dns_text_bytes(message.name) > terms.name_bytes_max) return Reason::dns_name_long;
  if (config_.dns == nullptr) return Reason::inspect_full;
  const u16 port_class = installed.port_class[entry.packet.port];
  const bool is_attached = port_class != 0 && port_class < installed.policy.view().port_classes_count;
  const Address host = is_attached ? Address{host_port_mark, entry.packet.port} : entry.headers.source;
  const u64 source = source_hash(host, space_of(entry.headers.key), config_.secret);
  if (!config_.dns->may_ask(source, terms.queries, now_)) return Reason::dns_rate;
  if (terms.window_s == 0) return Reason::undecided;
  const DnsSketch::Terms sketched{terms.information_bytes_max, terms.domains_max, terms.window_s * tick_second};
  switch (config_.dns->sketch().ask(source, message, sketched, now_)) {
    case DnsSketch::Answer::fits: break;
    case DnsSketch::Answer::information: return Reason::dns_information;
    case DnsSketch::Answer::domains: return Reason::dns_domains;
  }
  return Reason::undecided;
}

// What is about to leave as it came, or changed already: written over as its allow says, for good.
void Pipeline::scrub_packet(const Entry& entry, const InstalledPolicy& installed, Outcome& outcome) {
  const Headers& headers = entry.headers;
  const bool leaves = outcome.verdict == Verdict::forward || outcome.verdict == Verdict::rewrite;
  const bool has_rule = headers.kind == PacketKind::flow || headers.kind == PacketKind::icmp_error;
  if (!leaves || !has_rule || outcome.rule == no_rule) return;
  const image::Look& look = installed.policy.look(outcome.rule);
  const u32 bytes = outcome.verdict == Verdict::rewrite ? outcome.frame_bytes : entry.packet.bytes;
  bool has_changed = false;
  if (look.icmp_payload == image::IcmpPayload::normalise && headers.kind == PacketKind::flow && is_echo(headers) &&
      is_icmp(headers.key.flow_class()))
    has_changed = normalise_echo(entry.packet.data, headers);
  if (look.scrub != 0) has_changed |= scrub(entry.packet.data, bytes, headers, next_identification());
  if (!has_changed || outcome.verdict == Verdict::rewrite) return;
  outcome.reason = Reason::scrubbed;
  outcome.verdict = Verdict::rewrite;
  outcome.frame_bytes = bytes;
}

// Of packets that may be fragmented further on: different for as many as there are numbers, all workers together, and
// not the sender's.
u16 Pipeline::next_identification() {
  const u32 number = identifications_++ * config_.workers + config_.self;
  return static_cast<u16>(number * 0x9e37u ^ config_.secret.words[0]);
}

}  // namespace weir
