#include "control/see/mirror_text.hpp"

#include "control/see/eve.hpp"
#include "dataplane/flow/tcp.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>

namespace weir::see {
namespace {

std::string name_of(const MirrorNames& names, u16 segment) {
  if (segment == no_segment) return "";
  return names.names == nullptr ? fmt::format("segment {}", segment)
                                : std::string(names.names->policy().segment_name(segment));
}

// "allow `save` operations.toml:22"
std::string rule_text(const MirrorNames& names, u32 rule, u64 generation) {
  if (rule == no_rule) return "";
  if (names.names == nullptr || rule >= names.names->policy().rules_count())
    return fmt::format("rule {} of generation {}", rule, generation);
  const RuleView view = names.names->policy().rule(rule);
  return fmt::format("{} `{}` {}:{}", view.is_forbid ? "forbid" : "allow", view.name, view.file, view.line);
}

std::string port_text(const MirrorNames& names, u32 port) {
  return fmt::format("{} {}", (port & 1) == 0 ? "inside" : "outside",
                     port < names.ports.size() ? names.ports[port] : std::to_string(port));
}

std::string end_of(const Address& address, u16 port, const std::string& segment) {
  std::string text = text_of(address);
  if (port != 0) text = address.is_ipv4() ? fmt::format("{}:{}", text, port) : fmt::format("[{}]:{}", text, port);
  return segment.empty() ? text : fmt::format("{} ({})", text, segment);
}

std::string_view kind_text(PacketKind kind) {
  constexpr std::string_view names[] = {"flow", "ICMP error", "ARP", "neighbour discovery", "router discovery",
                                        "DHCP", "fragment"};
  return names[static_cast<u8>(kind)];
}

std::string flags_text(u8 flags) {
  constexpr std::string_view names[] = {"FIN", "SYN", "RST", "PSH", "ACK", "URG", "ECE", "CWR"};
  std::vector<std::string_view> set;
  for (u32 bit = 0; bit < std::size(names); ++bit)
    if ((flags >> bit & 1) != 0) set.push_back(names[bit]);
  return fmt::format("{}", fmt::join(set, " "));
}

std::string_view state_text(const MirroredFlow& flow) {
  constexpr std::string_view pairs[] = {"announced", "open", "closed"};
  const auto flow_class = static_cast<FlowClass>(flow.flow_class);
  if (flow_class == FlowClass::tcp)
    return flow.state < tcp_states_count ? tcp_state_name(static_cast<TcpState>(flow.state)) : "unknown";
  if (flow_class == FlowClass::rdma) return flow.state < std::size(pairs) ? pairs[flow.state] : "unknown";
  return flow.state == 0 ? "one_way" : "both_ways";
}

std::string flow_text(const MirroredFlow& flow) {
  constexpr std::string_view judged[] = {"by the policy in force", "by an older policy: it is asked again",
                                         "denied when it was last asked"};
  std::string text = fmt::format("record {}, {}, judged {}, {:.1f} s left; from {}", flow.flow, state_text(flow),
                                 judged[static_cast<u8>(flow.judged)], flow.left_ms / 1000.0,
                                 flow.is_from_opener != 0 ? "who opened it" : "the other end");
  if (flow.is_attended != 0) text += "; asks for a longer look";
  return text;
}

// Where the way of a packet ended, of the stages that follow each other.
enum class Reached { parse, policy, inspection, end };

Reached reached_by(const Mirrored& packet) {
  const std::string_view stage = row(packet.reason).stage;
  if (row(packet.reason).verdict == Verdict::forward || row(packet.reason).verdict == Verdict::rewrite)
    return Reached::end;
  const bool is_early = stage == "parse" || stage == "engine" || stage == "whole" || stage == "link" ||
                        packet.reason == Reason::spoofed_mac || packet.reason == Reason::quarantined ||
                        packet.reason == Reason::quarantined_host;
  if (is_early) return Reached::parse;
  if (stage == "inspect") return Reached::inspection;
  return stage == "limit" || stage == "budget" ? Reached::end : Reached::policy;
}

std::string parse_text(const Mirrored& packet) {
  const MirroredLayers& layers = packet.layers;
  if (layers.doubt != Reason::undecided)
    return fmt::format("doubt: {}: {}", row(layers.doubt).name, row(layers.doubt).sentence);
  std::string text = fmt::format("{}", kind_text(layers.kind));
  if (layers.kind == PacketKind::arp) return text;
  text += fmt::format(", {} at {}, {} at {}", layers.is_ipv4 != 0 ? "IPv4" : "IPv6", layers.l3_offset,
                      protocol_text(layers.protocol), layers.l4_offset);
  if (layers.protocol == 6 && layers.kind == PacketKind::flow) text += fmt::format(" {}", flags_text(layers.tcp_flags));
  if (layers.protocol == 1 || layers.protocol == 58)
    text += fmt::format(" type {} code {}", layers.icmp_type, layers.icmp_code);
  if (layers.rdma_opcode != rdma_opcode_none) text += fmt::format(" RoCEv2 opcode {:#x}", layers.rdma_opcode);
  text += fmt::format(", {} bytes of payload at {}", layers.payload_bytes, layers.payload_offset);
  if (layers.kind == PacketKind::fragment)
    text += fmt::format(", fragment from {}{}", layers.fragment & 0xfff8, (layers.fragment & 1) != 0 ? ", more" : "");
  for (u32 depth = 0; depth < layers.tunnels; ++depth) {
    const MirroredOutside& outside = layers.outsides[depth];
    text += fmt::format("; inside {} {} > {}", protocol_text(outside.protocol), text_of(outside.source),
                        end_of(outside.target, outside.target_port, ""));
  }
  return text + "; no doubts";
}

std::string service_text(const MirroredLayers& layers) {
  if (layers.protocol == 1 || layers.protocol == 58)
    return fmt::format("{} type {} code {}", protocol_text(layers.protocol), layers.icmp_type, layers.icmp_code);
  if (layers.rdma_opcode != rdma_opcode_none) return "a queue pair, which is a service of its own";
  return layers.target_port != 0 ? fmt::format("{}/{}", protocol_text(layers.protocol), layers.target_port)
                                 : protocol_text(layers.protocol);
}

std::string policy_text(const Mirrored& packet, const MirrorNames& names) {
  if (packet.judged.is_asked == 0) return "nothing to ask: it is no packet of a flow";
  const ReasonRow& says = row(packet.judged.reason);
  std::string text = packet.before.flow == mirrored_flow_none ? "asked"
                     : packet.before.judged == MirroredJudged::now
                         ? "remembered with its flow"
                         : "asked again, since its flow was judged by an older";
  text += fmt::format(": {}: {}", says.name, says.sentence);
  const std::string rule = rule_text(names, packet.judged.rule, packet.generation);
  if (!rule.empty()) text += fmt::format("; {}, decision {}", rule, packet.judged.decision);
  return text;
}

std::string refusal_text(const Mirrored& packet) {
  return fmt::format("refused: {}: {}", row(packet.reason).name, row(packet.reason).sentence);
}

void add_charges(const Mirrored& packet, Stages& made) {
  const MirroredFlow& flow = packet.after.flow != mirrored_flow_none ? packet.after : packet.before;
  const std::string_view stage = row(packet.reason).stage;
  made.emplace_back("inspection", stage == "inspect"     ? refusal_text(packet)
                                  : flow.ended_by != 0   ? fmt::format("has ended the flow: {}",
                                                                       row(static_cast<Reason>(flow.ended_by)).name)
                                  : flow.is_watched != 0 ? "reads this flow, and lets this pass"
                                                         : "none reads this flow");
  if (reached_by(packet) == Reached::inspection) return;
  made.emplace_back("limits", stage == "limit"   ? refusal_text(packet)
                              : flow.limits != 0 ? fmt::format("{} met, none refuses", flow.limits)
                                                 : "none");
  if (stage == "limit") return;
  made.emplace_back("budgets", stage == "budget"  ? refusal_text(packet)
                               : flow.purses != 0 ? fmt::format("{} places to draw on by its flow, paid", flow.purses)
                                                  : "none by its flow");
}

std::string outcome_text(const Mirrored& packet, const MirrorNames& names) {
  const ReasonRow& reason = row(packet.reason);
  std::string text = fmt::format("{} {}: {}", verdict_name(packet.verdict), reason.name, reason.sentence);
  if (packet.verdict == Verdict::forward)
    text +=
        fmt::format("; leaves by {}, {} bytes as they came", port_text(names, packet.port ^ 1u), packet.frame_bytes);
  if (packet.verdict == Verdict::rewrite)
    text +=
        fmt::format("; leaves by {}, {} bytes, written over", port_text(names, packet.port ^ 1u), packet.frame_bytes);
  if (packet.answer_bytes != 0)
    text += fmt::format("; answered by {} bytes to {}", packet.answer_bytes, port_text(names, packet.port));
  return text;
}

}  // namespace

std::string ends_text(const Mirrored& packet, const MirrorNames& names) {
  const MirroredLayers& layers = packet.layers;
  if (layers.doubt != Reason::undecided) return fmt::format("a frame of {} bytes", packet.frame_bytes);
  if (layers.kind == PacketKind::arp) return fmt::format("arp {} > {}", text_of(layers.source), text_of(layers.target));
  const bool is_inner = packet.depth >= layers.tunnels;  // the segments are of the layer that was decided about
  const std::string from = is_inner ? name_of(names, packet.source_segment) : "";
  const std::string to = is_inner ? name_of(names, packet.target_segment) : "";
  return fmt::format("{} {} > {}", layers.rdma_opcode != rdma_opcode_none ? "rdma" : protocol_text(layers.protocol),
                     end_of(layers.source, layers.source_port, from), end_of(layers.target, layers.target_port, to));
}

std::string cut_text(const Mirrored& packet) {
  if (packet.bytes == packet.frame_bytes) return "";
  return fmt::format("cut to {} of {} bytes{}", packet.bytes, packet.frame_bytes,
                     packet.is_bare != 0 ? ": its sender holds an asset, or may" : "");
}

std::string comment_text(const Mirrored& packet, const MirrorNames& names) {
  const ReasonRow& reason = row(packet.reason);
  std::string text = fmt::format("{} {}: {}", verdict_name(packet.verdict), reason.name, reason.sentence);
  const std::string rule = rule_text(names, packet.rule, packet.generation);
  if (!rule.empty()) text += " | " + rule;
  const std::string from = name_of(names, packet.source_segment), to = name_of(names, packet.target_segment);
  if (!from.empty() || !to.empty())
    text += fmt::format(" | {} > {}", from.empty() ? "nowhere" : from, to.empty() ? "nowhere" : to);
  text += fmt::format(" | generation {} | worker {}", packet.generation, packet.worker);
  if (packet.verdict == Verdict::rewrite) text += " | as it leaves, written over";
  const std::string cut = cut_text(packet);
  return cut.empty() ? text : text + " | " + cut;
}

Stages stages_of(const Mirrored& packet, const MirrorNames& names) {
  Stages made;
  const Reached reached = reached_by(packet);
  made.emplace_back("port",
                    fmt::format("{}, {}", port_text(names, packet.port),
                                packet.is_named_port != 0 ? "somebody's: attached or pinned" : "nobody's alone"));
  made.emplace_back("parse", parse_text(packet));
  made.emplace_back("worker", fmt::format("{} of {}", packet.worker, packet.workers));
  if (reached != Reached::parse) {
    made.emplace_back("flow", packet.before.flow == mirrored_flow_none ? "not known" : flow_text(packet.before));
    const std::string from = name_of(names, packet.source_segment), to = name_of(names, packet.target_segment);
    std::string zones;
    if (packet.judged.is_asked != 0)
      zones = fmt::format("; zones {} > {} of who opens", packet.judged.source_zone, packet.judged.target_zone);
    made.emplace_back("segments",
                      fmt::format("{} > {}{}", from.empty() ? "none" : from, to.empty() ? "none" : to, zones));
    made.emplace_back("service", service_text(packet.layers));
    made.emplace_back("policy", policy_text(packet, names));
    if (reached == Reached::policy && packet.verdict == Verdict::drop &&
        row(packet.reason).stage != std::string_view("policy"))
      made.emplace_back(row(packet.reason).stage, refusal_text(packet));
    if (reached != Reached::policy) add_charges(packet, made);
  }
  made.emplace_back("outcome", outcome_text(packet, names));
  if (packet.after.flow != mirrored_flow_none)
    made.emplace_back("flow after", fmt::format("{}{}", packet.is_first != 0 ? "made by this packet: " : "",
                                                flow_text(packet.after)));
  if (const std::string cut = cut_text(packet); !cut.empty()) made.emplace_back("shown", cut);
  return made;
}

nlohmann::ordered_json trace_json(const Mirrored& packet, const MirrorNames& names) {
  nlohmann::ordered_json made = {{"timestamp", eve_time(packet.time)},
                                 {"packet", ends_text(packet, names)},
                                 {"frame_bytes", packet.frame_bytes},
                                 {"verdict", verdict_name(packet.verdict)},
                                 {"reason", row(packet.reason).name},
                                 {"generation", packet.generation},
                                 {"worker", packet.worker}};
  const std::string rule = rule_text(names, packet.rule, packet.generation);
  if (!rule.empty()) made["rule"] = rule;
  for (const auto& [key, segment] : {std::pair("from", packet.source_segment), std::pair("to", packet.target_segment)})
    if (const std::string name = name_of(names, segment); !name.empty()) made[key] = name;
  for (const auto& [key, flow] : {std::pair("flow_before", packet.before), std::pair("flow_after", packet.after)})
    if (packet.has_stages != 0)
      made[key] = flow.flow == mirrored_flow_none
                      ? nlohmann::ordered_json()
                      : nlohmann::ordered_json{
                            {"record", flow.flow}, {"state", state_text(flow)}, {"left_s", flow.left_ms / 1000.0}};
  if (packet.has_stages == 0) return made;
  nlohmann::ordered_json stages = nlohmann::ordered_json::object();
  for (const auto& [stage, text] : stages_of(packet, names)) stages[stage] = text;
  made["stages"] = stages;
  return made;
}

}  // namespace weir::see
