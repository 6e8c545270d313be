// What the door asks of every worker besides a new policy: to forget its flows. The door rings; each worker does it
// between two bursts and says so. Nobody waits inside a burst.
//
// Threads: the door rings and looks, each worker answers in its own line.
#pragma once
#include "dataplane/base/limits.hpp"

#include <array>
#include <atomic>

namespace weir::edge {

class FlushBell {
 public:
  // Door: asks; returns the number of the request.
  u64 ring() { return asked_.fetch_add(1, std::memory_order_acq_rel) + 1; }
  bool done(u32 workers, u64 request) const {
    for (u32 worker = 0; worker < workers; ++worker)
      if (answered_[worker].request.load(std::memory_order_acquire) < request) return false;
    return true;
  }

  // Worker: the request it has not carried out, or 0.
  u64 heard(u32 worker) const {
    const u64 asked = asked_.load(std::memory_order_acquire);
    return asked == answered_[worker].request.load(std::memory_order_relaxed) ? 0 : asked;
  }
  void answer(u32 worker, u64 request) { answered_[worker].request.store(request, std::memory_order_release); }

 private:
  struct alignas(64) Answered {
    std::atomic<u64> request{0};
  };
  alignas(64) std::atomic<u64> asked_{0};
  std::array<Answered, workers_max> answered_;
};

}  // namespace weir::edge
