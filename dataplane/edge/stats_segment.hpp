// The counters and event rings of all workers, in one mapping: a file that others map, or memory of this process. It
// is laid out once, before any worker runs.
#pragma once
#include "dataplane/edge/memory.hpp"
#include "dataplane/share/events.hpp"
#include "dataplane/share/stats.hpp"

#include <string>
#include <vector>

namespace weir::edge {

// Microseconds since 1970.
u64 wall_us();

class StatsSegment {
 public:
  // `path` empty: no file.
  static std::expected<StatsSegment, Error> make(const std::string& path, u32 workers,
                                                 const std::vector<std::string>& port_names);

  StatsHeader& header() const { return *header_; }
  WorkerCounters& counters(u32 worker) const { return counters_[worker]; }
  EventRing& events(u32 worker) const { return events_[worker]; }
  // Rows for the hits of the largest policy; empty where there is no file.
  std::span<RuleHits> bank(u32 bank) const {
    return bank_rows_ == 0 ? std::span<RuleHits>{} : std::span(banks_ + bank * bank_rows_, bank_rows_);
  }
  u32 workers() const { return header_->workers; }

  // The ports whose link is down, by name, with a comma between.
  std::string links_down() const;

  // Sums over all workers, for people: a line per reason that was met.
  std::string summary() const;

 private:
  Mapping memory_;
  StatsHeader* header_ = nullptr;
  WorkerCounters* counters_ = nullptr;
  EventRing* events_ = nullptr;
  RuleHits* banks_ = nullptr;
  u64 bank_rows_ = 0;
};

}  // namespace weir::edge
