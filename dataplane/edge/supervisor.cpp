#include "dataplane/edge/supervisor.hpp"

#include <systemd/sd-daemon.h>

#include <condition_variable>
#include <cstdlib>
#include <mutex>

namespace weir::edge {
namespace {

using std::chrono::microseconds;

constexpr microseconds until_ready{100'000};

microseconds asked_patience() {
  std::uint64_t patience_us = 0;
  return microseconds(sd_watchdog_enabled(0, &patience_us) > 0 ? patience_us : 0);
}

}  // namespace

Supervisor::Supervisor(const StatsSegment& stats, const OrdinaryCores& ordinary)
    : stats_(stats), patience_(asked_patience()), seen_(stats.workers()) {
  if (std::getenv("NOTIFY_SOCKET") == nullptr) return;
  thread_ = std::jthread([this, ordinary](const std::stop_token& stop) { ordinary.enter(), tell(stop); });
}

void Supervisor::tell(const std::stop_token& stop) {
  std::mutex mutex;
  std::condition_variable_any bell;
  std::unique_lock lock(mutex);
  for (bool is_ready = false; !stop.stop_requested();) {
    if (all_went_on()) {
      if (!is_ready) sd_notify(0, "READY=1");
      is_ready = true;
      if (patience_.count() == 0) return;
      sd_notify(0, "WATCHDOG=1");
    }
    bell.wait_for(lock, stop, is_ready ? patience_ / 4 : until_ready, [] { return false; });
  }
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
