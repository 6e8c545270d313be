// Watches a rule file and all that it reads: when nothing has moved for a settle time the policy is read, and where it
// differs it is applied, on trial or for good, or staged. A bad edit changes nothing and is told. Under lockdown, and
// where changes are signed, it only stages.
//
// Threads: inotify on the loop; what takes time on the slow clerk.
#pragma once
#include "control/serve/options.hpp"
#include "control/serve/publish_routes.hpp"

#include <chrono>
#include <set>

namespace weir::control {

class Watch {
 public:
  Watch(Server& server, Publisher& publisher, WatchReport& report, const ServeOptions& options);
  ~Watch();
  Watch(const Watch&) = delete;

 private:
  using Clock = std::chrono::steady_clock;
  void heard();
  void tick();
  void look();            // on the slow clerk
  void follow(const std::set<std::string>& folders);
  std::set<std::string> folders_of(const Bundle& bundle) const;

  Server& server_;
  Publisher& publisher_;
  WatchReport& report_;
  const ServeOptions options_;
  const std::string directory_;
  int inotify_;
  std::set<std::string> followed_;
  std::optional<Clock::time_point> moved_at_;
  bool is_looking_ = false;
  std::string last_, said_;  // digest of what was last looked at, and why it was not taken; slow clerk
};

}  // namespace weir::control
