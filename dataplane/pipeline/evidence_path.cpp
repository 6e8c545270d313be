// Packets that an inspection found something in, and the next of their flows, on their way to who writes them down.
#include "dataplane/inspect/pattern_image.hpp"
#include "dataplane/pipeline/known_flow.hpp"

namespace weir {
namespace {

void write_name(char (&room)[Evidence::name_bytes_max], std::string_view name) {
  const std::size_t bytes = std::min(name.size(), std::size_t{Evidence::name_bytes_max - 1});
  std::memcpy(room, name.data(), bytes);
  std::memset(room + bytes, 0, sizeof room - bytes);
}

}  // namespace

// The packet in which something was found, and from now on those that follow.
void Pipeline::keep_evidence(const Entry& entry, const InstalledPolicy& installed, u32 flow, const Outcome& outcome,
                             Reason reason) {
  if (config_.evidence == nullptr) return;
  if (const u32 watch = watch_of(flow); watch != Inspector::none)
    config_.inspector->watches().trail_of(watch) = {static_cast<u8>(reason), evidence_neighbours};
  put_evidence(entry, installed, flow, outcome.found, reason, 0);
}

// A packet of a flow in which something was found a moment ago.
void Pipeline::keep_neighbour(const Entry& entry, const InstalledPolicy& installed, u32 flow, u32 watch) {
  if (config_.evidence == nullptr) return;
  WatchTrail& trail = config_.inspector->watches().trail_of(watch);
  if (trail.left == 0) return;
  const u32 after = evidence_neighbours - --trail.left;
  put_evidence(entry, installed, flow, nothing_found, static_cast<Reason>(trail.reason), after);
}

void Pipeline::put_evidence(const Entry& entry, const InstalledPolicy& installed, u32 flow, u16 found, Reason reason,
                            u32 after) {
  EvidenceRing& ring = *config_.evidence;
  if (ring.packets.room() == 0) return ring.lost.add(1);
  const Headers& headers = entry.headers;
  FlowRecord& record = table_.record(flow);
  const u32 rule = installed.policy.rule_of(record.decision);
  Evidence made{};
  made.time = entry.packet.time;
  made.generation = installed.generation;
  made.frame_bytes = entry.packet.bytes;
  made.port = static_cast<u8>(entry.packet.port);
  made.reason = reason;
  made.after = static_cast<u8>(after);
  const u32 room = std::min(entry.packet.bytes, Evidence::bytes_max);
  const bool is_bare = !ring.keeps_whole && sender_holds_asset(installed, record, headers);
  made.bytes = static_cast<u16>(is_bare ? std::min(room, headers.payload_offset + evidence_payload_least) : room);
  if (rule != no_rule) write_name(made.rule, installed.policy.rule(rule).name);
  if (found != nothing_found) write_name(made.found, pattern_name(installed.policy.patterns(), found));
  std::memcpy(made.frame, entry.packet.data, made.bytes);
  ring.packets.put(made);
}

bool Pipeline::sender_holds_asset(const InstalledPolicy& installed, FlowRecord& record, const Headers& headers) const {
  const Judgement judgement = installed.policy.judge(question_of(installed, record), now_);
  return came_from_opener(headers, record) ? installed.policy.assets_of_source(judgement.source_zone) != 0
                                           : installed.policy.assets_of_target(judgement.target_zone) != 0;
}

}  // namespace weir
