// What a full table gives up for a newcomer, and how it shortens idle times while it fills.
#include "dataplane/flow/table.hpp"

#include <algorithm>

namespace weir {

namespace {

// Standings looked at for one newcomer.
constexpr u32 standings_per_victim = 1024;
static_assert(standings_per_victim % standing_lanes == 0);
// Flows among them that may be idle, whose records are looked at.
constexpr u32 idle_looks = 16;

u32 lanes_equal(const u8* standings, u8 standing) {
  u32 hits = 0;
  for (u32 lane = 0; lane < standing_lanes; ++lane) hits |= u32{standings[lane] == standing} << lane;
  return hits;
}

}  // namespace

// How long nothing has been heard of it, by the time that is left to it.
u32 FlowTable::idle_beats_of(u32 flow, Beat now) const {
  const u32 whole = idle_.of_flow(records_[flow]);
  if (deadline_passed(records_[flow].deadline, now)) return whole;
  const u32 left = static_cast<u16>(records_[flow].deadline - now);
  return left < whole ? whole - left : 0;
}

void FlowTable::shorten_when_filling() {
  shorten_from_ = static_cast<u32>(u64{capacity_} * shorten_start_percent / 100);
  shorten_inverse_ = (u64{1} << 48) / (u64{capacity_} * (shorten_end_percent - shorten_start_percent));
  weigh_fill();
}

// How full the table is decides, whenever that changes.
void FlowTable::weigh_fill() {
  const u64 filled = u64{live_} * 100, start = u64{capacity_} * shorten_start_percent;
  shortened_ = filled <= start ? 0 : static_cast<u32>((filled - start) * shorten_inverse_ >> 32);
  cut_longest_ = cut_of(idle_.longest);
}

// Of a live record whose deadline has not passed.
bool FlowTable::is_cut_short(u32 flow, Beat now) const {
  if (static_cast<u16>(records_[flow].deadline - now) > cut_of(idle_.of_flow(records_[flow]))) return false;
  return class_of(standings_[flow]) == 0 || rank_of(standings_[flow]) != Rank::both_ways;
}

// The lowest rank among the first sixteen, from where the last search ended, in which there is one to take: so under a
// flood of openings each lives for about one round of the table. Then the longest idle of those that may be.
u32 FlowTable::victim(u32 reserve_class, Beat now) {
  const Takeable takeable = shares_.takeable(reserve_class, capacity_ - live_);
  u32 idle[idle_looks];
  u32 idle_count = 0;
  for (u32 looked = 0; looked < std::min(fresh_ + standing_lanes, standings_per_victim); looked += standing_lanes) {
    if (scan_ >= fresh_) scan_ = 0;
    const u8* standings = standings_ + scan_;
    if (const u32 hits = takeable_lanes(standings, takeable); hits != 0) {
      u32 lowest = scan_ + static_cast<u32>(std::countr_zero(hits));
      for (u32 left = hits; left != 0; left &= left - 1) {
        const u32 flow = scan_ + static_cast<u32>(std::countr_zero(left));
        if (rank_of(standings_[flow]) < rank_of(standings_[lowest])) lowest = flow;
      }
      scan_ = lowest + 1;
      return lowest;
    }
    if (takeable.of_class[0] != 0)
      for (u32 left = lanes_equal(standings, standing_of(0, Rank::both_ways)); left != 0 && idle_count < idle_looks;
           left &= left - 1)
        idle[idle_count++] = scan_ + static_cast<u32>(std::countr_zero(left));
    scan_ += standing_lanes;
  }
  u32 best = no_flow, longest = 0;
  for (u32 i = 0; i < idle_count; ++i) {
    const u32 beats = idle_beats_of(idle[i], now);
    if (beats < idle_.of_flow(records_[idle[i]]) / idle_part || beats < longest) continue;
    best = idle[i], longest = beats;
  }
  return best;
}

}  // namespace weir
