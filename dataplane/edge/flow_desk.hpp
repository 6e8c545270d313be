// What the door tells of flows: it asks the workers piece by piece and writes rows into a file that the caller sent,
// and the image of the policy in force or of its shadow, by which numbers have names. Bounded by door::flow_rows_max.
//
// Threads: the door's alone.
#pragma once
#include "dataplane/edge/inquiry.hpp"
#include "dataplane/edge/install.hpp"

namespace weir::edge {

class FlowDesk {
 public:
  FlowDesk(Inquiry& inquiry, const Installer& installer, const StatsSegment& stats, std::vector<std::string> port_names)
      : inquiry_(inquiry), installer_(installer), stats_(stats), port_names_(std::move(port_names)) {}

  struct Told {
    u32 rows;
    u64 not_shown;
  };
  // `file` is a regular file of the caller's; it is written from its beginning.
  std::expected<Told, Refusal> write_flows(int file);
  std::expected<void, Refusal> write_image(int file) const;
  // Likewise, of the shadow.
  std::expected<void, Refusal> write_shadow_image(int file) const;

 private:
  std::expected<void, Refusal> ask(u32 about);

  Inquiry& inquiry_;
  const Installer& installer_;
  const StatsSegment& stats_;
  const std::vector<std::string> port_names_;
};

}  // namespace weir::edge
