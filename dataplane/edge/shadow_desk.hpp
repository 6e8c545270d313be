// The shadow as the door has it: put beside the policy in force, told of, and ended. What was counted is told since the
// shadow began; the counters themselves never go back.
//
// Threads: the door's.
#pragma once
#include "dataplane/edge/install.hpp"
#include "dataplane/edge/stats_segment.hpp"

#include <chrono>
#include <span>
#include <string>

namespace weir::edge {

class ShadowDesk {
 public:
  ShadowDesk(Installer& installer, const StatsSegment& stats) : installer_(installer), stats_(stats) {}

  // The image that came by one descriptor. A warning, or empty; what is refused changes nothing.
  std::expected<std::string, Refusal> put(std::span<const int> descriptors);
  std::expected<void, Refusal> end();

  // What an answer tells of it.
  void describe(door::Answer& answer) const;

 private:
  struct Counts {
    u64 compared = 0, would_pass = 0, would_deny = 0, untold = 0;
  };
  Counts counts() const;

  Installer& installer_;
  const StatsSegment& stats_;
  Counts before_;  // when it began
  std::chrono::steady_clock::time_point began_;
};

}  // namespace weir::edge
