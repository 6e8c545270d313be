// Which ports are cut off, since what their host itself sent was found to be what may not leave. All workers share it:
// who finds something sets a bit, everybody reads it once a burst. How many may be cut off at once is the caller's to
// say; who lets them in again is an operator.
//
// Threads: any.
#pragma once
#include "dataplane/base/bytes.hpp"

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

 private:
  std::atomic<u32> ports_{0};
};

}  // namespace weir
