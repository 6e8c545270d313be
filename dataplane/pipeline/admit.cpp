// Room for a new flow: a free record that nobody else is owed, else one whose time has passed, else one that counts
// for less. Which may go for whom is in dataplane/flow/standing.hpp and docs/admission.md.
#include "dataplane/pipeline/known_flow.hpp"

namespace weir {
namespace {

// Deadlines looked at for a newcomer that finds no room: first so that what is over goes before what is not, and, where
// nothing may be taken, so that a table in which time has passed does not refuse for long.
constexpr u32 ageing_when_full = 32, ageing_before_refusal = 1024;

// A flow is charged to the reserve of the segment it goes to, else to that of the one it comes from.
u32 reserve_class(const Policy& policy, const Judgement& judgement) {
  const u32 target = policy.reserve_of_target(judgement.target_zone);
  return target != 0 ? target : policy.reserve_of_source(judgement.source_zone);
}

}  // namespace

u8 first_standing(const Policy& policy, const Judgement& judgement, const FlowKey& key) {
  const Rank rank = key.flow_class() == FlowClass::tcp ? Rank::half_open : Rank::one_way;
  return standing_of(reserve_class(policy, judgement), rank);
}

u8 present_standing(const Policy& policy, const Judgement& judgement, const FlowRecord& record) {
  return standing_of(reserve_class(policy, judgement), rank_of(record));
}

// A record for a new flow, or no_flow and the outcome says why.
u32 Pipeline::insert(const FlowKey& key, u64 hash, const InstalledPolicy& installed, const Judgement& judgement,
                     Outcome& outcome) {
  const u8 standing = first_standing(installed.policy, judgement, key);
  if (!table_.has_room(class_of(standing)) && !make_room(class_of(standing))) {
    outcome.reason = table_.live() == table_.capacity() ? Reason::table_full : Reason::table_reserved;
    return no_flow;
  }
  const u32 flow = table_.insert(key, hash, now_beat_, standing);
  if (flow == no_flow) outcome.reason = Reason::table_crowded;
  return flow;
}

bool Pipeline::make_room(u32 reserve_class) {
  age_some(ageing_when_full);
  if (table_.has_room(reserve_class)) return true;
  const u32 victim = table_.victim(reserve_class, now_beat_);
  if (victim == no_flow) {
    age_some(ageing_before_refusal);
    return table_.has_room(reserve_class);
  }
  switch (rank_of(table_.standing(victim))) {
    case Rank::half_open: counters_.evicted_half_open.add(1); break;
    case Rank::one_way: counters_.evicted_one_way.add(1); break;
    case Rank::both_ways: counters_.evicted_idle.add(1); break;
    default: counters_.evicted_over.add(1);
  }
  table_.erase(victim, hash_of(table_.record(victim).key, config_.secret));
  return true;
}

// A packet has moved the flow on from the state `before`, which is seldom.
void Pipeline::state_moved(u32 flow, u32 before) {
  stand(flow);
  if (config_.floods != nullptr) config_.floods->census().move(table_.record(flow), before);
}

// What a full table may take of the flow, as it is now.
void Pipeline::stand(u32 flow) {
  table_.set_standing(flow, standing_of(class_of(table_.standing(flow)), rank_of(table_.record(flow))));
}

}  // namespace weir
