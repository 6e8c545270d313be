// Layout of the lent memory, making and freeing records, ageing.
#include "dataplane/flow/table.hpp"

#include "dataplane/base/check.hpp"

#include <algorithm>

namespace weir {

namespace {

// No FlowKey has it: its class would be 15.
constexpr u32 scope_free = ~u32{0};
constexpr u32 stretch_max = 64;
constexpr u32 looks_in_line = 64 / sizeof(Beat);

// A full table fills 70 % of the slots: then 97 % of the flows stand in their first bucket and a lookup reads one
// line. Room runs out only above 95 %, so what is asked for always fits.
u32 buckets_for(u32 capacity) {
  if (capacity <= FlowBucket::slots_count) return 1;
  const u64 buckets = (u64{capacity} * 10 + 55) / 56;
  return static_cast<u32>(buckets + buckets % 2);
}

// Ageing reads whole groups of lanes, also from the last record on.
std::size_t looks_bytes(u32 capacity) {
  return (std::size_t{capacity} + 2 * look_lanes - 2) / look_lanes * look_lanes * sizeof(Beat);
}

// The search for a victim reads sixteen at a time from any record on.
std::size_t standings_bytes(u32 capacity) { return std::size_t{capacity} + standing_lanes; }

}  // namespace

std::size_t FlowTable::bytes_needed(u32 capacity) {
  WEIR_CHECK(capacity != 0 && capacity <= capacity_max);
  return std::size_t{buckets_for(capacity)} * sizeof(FlowBucket) + std::size_t{capacity} * sizeof(FlowRecord) +
         looks_bytes(capacity) + 2 * std::size_t{capacity} * sizeof(u32) + standings_bytes(capacity);
}

FlowTable::FlowTable(std::span<std::byte> memory, u32 capacity)
    : index_(reinterpret_cast<FlowBucket*>(memory.data()), buckets_for(capacity)), capacity_(capacity) {
  WEIR_CHECK(memory.size() >= bytes_needed(capacity));
  WEIR_CHECK(reinterpret_cast<std::uintptr_t>(memory.data()) % alignof(FlowBucket) == 0);
  records_ = reinterpret_cast<FlowRecord*>(memory.data() + std::size_t{index_.buckets_count()} * sizeof(FlowBucket));
  looks_ = reinterpret_cast<Beat*>(records_ + capacity);
  offsets_ = reinterpret_cast<u32*>(reinterpret_cast<std::byte*>(looks_) + looks_bytes(capacity));
  bills_of_ = offsets_ + capacity;
  standings_ = reinterpret_cast<u8*>(bills_of_ + capacity);
}

u32 FlowTable::insert(const FlowKey& key, u64 hash, Beat deadline, u8 standing) {
  const u32 flow = free_ != no_flow ? free_ : fresh_;
  if (flow == capacity_ || !index_.insert(hash, flow)) return no_flow;
  FlowRecord& record = records_[flow];
  if (flow == fresh_) {
    ++fresh_;
  } else {
    free_ = record.next_free();
    if (free_ != no_flow) __builtin_prefetch(records_ + free_, 1);
  }
  record = FlowRecord{};
  record.key = key;
  record.deadline = deadline;
  looks_[flow] = look_at(deadline);
  standings_[flow] = standing;
  shares_.count(standing, 1);
  ++live_;
  weigh();
  return flow;
}

void FlowTable::erase(u32 flow, u64 hash) {
  index_.erase(hash, flow);
  if (census_ != nullptr) census_->leave(records_[flow]);
  if (bills_ != nullptr) set_bill(flow, no_bill);
  if (records_[flow].attended != 0 && departures_.one != nullptr) departures_.one(departures_.self, flow);
  records_[flow].key.scope = scope_free;
  records_[flow].next_free() = free_;
  looks_[flow] = look_never;
  shares_.count(standings_[flow], -1);
  standings_[flow] = standing_of(0, Rank::none);
  free_ = flow;
  --live_;
  weigh();
}

u32 FlowTable::age(Beat now, u32 deadlines, const HashKey& secret) {
  u32 erased = 0;
  for (u32 left = std::min(deadlines, fresh_); left != 0;) {
    if (cursor_ >= fresh_) cursor_ = 0;
    const u32 count = std::min({left, fresh_ - cursor_, stretch_max});
    erased += age_stretch(now, cursor_, count, secret);
    cursor_ += count;
    left -= count;
  }
  // The next call's looks start loading: a burst later nothing else would have brought them.
  const u32 next = cursor_ < fresh_ ? cursor_ : 0;
  const u32 end = next + std::min({deadlines, stretch_max, fresh_ - next});
  for (u32 at = next; at < end; at += looks_in_line) __builtin_prefetch(looks_ + at);
  return erased;
}

// Records, then buckets, start loading before the first is needed: a stretch that expires as a whole waits once.
u32 FlowTable::age_stretch(Beat now, u32 from, u32 count, const HashKey& secret) {
  u32 flows[stretch_max];
  u64 hashes[stretch_max];
  u32 looked = 0, passed = 0;
  // Shortening makes due what would be due so much later at most; the record says whether it is.
  const Beat due = static_cast<Beat>(now + cut_longest_);
  for (u32 at = 0; at < count; at += look_lanes) {
    u32 lanes = passed_lanes(looks_ + from + at, due);
    if (count - at < look_lanes) lanes &= (u32{1} << (count - at)) - 1;
    for (; lanes != 0; lanes &= lanes - 1) {
      const u32 flow = from + at + static_cast<u32>(std::countr_zero(lanes));
      __builtin_prefetch(records_ + flow, 1);
      flows[looked++] = flow;
    }
  }
  for (u32 i = 0; i < looked; ++i) {
    const u32 flow = flows[i];
    if (!expired(flow, now)) {
      looks_[flow] = look_at(deadline(flow));
      continue;
    }
    flows[passed] = flow;
    hashes[passed] = hash_of(records_[flow].key, secret);
    index_.prefetch(hashes[passed++]);
  }
  for (u32 i = 0; i < passed; ++i) erase(flows[i], hashes[i]);
  return passed;
}

void FlowTable::clear() {
  index_.clear();
  if (census_ != nullptr) census_->clear();
  if (departures_.all != nullptr) departures_.all(departures_.self);
  for (u32 flow = 0; bills_ != nullptr && bills_->live() != 0 && flow < fresh_; ++flow)
    if (is_live(flow)) set_bill(flow, no_bill);
  std::memset(looks_, 0, std::size_t{fresh_} * sizeof(Beat));
  std::memset(standings_, 0, fresh_);
  shares_.forget_flows();
  fresh_ = live_ = cursor_ = scan_ = 0;
  weigh();
  free_ = no_flow;
}

}  // namespace weir
