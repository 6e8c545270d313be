// What a worker remembers to let queue pairs open: conversations of connection managers, lessons, who may not READ
// for a while, how often hosts ask and notify, and what is told of them. Touched only where a queue pair opens or
// closes, by READ requests, refusals and congestion notices, and by packets of jobs that are watched; the queue pairs
// themselves are flows.
//
// What is counted is this worker's part of the traffic. All RDMA of two hosts is one worker's.
// Threads: one, the pipeline's. Memory: lent, zeroed, 64-byte aligned.
#pragma once
#include "dataplane/budget/rate_table.hpp"
#include "dataplane/rdma/alarms.hpp"
#include "dataplane/rdma/conversations.hpp"
#include "dataplane/rdma/handshakes.hpp"
#include "dataplane/rdma/job_watch.hpp"
#include "dataplane/rdma/lessons.hpp"
#include "dataplane/rdma/read_penalties.hpp"
#include "dataplane/rdma/unpaired.hpp"

namespace weir {

class Rdma {
 public:
  static constexpr u32 rate_sets = 1 << 12;  // 16,384 hosts
  static constexpr std::size_t rates_bytes = rate_sets * sizeof(RateTable::Set);
  static constexpr std::size_t bytes_needed = 2 * rates_bytes + Conversations::bytes_needed + Lessons::bytes_needed +
                                              ReadPenalties::bytes_needed + Unpaired::bytes_needed +
                                              Handshakes::bytes_needed + Alarms::bytes_needed +
                                              JobWatch::bytes_needed;

  // `secret` is the pipeline's.
  Rdma(std::span<std::byte> memory, const HashKey& secret) : Rdma(Cut{memory}, secret) {}
  Rdma(const Rdma&) = delete;

  // Whether a host, by a keyed hash of its address, may ask for one more connection now, or notify of congestion.
  bool may_ask(u64 host, Tick now, const Rate& rate) { return takes(asks_, host, now, rate); }
  bool may_notify(u64 host, Tick now, const Rate& rate) { return takes(notices_, host, now, rate); }

  Conversations& conversations() { return conversations_; }
  Lessons& lessons() { return lessons_; }
  ReadPenalties& penalties() { return penalties_; }
  Unpaired& unpaired() { return unpaired_; }
  Handshakes& handshakes() { return handshakes_; }
  Alarms& alarms() { return alarms_; }
  JobWatch& watch() { return watch_; }

 private:
  struct Cut {
    std::span<std::byte> rest;
    std::span<std::byte> next(std::size_t bytes) {
      WEIR_CHECK(rest.size() >= bytes);
      const auto piece = rest.first(bytes);
      rest = rest.subspan(bytes);
      return piece;
    }
    std::span<RateTable::Set> rates() {
      return {reinterpret_cast<RateTable::Set*>(next(rates_bytes).data()), rate_sets};
    }
  };
  Rdma(Cut memory, const HashKey& secret)
      : alarms_(memory.next(Alarms::bytes_needed), secret),
        watch_(memory.next(JobWatch::bytes_needed), secret),
        asks_(memory.rates()),
        notices_(memory.rates()),
        conversations_(memory.next(Conversations::bytes_needed), secret),
        lessons_(memory.next(Lessons::bytes_needed), secret),
        penalties_(memory.next(ReadPenalties::bytes_needed)),
        unpaired_(memory.next(Unpaired::bytes_needed), secret),
        handshakes_(memory.next(Handshakes::bytes_needed)) {}

  static bool takes(RateTable& table, u64 host, Tick now, const Rate& rate) {
    return !rate.limits() || table.take(host, rate_time(now), rate);
  }

  Alarms alarms_;
  JobWatch watch_;
  RateTable asks_, notices_;
  Conversations conversations_;
  Lessons lessons_;
  ReadPenalties penalties_;
  Unpaired unpaired_;
  Handshakes handshakes_;
};

}  // namespace weir
