// What rows of several sections of an image say alike: where a statement stands, and until when it only watches.
#pragma once
#include "control/model/model.hpp"
#include "dataplane/base/tick.hpp"
#include "dataplane/policy/image.hpp"

#include <algorithm>
#include <optional>
#include <vector>

namespace weir::control {

// The file in which a statement stands, of those that the image names; empty where it names none.
inline image::Text file_of(const std::vector<image::Text>& files, const Span& span) {
  return span.file < files.size() ? files[span.file] : image::Text{};
}

// The first tick at which a statement denies: 0 for one without `monitor`; never where no day is stated.
inline u64 monitored_until(bool monitor, const std::optional<std::int64_t>& until_s) {
  if (!monitor) return 0;
  return until_s ? static_cast<u64>(std::max<std::int64_t>(0, *until_s)) * tick_second : ~u64{0};
}

}  // namespace weir::control
