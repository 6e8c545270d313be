// What people ask about policy: plan, apply, confirm, roll back, lock down, history. The publisher decides; here is
// JSON taken apart, and answers given.
#pragma once
#include "control/publish/publisher.hpp"
#include "control/serve/server.hpp"

#include <atomic>

namespace weir::control {

// What the watcher of the rule directory tells of itself; set by it, read by any.
class WatchReport {
 public:
  void set(nlohmann::ordered_json report) {
    const std::lock_guard lock(mutex_);
    report_ = std::move(report);
  }
  nlohmann::ordered_json get() const {
    const std::lock_guard lock(mutex_);
    return report_;
  }

 private:
  mutable std::mutex mutex_;
  nlohmann::ordered_json report_ = nullptr;
};

// `events` is what status tells of the event log.
void add_publish_routes(Server& server, Publisher& publisher, const WatchReport& watch,
                        std::function<nlohmann::ordered_json()> events);

}  // namespace weir::control
