#include "dataplane/edge/supervisor.hpp"

#include <systemd/sd-daemon.h>

namespace weir::edge {
namespace {

std::chrono::microseconds asked_patience() {
  std::uint64_t patience_us = 0;
  return sd_watchdog_enabled(0, &patience_us) > 0 ? std::chrono::microseconds(patience_us)
                                                  : std::chrono::microseconds(0);
}

}  // namespace

Supervisor::Supervisor(const StatsSegment& stats)
    : stats_(stats), patience_(asked_patience()), seen_(stats.workers()) {}

void Supervisor::attend() {
  const Time now = std::chrono::steady_clock::now();
  if (now < next_) return;
  next_ = now + (is_ready_ && patience_.count() != 0 ? patience_ / 4 : std::chrono::microseconds(100'000));
  if (is_ready_ && patience_.count() == 0) return;
  if (!all_went_on()) return;
  if (!is_ready_) {
    sd_notify(0, "READY=1");
    is_ready_ = true;
  }
  if (patience_.count() != 0) sd_notify(0, "WATCHDOG=1");
}

// Since they were looked at last. A worker without frames beats as well.
bool Supervisor::all_went_on() {
  bool all = true;
  for (u32 worker = 0; worker < seen_.size(); ++worker) {
    const u64 beat = stats_.counters(worker).heartbeat.read();
    all = all && beat != seen_[worker];
    seen_[worker] = beat;
  }
  return all;
}

}  // namespace weir::edge
