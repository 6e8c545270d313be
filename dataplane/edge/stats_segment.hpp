// The counters and event rings of all workers, in one mapping: a file that others map, or memory of this process. It
// is laid out once, before any worker runs.
#pragma once
#include "dataplane/edge/memory.hpp"
#include "dataplane/share/events.hpp"
#include "dataplane/share/stats.hpp"

#include <string>
#include <vector>

namespace weir::edge {

class StatsSegment {
 public:
  // `path` empty: no file.
  static std::expected<StatsSegment, Error> make(const std::string& path, u32 workers,
                                                 const std::vector<std::string>& port_names);

  StatsHeader& header() const { return *header_; }
  WorkerCounters& counters(u32 worker) const { return counters_[worker]; }
  EventRing& events(u32 worker) const { return events_[worker]; }
  u32 workers() const { return header_->workers; }

  // Sums over all workers, for people: a line per reason that was met.
  std::string summary() const;

 private:
  Mapping memory_;
  StatsHeader* header_ = nullptr;
  WorkerCounters* counters_ = nullptr;
  EventRing* events_ = nullptr;
};

}  // namespace weir::edge
