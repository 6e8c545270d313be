// Which ports are cut off, by hand or since what their host itself sent was found to be what may not leave; and which
// hosts and flows. All workers share it: who finds something sets a bit, everybody reads it once a burst. How many may
// be cut off at once is the caller's to say; who lets anybody in again is an operator.
//
// Threads: any; of the list as it says.
#pragma once
#include "dataplane/base/bytes.hpp"
#include "dataplane/inspect/quarantine_list.hpp"

#include <atomic>
#include <bit>

namespace weir {

class Quarantine {
 public:
  // Bit p: port index p is cut off; nothing comes in by it, and nothing leaves by it.
  u32 ports() const { return ports_.load(std::memory_order_relaxed); }

  // False where that would be more than `most`; it is not cut off then, unless it was.
  bool cut_off(u32 port, u32 most) {
    const u32 bit = u32{1} << port;
    for (u32 now = ports();;) {
      if ((now & bit) != 0) return true;
      if (static_cast<u32>(std::popcount(now)) >= most) return false;
      if (ports_.compare_exchange_weak(now, now | bit, std::memory_order_relaxed)) return true;
    }
  }
  // False where it was not cut off.
  bool release(u32 port) {
    const u32 bit = u32{1} << port;
    return (ports_.fetch_and(~bit, std::memory_order_relaxed) & bit) != 0;
  }

  // Hosts and flows that an operator has put here.
  QuarantineList& list() { return list_; }
  const QuarantineList& list() const { return list_; }

 private:
  std::atomic<u32> ports_{0};
  QuarantineList list_;
};

}  // namespace weir
