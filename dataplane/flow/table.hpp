// The flow table of one worker: keyed, bounded, never shared, all memory lent.
//
// Shape: an index of buckets (dataplane/flow/index.hpp), 64-byte records, a dense u16 array beside them that says when
// ageing must look at a record, and a word for each record that only proxied connections touch. The three steps of a
// lookup (prefetch bucket, match tags and prefetch record, compare key) are separate calls, so that the pipeline
// overlaps them across bursts. Lines touched: bucket, record.
//
// A third array has a byte per flow, its standing (dataplane/flow/standing.hpp): what a full table may take. A fuller
// table also shortens idle times, linearly, so that room is made before it is short of it (pf's adaptive timeouts).
//
// A fourth has a word per flow, its bill (dataplane/flow/bills.hpp): read only where policy has budgets or limits.
//
// A record's deadline stands in the record, so that a packet that renews it touches no third line. The dense array
// holds a time not after it: the deadline as it was when ageing last came by, or a shorter one set since.
//
// Records are handed out in order of number and then again from a list through the freed ones, so that what was
// never used is never looked at, not even by ageing.
//
// Invariants: a live record is referenced by exactly one bucket slot; a free record by none; every slot's index is
// below capacity; live + free == capacity; the look of a live record is not after its deadline, that of a free one is
// never.
// Threads: one. Memory: lent by the caller for the table's life, zeroed, 64-byte aligned.
#pragma once
#include "dataplane/base/tick.hpp"
#include "dataplane/flow/bills.hpp"
#include "dataplane/flow/census.hpp"
#include "dataplane/flow/idle_times.hpp"
#include "dataplane/flow/index.hpp"
#include "dataplane/flow/record.hpp"
#include "dataplane/flow/standing.hpp"

#include <span>

namespace weir {

inline bool same_key(const FlowKey& one, const FlowKey& two) {
  using Pair [[gnu::vector_size(16)]] = u64;
  const auto differs = [&](u32 at) {
    return load<Pair>(reinterpret_cast<const std::byte*>(&one) + at) ^
           load<Pair>(reinterpret_cast<const std::byte*>(&two) + at);
  };
  const Pair any = differs(0) | differs(16) | differs(sizeof(FlowKey) - 16);  // the last overlaps the one before
  return (any[0] | any[1]) == 0;
}

// Who keeps something for flows: told of each that goes, and of all at once.
struct Departures {
  void* self = nullptr;
  void (*one)(void* self, u32 flow) = nullptr;
  void (*all)(void* self) = nullptr;
};

class FlowTable {
 public:
  static constexpr u32 capacity_max = u32{1} << 31;

  // Bytes to lend for `capacity` flows (1 .. capacity_max): below 87 per flow, and a few hundred.
  static std::size_t bytes_needed(u32 capacity);

  // Takes `memory` of at least bytes_needed(capacity) bytes.
  FlowTable(std::span<std::byte> memory, u32 capacity);
  FlowTable(const FlowTable&) = delete;

  // Step 1: start loading the key's first bucket.
  void prefetch_bucket(u64 hash) const { index_.prefetch(hash); }
  // Step 2: the record whose tag matches first, or no_flow; its line starts loading. A hint only: it may be another
  // flow's record (tag collision), or be gone by step 3.
  u32 guess(u64 hash) const;
  // Step 2b, of a few lookups shortly before their step 3: the record, which is in the second-level cache by now, moves
  // to the first.
  void prefetch_record(u32 guess) const {
    if (guess != no_flow) __builtin_prefetch(records_ + guess, 1, 3);
  }
  // Step 3: the live record with exactly this key, or no_flow. `hint` is what guess() said; a wrong hint costs a
  // full lookup. Deadlines are not looked at: the caller asks expired().
  u32 find(const FlowKey& key, u64 hash, u32 hint) const;

  // Whether the hint is the live record with this key: find() by its usual way alone. A freed record has a scope that
  // no key has; one beyond fresh_ is a leftover from before clear().
  bool is_of(u32 hint, const FlowKey& key) const { return hint < fresh_ && same_key(records_[hint].key, key); }

  // A new record for a key that is not there (caller has looked), with its deadline; the record's other fields are
  // zero. no_flow when no record is free or no bucket can make room, which a keyed hash makes improbable.
  u32 insert(const FlowKey& key, u64 hash, Beat deadline, u8 standing = standing_of(0, Rank::half_open));
  // Frees a live record. `hash` is the one it was inserted with.
  void erase(u32 flow, u64 hash);

  // `key` and `deadline` of a live record belong to the table; the rest is the caller's.
  FlowRecord& record(u32 flow) { return records_[flow]; }
  const FlowRecord& record(u32 flow) const { return records_[flow]; }
  bool is_live(u32 flow) const { return looks_[flow] != look_never; }
  // The caller's, for a record whose numbers are translated (dataplane/flow/translation.hpp); of any other it means
  // nothing.
  u32& offset(u32 flow) { return offsets_[flow]; }

  // From now on who goes is told to these, of flows that are attended to. The table is empty.
  void tell_departures(const Departures& departures) { departures_ = departures; }

  // What the flow is charged to, of a table that charge_with() was said to; else no_bill.
  u32 bill(u32 flow) const { return bills_of_[flow]; }
  void prefetch_bill(u32 guess) const {
    if (guess != no_flow) __builtin_prefetch(bills_of_ + guess, 0, 3);
  }
  // The flow takes it over, and releases the one that it had.
  void set_bill(u32 flow, u32 bill) {
    if (bills_of_[flow] != no_bill) bills_->release(bills_of_[flow]);
    bills_of_[flow] = bill;
  }
  // From now on flows have bills of these. The table is empty.
  void charge_with(Bills& bills) { bills_ = &bills; }

  // Of a live record. Beats modulo 2^16 (dataplane/base/tick.hpp).
  Beat deadline(u32 flow) const { return records_[flow].deadline; }
  void set_deadline(u32 flow, Beat deadline) { set_deadline(flow, records_[flow], deadline); }
  void set_deadline(u32 flow, FlowRecord& record, Beat deadline);  // `record` is record(flow)
  // Exactly when age(), coming by, would erase it: its deadline has passed, or shortening has eaten what was left.
  bool expired(u32 flow, Beat now) const { return expired(flow, records_[flow], now); }
  bool expired(u32 flow, const FlowRecord& record, Beat now) const {
    const u32 left = static_cast<u16>(record.deadline - now);
    if (left - 1 - cut_longest_ < 0x7fff - cut_longest_) [[likely]]
      return false;
    return left - 1 >= 0x7fff || is_cut_short(flow, now);
  }

  // Of a live record.
  u8 standing(u32 flow) const { return standings_[flow]; }
  void set_standing(u32 flow, u8 standing) {
    if (standings_[flow] == standing) return;
    shares_.count(standings_[flow], -1);
    shares_.count(standing, 1);
    standings_[flow] = standing;
  }
  Shares& shares() { return shares_; }
  const Shares& shares() const { return shares_; }

  // Whether a record is free that a newcomer of this class may have.
  bool has_room(u32 reserve_class) const { return shares_.may_take(reserve_class, capacity_ - live_); }
  // A live flow that may go for a newcomer of this class, or no_flow: one that is over, then half-open, then heard one
  // way, then one of no class that has been idle for 1/idle_part of its time. Looks at a bounded number of flows.
  u32 victim(u32 reserve_class, Beat now);
  static constexpr u32 idle_part = 4;

  // From now on idle times become shorter while the table fills: by nothing at the start, linearly, so that they would
  // be nothing at the end (pf's adaptive.start and adaptive.end). A full table leaves a third. Flows heard both ways
  // of a class with a reserve keep theirs.
  void shorten_when_filling();
  // By which idle times are known; until then, those that hold where no policy says otherwise.
  void set_idle_times(const IdleTimes& idle) {
    idle_ = idle;
    weigh();
  }
  static constexpr u32 shorten_start_percent = 60, shorten_end_percent = 120;

  // Looks at the next `deadlines` deadlines in turn, none twice in one call, and erases the records whose deadline
  // has passed; returns how many it erased. Called once per burst; the cost is bounded by the argument: a record is
  // read only when it expires or was renewed since the last look. `secret` recomputes hashes: it is the one that the
  // hashes given to insert() were made with.
  u32 age(Beat now, u32 deadlines, const HashKey& secret);
  // Erases everything: writes all buckets and looks (about 13 bytes per flow), no record.
  void clear();

  // Every live record is below it.
  u32 used() const { return fresh_; }
  // From now on `census` counts what lives here: it enters by the caller, who knows a new flow's state, and leaves by
  // erase() and clear(). The table is empty.
  void count_with(FlowCensus& census) { census_ = &census; }

  u32 live() const { return live_; }
  u32 capacity() const { return capacity_; }

 private:
  u32 age_stretch(Beat now, u32 from, u32 count, const HashKey& secret);
  bool is_cut_short(u32 flow, Beat now) const;
  u32 cut_of(u32 beats) const { return static_cast<u32>(u64{beats} * shortened_ >> 16); }
  void weigh() {
    if (live_ > shorten_from_ || shortened_ != 0) [[unlikely]]
      weigh_fill();
  }
  void weigh_fill();
  u32 idle_beats_of(u32 flow, Beat now) const;

  FlowIndex index_;
  FlowCensus* census_ = nullptr;
  Bills* bills_ = nullptr;
  Departures departures_;
  FlowRecord* records_;
  Beat* looks_;          // by record: when to look at it, or look_never
  u32* offsets_;         // by record
  u32* bills_of_;        // by record
  u8* standings_;        // by record
  Shares shares_;
  IdleTimes idle_;
  u32 shorten_from_ = no_flow;
  u64 shorten_inverse_ = 0;  // 2^48 over the hundredths of flows in which idle times shrink to nothing
  u32 shortened_ = 0;        // what is taken off idle times now, of 2^16
  u32 cut_longest_ = 0;      // the same of the longest, in beats
  u32 scan_ = 0;         // where the search for a victim goes on
  u32 capacity_;
  u32 fresh_ = 0;        // records from here on were never used since the last clear()
  u32 free_ = no_flow;   // the last freed record; each names the next
  u32 live_ = 0;
  u32 cursor_ = 0;       // where ageing goes on
};

inline u32 FlowTable::guess(u64 hash) const {
  const u32 flow = index_.guess(hash);
  if (flow != no_flow) __builtin_prefetch(records_ + flow, 0, 2);
  return flow;
}

inline void FlowTable::set_deadline(u32 flow, FlowRecord& record, Beat deadline) {
  const Beat before = record.deadline;
  record.deadline = deadline;
  if (__builtin_expect(!deadline_passed(before, deadline), 0)) looks_[flow] = look_at(deadline);
}

inline u32 FlowTable::find(const FlowKey& key, u64 hash, u32 hint) const {
  if (__builtin_expect(is_of(hint, key), 1)) return hint;
  return index_.find(hash, [&](u32 flow) { return same_key(records_[flow].key, key); });
}

}  // namespace weir
