#include "dataplane/inspect/reader.hpp"

#include "dataplane/base/check.hpp"

#include <algorithm>

namespace weir {

StreamReader::Step StreamReader::offer(u32 sequence, std::span<const u8> bytes, std::span<u8> history) {
  WEIR_CHECK(!history.empty());
  if (bytes.empty()) return {Answer::again, {}};
  if (static_cast<std::int32_t>(sequence - next_) > 0) return {is_complete() ? Answer::past : Answer::ahead, {}};
  const u32 size = static_cast<u32>(bytes.size()), back = next_ - sequence;
  const u32 remembered = static_cast<u32>(std::min<std::size_t>(delivered_bytes(), history.size()));
  const u32 known = std::min(back, size), unknown = back > remembered ? std::min(back - remembered, size) : 0;
  const u32 unacknowledged = next_ - acknowledged_;

  u32 uncompared = unknown;
  if (known > unknown &&
      !equals(bytes.subspan(unknown, known - unknown), delivered_bytes() - (back - unknown), history)) {
    const bool keeps_alive = size == 1 && back == 1 && unacknowledged == 0;
    if (!keeps_alive) return {Answer::differs, {}};
    uncompared = 1;
  }
  if (uncompared > window_bytes_ - old_bytes_) return {Answer::forgotten, {}};

  const auto fresh = bytes.subspan(known, std::min(size - known, window_bytes_ - delivered_bytes()));
  if (fresh.size() + unacknowledged > history.size() && !fresh.empty()) return {Answer::waits, {}};
  old_bytes_ += uncompared;
  if (fresh.empty()) return {size > known ? Answer::past : uncompared != 0 ? Answer::old : Answer::again, {}};
  remember(fresh, history);
  return {Answer::fresh, fresh};
}

void StreamReader::acknowledge(u32 number) {
  const u32 unacknowledged = next_ - acknowledged_;
  if (static_cast<std::int32_t>(number - acknowledged_) <= 0) return;
  if (number - acknowledged_ <= unacknowledged) acknowledged_ = number;
  // After the window, numbers of bytes that were not read are good; before, nobody can have what has not come by.
  else if (is_complete()) acknowledged_ = next_;
}

std::span<const u8> StreamReader::so_far(std::span<const u8> history) const {
  WEIR_CHECK(history.size() >= delivered_bytes());
  return history.first(delivered_bytes());
}

// Whether `bytes` stand in the history at `offset` from the beginning of the stream.
bool StreamReader::equals(std::span<const u8> bytes, u32 offset, std::span<const u8> history) const {
  const std::size_t at = offset % history.size(), first = std::min(bytes.size(), history.size() - at);
  return std::memcmp(bytes.data(), history.data() + at, first) == 0 &&
         std::memcmp(bytes.data() + first, history.data(), bytes.size() - first) == 0;
}

void StreamReader::remember(std::span<const u8> bytes, std::span<u8> history) {
  const std::size_t at = delivered_bytes() % history.size(), first = std::min(bytes.size(), history.size() - at);
  std::memcpy(history.data() + at, bytes.data(), first);
  std::memcpy(history.data(), bytes.data() + first, bytes.size() - first);
  next_ += static_cast<u32>(bytes.size());
}

}  // namespace weir
