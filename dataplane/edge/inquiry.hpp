// What the door asks of workers about their own tables: the queue pairs of a job by members, what alarms count, or
// which flows there are. The door asks; each worker looks at some records between two bursts until it has seen all, and
// says so. Bounded: members beyond pairs_most of a worker are counted and not named, flows come a piece a request.
//
// Threads: one asks; each worker writes in its own seat until it has answered, then who asked reads.
#pragma once
#include "dataplane/edge/flow_rows.hpp"
#include "dataplane/flow/queue_pair.hpp"
#include "dataplane/flow/table.hpp"
#include "dataplane/rdma/rdma.hpp"

#include <algorithm>
#include <array>
#include <atomic>
#include <memory>
#include <vector>

namespace weir::edge {

// Two members of a job.
struct MemberPair {
  Address one, other;  // as FlowKey orders them
  u32 halves = 0;      // of queue pairs: directions that know of each other count one, such that are alone two
  u32 open = 0;        // of them, in directions that are open and have been used
};

class Inquiry {
 public:
  static constexpr u32 pairs_most = 4096;
  static constexpr u32 records_per_round = 2048;
  static constexpr u32 about_alarms = 0;
  static constexpr u32 about_flows = ~u32{0}, about_more_flows = ~u32{0} - 1;  // the first piece, and the next

  explicit Inquiry(u32 workers) {
    for (u32 worker = 0; worker < workers; ++worker) seats_.push_back(std::make_unique<Seat>());
  }

  // Door: about a job (1 + its index in the policy in force) or alarms; returns the request's number.
  u64 ask(u32 about) {
    about_.store(about, std::memory_order_relaxed);
    return asked_.fetch_add(1, std::memory_order_acq_rel) + 1;
  }
  bool done(u64 request) const {
    return std::ranges::all_of(seats_, [&](const auto& seat) {
      return seat->answered.load(std::memory_order_acquire) >= request;
    });
  }
  // Door, once it is done: each worker's.
  template <class Each>
  void each_pair(const Each& each) const {
    for (const auto& seat : seats_)
      for (const u16 slot : seat->taken) each(seat->slots[slot]);
  }
  template <class Each>
  void each_alarm(const Each& each) const {
    for (const auto& seat : seats_)
      for (const Alarms::Cell& cell : seat->alarms) each(cell);
  }
  // The rows of a piece; true when some worker has more.
  template <class Each>
  bool each_flow(const Each& each) const {
    bool has_more = false;
    for (const auto& seat : seats_) {
      for (door::FlowRow& row : seat->flows.rows()) each(row);
      has_more |= !seat->flows.at_end();
    }
    return has_more;
  }
  u64 unnamed() const {
    u64 sum = 0;
    for (const auto& seat : seats_) sum += seat->unnamed;
    return sum;
  }

  // Worker: it was asked something that it has not answered yet.
  bool is_awaited(u32 worker) const {
    return seats_[worker]->answered.load(std::memory_order_relaxed) != asked_.load(std::memory_order_acquire);
  }
  // Worker: a piece of what was asked.
  void attend(u32 worker, FlowTable& table, Rdma& rdma, const FlowSight& sight) {
    Seat& seat = *seats_[worker];
    const u64 asked = asked_.load(std::memory_order_acquire);
    if (seat.answered.load(std::memory_order_relaxed) == asked) [[likely]]
      return;
    const u32 about = about_.load(std::memory_order_relaxed);
    if (seat.working != asked) seat.begin(asked, about);
    if (about >= about_more_flows) {
      if (!seat.flows.copy(table, sight, worker)) return;
    } else if (about == about_alarms) {
      rdma.alarms().each(sight.now, [&](const Alarms::Cell& cell) { seat.alarms.push_back(cell); });
    } else {
      const u32 end = std::min(table.used(), seat.cursor + records_per_round);
      for (; seat.cursor < end; ++seat.cursor) seat.look(table, seat.cursor, about);
      if (seat.cursor < table.used()) return;
    }
    seat.answered.store(asked, std::memory_order_release);
  }

 private:
  static constexpr u32 slots_count = 2 * pairs_most;
  struct alignas(64) Seat {
    std::atomic<u64> answered{0};
    u64 working = 0, unnamed = 0;
    u32 cursor = 0;
    std::vector<MemberPair> slots = std::vector<MemberPair>(slots_count);
    std::vector<u16> taken;
    std::vector<Alarms::Cell> alarms;
    FlowRows flows;

    Seat() {
      taken.reserve(pairs_most);
      alarms.reserve(std::size_t{Alarms::sets} * Alarms::ways);
    }
    void begin(u64 asked, u32 about) {
      working = asked;
      if (about >= about_more_flows) return flows.begin(about == about_flows);
      cursor = 0;
      unnamed = 0;
      for (const u16 slot : taken) slots[slot] = {};
      taken.clear();
      alarms.clear();
    }
    void look(FlowTable& table, u32 flow, u32 job) {
      if (!table.is_live(flow)) return;
      FlowRecord& record = table.record(flow);
      if (record.key.flow_class() != FlowClass::rdma || record.epoch == epoch_stale) return;
      const QueuePair pair(record);
      if (pair.job() != job) return;
      MemberPair* const found = pair_of(record.key.a, record.key.b);
      if (found == nullptr) {
        ++unnamed;
        return;
      }
      found->halves += pair.has_partner() ? 1 : 2;
      found->open += pair.is_begun() && pair.state() == QueuePairState::open;
    }
    MemberPair* pair_of(const Address& one, const Address& other) {
      u64 at = fold_multiply(one.high ^ other.low, one.low ^ other.high ^ 0x9e37'79b9'7f4a'7c15) % slots_count;
      for (; slots[at].halves != 0; at = (at + 1) % slots_count)
        if (slots[at].one == one && slots[at].other == other) return &slots[at];
      if (taken.size() == pairs_most) return nullptr;
      taken.push_back(static_cast<u16>(at));
      slots[at] = {one, other, 0, 0};
      return &slots[at];
    }
  };

  std::atomic<u64> asked_{0};
  std::atomic<u32> about_{0};
  std::vector<std::unique_ptr<Seat>> seats_;
};

}  // namespace weir::edge
