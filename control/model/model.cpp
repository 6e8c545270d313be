// Where a span stands in its file, and how many hosts a segment can have.
#include "control/model/model.hpp"

#include <algorithm>

namespace weir::control {

std::uint32_t Model::line_of(const Span& span) const {
  if (span.file >= line_starts.size()) return 1;
  const auto& starts = line_starts[span.file];
  const auto after = std::upper_bound(starts.begin(), starts.end(), span.begin);
  return after == starts.begin() ? 1 : static_cast<std::uint32_t>(after - starts.begin());
}

bool Model::opens_rdma() const {
  return std::ranges::any_of(
      statements, [](const Statement& one) { return !one.is_forbid && !one.services.rdma.empty(); });
}

std::uint32_t most_hosts(const Segment& segment) {
  // What has addresses is known by them on every port that nobody is attached to.
  if (segment.hosts != 0 || segment.attach.empty() || segment.has_addresses) return segment.hosts;
  const bool exact = std::ranges::none_of(segment.attach, [](const std::string& one) { return one.ends_with('*'); });
  return exact ? static_cast<std::uint32_t>(segment.attach.size()) : attached_ports_max;
}

}  // namespace weir::control
