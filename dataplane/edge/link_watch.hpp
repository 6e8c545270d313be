// Whether the ports' links are up: asked a few times a second beside the workers, told in the stats segment, and said
// once for each change. It stops nothing: a port whose link is down takes no frame and brings none.
//
// Threads: one of its own.
#pragma once
#include "dataplane/edge/launch.hpp"
#include "dataplane/edge/ports.hpp"
#include "dataplane/edge/stats_segment.hpp"

#include <stop_token>
#include <thread>
#include <vector>

namespace weir::edge {

class LinkWatch {
 public:
  // Of ports that have been started; looks until it is destroyed.
  LinkWatch(const Ports& ports, const StatsSegment& stats, const OrdinaryCores& ordinary);
  LinkWatch(const LinkWatch&) = delete;

 private:
  struct Link {
    u16 id, index;
    std::string name, interface;  // of the kernel, where it has one: there a port's own word says nothing
    bool is_up = true;
  };
  void run(const std::stop_token& stop);
  void look();

  const StatsSegment& stats_;
  std::vector<Link> links_;
  std::jthread thread_;
};

}  // namespace weir::edge
