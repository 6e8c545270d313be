// Hosts and flows that an operator puts into quarantine and lets go, as the door asks for it: rows are read from and
// written to files of the caller's, which must be regular ones so that none can make the door wait.
//
// Threads: the door's.
#pragma once
#include "dataplane/edge/install.hpp"
#include "dataplane/edge/stats_segment.hpp"
#include "dataplane/inspect/quarantine.hpp"
#include "dataplane/share/quarantine_rows.hpp"

#include <expected>
#include <string>
#include <vector>

namespace weir::edge {

// Held by a row, or why nothing is.
std::expected<Held, Refusal> held_of(const door::QuarantineRow& row, Tick now);
std::vector<door::QuarantineRow> rows_of(const QuarantineList& list, Tick now);

class QuarantineDesk {
 public:
  QuarantineDesk(Quarantine& quarantine, const StatsSegment& stats) : quarantine_(quarantine), stats_(stats) {}

  std::expected<void, Refusal> put(int file);
  std::expected<void, Refusal> let_go(int file);
  // How many rows it wrote.
  std::expected<u32, Refusal> write_rows(int file) const;

  // "2 hosts, 1 flow", or empty.
  std::string summary() const;

 private:
  Tick now() const;

  Quarantine& quarantine_;
  const StatsSegment& stats_;
};

}  // namespace weir::edge
