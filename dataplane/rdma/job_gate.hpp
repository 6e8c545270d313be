// Whether a job still learns queue pairs: its start-up window begins with the first one and ends by time, or when an
// operator says so. One gate for each job, shared by all workers, and kept over policy changes by whoever lends it.
//
// Threads: any; each call is one or two atomic operations, and only where a queue pair opens.
#pragma once
#include "dataplane/base/tick.hpp"

#include <atomic>

namespace weir {

class JobGate {
 public:
  // Whether a queue pair may open now. The first one begins the window of `seal_after` (0: it never ends by time).
  bool lets_open(Tick now, Tick seal_after) {
    Tick began = began_.load(std::memory_order_acquire);
    if (began == sealed) return false;
    if (began == untouched) {
      if (began_.compare_exchange_strong(began, now + first_tick, std::memory_order_acq_rel)) return true;
      if (began == sealed) return false;
    }
    return seal_after == 0 || now + first_tick < began + seal_after;
  }
  // Whether the window is over at `now`.
  bool is_sealed(Tick now, Tick seal_after) const {
    const Tick began = began_.load(std::memory_order_acquire);
    return began == sealed || (began != untouched && seal_after != 0 && now + first_tick >= began + seal_after);
  }
  // When its window began, and 0 where it has not, or where an operator has sealed it since.
  Tick began() const {
    const Tick began = began_.load(std::memory_order_acquire);
    return began == sealed || began == untouched ? 0 : began - first_tick;
  }
  // Operators': no more queue pairs; or a new window, from the next queue pair on.
  void seal() { began_.store(sealed, std::memory_order_release); }
  void open() { began_.store(untouched, std::memory_order_release); }

 private:
  static constexpr Tick untouched = 0, sealed = ~Tick{0}, first_tick = 1;
  std::atomic<Tick> began_{untouched};  // one past the tick
};

}  // namespace weir
