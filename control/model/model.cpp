// Where a span stands in its file.
#include "control/model/model.hpp"

#include <algorithm>

namespace weir::control {

std::uint32_t Model::line_of(const Span& span) const {
  if (span.file >= line_starts.size()) return 1;
  const auto& starts = line_starts[span.file];
  const auto after = std::upper_bound(starts.begin(), starts.end(), span.begin);
  return after == starts.begin() ? 1 : static_cast<std::uint32_t>(after - starts.begin());
}

}  // namespace weir::control
