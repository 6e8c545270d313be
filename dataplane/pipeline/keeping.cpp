#include "dataplane/pipeline/keeping.hpp"

#include "dataplane/pipeline/known_flow.hpp"

namespace weir {
namespace {

// Of flows that were taken up and that nobody has judged since: the last mark that this pipeline comes to, and by then
// the sweep has been round (dataplane/pipeline/sweep.hpp).
constexpr u32 epoch_before_all = epochs - 1;

// The longest idle time, and the beats that it may begin and end in.
constexpr u32 beats_left_max = static_cast<u32>(beats_apart_max >> beat_shift) + 2;

FlowRecord record_of(const KeptFlow& row) {
  FlowRecord record{};
  std::memcpy(static_cast<void*>(&record), row.record, sizeof record);
  return record;
}

u32 states_of(FlowClass flow_class) {
  if (flow_class == FlowClass::tcp) return tcp_states_count;
  return flow_class == FlowClass::rdma ? static_cast<u32>(QueuePairState::closed) + 1 : 2;
}

bool is_in_order(const FlowKey& key) {
  if (key.a.is_ipv4() != key.b.is_ipv4()) return false;
  if (key.a.high != key.b.high) return key.a.high < key.b.high;
  if (key.a.low != key.b.low) return key.a.low < key.b.low;
  return key.flow_class() != FlowClass::rdma && key.a_number <= key.b_number;
}

}  // namespace

bool is_sound(const KeptFlow& row, u32 pairs) {
  const FlowRecord record = record_of(row);
  const FlowClass flow_class = record.key.flow_class();
  return flow_class <= FlowClass::rdma && record.key.pair() < pairs && is_in_order(record.key) &&
         record.state < states_of(flow_class) && u32{record.deadline} - 1 < beats_left_max &&
         (record.attended != 0) == (row.offset != 0) && (row.offset == 0 || flow_class == FlowClass::tcp) &&
         (record.epoch == epoch_stale || record.epoch == epoch_before_all) && row.zero == 0;
}

u32 Keeping::take_out(const InstalledPolicy* policy, Tick now, std::span<KeptFlow> rows) {
  const FlowTable& table = pipeline_.table_;
  u32 count = 0;
  for (; next_ < table.used() && count < rows.size(); ++next_) {
    if (!table.is_live(next_) || table.expired(next_, beat_of(now))) continue;
    if (!may_keep(policy, next_)) {
      ++left_behind_;
      continue;
    }
    FlowRecord record = table.record(next_);
    KeptFlow& row = rows[count++];
    row.offset = pipeline_.is_translated(next_) ? pipeline_.table_.offset(next_) : 0;
    row.zero = 0;
    record.attended = row.offset != 0;
    record.deadline = static_cast<Beat>(record.deadline - beat_of(now));
    if (record.epoch != epoch_stale) record.epoch = epoch_before_all;
    std::memcpy(row.record, &record, sizeof record);
    if (is_sound(row, pairs_max)) continue;
    ++left_behind_;
    --count;
  }
  return count;
}

// One that is attended to because of an inspection has a watch, or gets it with its first bytes: whether it does, the
// policy in force says, where it has not been asked yet now.
bool Keeping::may_keep(const InstalledPolicy* policy, u32 flow) {
  const FlowRecord& record = pipeline_.table_.record(flow);
  if (record.attended == 0) return true;
  if (record.epoch == epoch_stale || pipeline_.epoch_of(policy) == epoch_stale) return false;
  return pipeline_.is_current(*policy, flow) && pipeline_.watch_of(flow) == Inspector::none &&
         pipeline_.wish_of(*policy, record) == nullptr;
}

void Keeping::begin(Tick now, Tick cookies_until) {
  WEIR_CHECK(pipeline_.table_.live() == 0 && pipeline_.now_ == 0);
  pipeline_.begin_time(now);
  pipeline_.cookies_until_ = cookies_until;
}

Keeping::Fate Keeping::put_in(const KeptFlow& row, u32 beats_since) {
  FlowRecord record = record_of(row);
  if (record.deadline <= beats_since) return Fate::passed;
  record.deadline = static_cast<Beat>(record.deadline - beats_since + pipeline_.now_beat_);
  FlowTable& table = pipeline_.table_;
  const u64 hash = hash_of(record.key, pipeline_.config_.secret);
  const u8 standing = standing_of(0, rank_of(record));
  if (table.find(record.key, hash, no_flow) != no_flow) return Fate::no_room;
  const u32 flow = table.insert(record.key, hash, record.deadline, standing);
  if (flow == no_flow) return Fate::no_room;
  table.record(flow) = record;
  table.offset(flow) = row.offset;
  if (pipeline_.config_.floods != nullptr) pipeline_.config_.floods->census().enter(record);
  // One that first use has opened is still to be answered.
  const FlowKey& key = record.key;
  if (pipeline_.config_.rdma != nullptr && key.flow_class() == FlowClass::rdma && is_first_use(record) &&
      !QueuePair(record).has_partner()) {
    const Address &opener = record.opener_is_a ? key.a : key.b, &replier = record.opener_is_a ? key.b : key.a;
    pipeline_.config_.rdma->unpaired().add(opener, replier, key.scope, qp_of(key), pipeline_.now_);
  }
  return Fate::taken;
}

}  // namespace weir
