// What the RDMA path counts and only tells, and Ultra Ethernet's jobs: nothing but the last is dropped here.
// Sources: InfiniBand Architecture Specification, volume 1, 9.7.5.2.8 (AETH syndromes); Ultra Ethernet Specification
// 1.0 (JobID).
#include "dataplane/packet/uet.hpp"
#include "dataplane/pipeline/known_flow.hpp"
#include "dataplane/pipeline/rdma_path.hpp"

namespace weir {
namespace {

EventKind event_of(Alarms::Kind kind) {
  return static_cast<EventKind>(static_cast<u8>(EventKind::rdma_refused) + static_cast<u8>(kind));
}
static_assert(static_cast<u8>(EventKind::rdma_requests) - static_cast<u8>(EventKind::rdma_refused) ==
              static_cast<u8>(Alarms::Kind::requests));

}  // namespace

// One more of what `source` does to `target`.
void Pipeline::count_alarm(Alarms::Kind kind, const Entry& entry, const Outcome& outcome, const Address& source,
                           const Address& target) {
  const Alarms::Told told =
      config_.rdma->alarms().count(kind, source, target, entry.headers.key.scope & place_mask, now_);
  if (told.pair) tell_members(event_of(kind), entry, outcome, source, target);
  if (told.source) tell_members(event_of(kind), entry, outcome, source, Address{});
  counters_.rdma_alarms.add(u64{told.pair} + told.source);
}

void Pipeline::tell_members(EventKind kind, const Entry& entry, const Outcome& outcome, const Address& source,
                            const Address& target) {
  if (config_.events == nullptr) return;
  config_.events->push({now_, static_cast<u32>(outcome.generation), outcome.rule, source, target, 0, roce_port, kind,
                        outcome.reason, protocol_udp, static_cast<u8>(entry.packet.port), no_detail,
                        entry.headers.key.scope & place_mask});
}

// Refusals are the doing of who asked; requests for packets again that of who sends numbers that nobody waits for.
void Pipeline::count_refusal(const Entry& entry, const Outcome& outcome, u8 syndrome) {
  const Alarms::Kind kind = syndrome == 0x60 ? Alarms::Kind::gaps : Alarms::Kind::refused;
  count_alarm(kind, entry, outcome, entry.headers.target, entry.headers.source);
}

// A packet of a queue pair of a job that is watched has passed.
void Pipeline::watch_members(const Entry& entry, const InstalledPolicy& installed, const Outcome& outcome, u32 job) {
  const image::Job& stated = installed.policy.jobs()[job - 1];
  if (stated.burst == 0) return;
  const Headers& headers = entry.headers;
  const bool teaches = stated.seal_after_us != 0 && !job_is_sealed(installed, job);
  const JobWatch::Terms terms{stated.burst, stated.window_us, stated.ratio, teaches};
  const JobWatch::Finding found = config_.rdma->watch().count(
      headers.source, headers.target, headers.key.scope & place_mask, entry.packet.bytes, terms, now_);
  if (found == JobWatch::Finding::nothing) return;
  counters_.job_alarms.add(1);
  tell_members(found == JobWatch::Finding::turned ? EventKind::job_turned : EventKind::job_burst, entry, outcome,
               headers.source, headers.target);
}

// Why Ultra Ethernet may not pass between these two, or undecided. Who is a member of a job that states its JobID
// speaks it with members of such a job alone, and names that job; what is encrypted names none.
Reason Pipeline::uet_doubt(const Entry& entry, const InstalledPolicy& installed) const {
  const Headers& headers = entry.headers;
  const Judgement judgement = judge_packet(entry, installed, true);
  const u64 of_source = installed.policy.jobs_of_source(judgement.source_zone) & installed.uet_jobs;
  const u64 of_target = installed.policy.jobs_of_target(judgement.target_zone) & installed.uet_jobs;
  if ((of_source | of_target) == 0) return Reason::undecided;
  UetPacket packet;
  const auto* const payload = reinterpret_cast<const u8*>(entry.packet.data) + headers.payload_offset;
  if (datagram_frames_ != 0 || !read_uet(payload, headers.payload_bytes, packet)) return Reason::uet_header_bad;
  if ((of_source & of_target) == 0 || packet.type == UetType::encrypted) return Reason::uet_job;
  if (!packet.has_job) return Reason::undecided;
  for (u64 shared = of_source & of_target, job = 0; shared != 0; shared >>= 1, ++job)
    if ((shared & 1) != 0 && installed.policy.jobs()[job].uet == packet.job) return Reason::undecided;
  return Reason::uet_job;
}

}  // namespace weir
