// Numbers to the words that rule files have for them, and segments to their counterparts.
#include "control/diff/spoken.hpp"

#include "dataplane/base/rate.hpp"

#include <fmt/chrono.h>
#include <fmt/format.h>
#include <algorithm>

namespace weir::control {

std::string spoken_day(std::int64_t until_s) {
  return fmt::format("{:%Y-%m-%d}", fmt::gmtime(static_cast<std::time_t>(until_s - 1)));
}

std::string spoken_rate(std::uint64_t bits_per_s) {
  if (bits_per_s % 1'000'000'000 == 0) return fmt::format("{} Gbit/s", bits_per_s / 1'000'000'000);
  if (bits_per_s % 1'000'000 == 0) return fmt::format("{} Mbit/s", bits_per_s / 1'000'000);
  return bits_per_s % 1000 == 0 ? fmt::format("{} kbit/s", bits_per_s / 1000) : fmt::format("{} bit/s", bits_per_s);
}

std::string spoken(const Frequency& frequency) {
  if (frequency.interval == 0) return "none";
  const double per_second = static_cast<double>(rate_units_per_second) / static_cast<double>(frequency.interval);
  std::string often = fmt::format("{:.4g}/d", per_second * 86'400);
  if (per_second * 3600 >= 1) often = fmt::format("{:.4g}/h", per_second * 3600);
  if (per_second * 60 >= 1) often = fmt::format("{:.4g}/min", per_second * 60);
  if (per_second >= 1) often = fmt::format("{:.4g}/s", per_second);
  return fmt::format("{}, {} at once", often, frequency.tolerance / frequency.interval + 1);
}

namespace {

template <class Range>
bool equal(const std::vector<Range>& a, const std::vector<Range>& b) {
  return std::ranges::equal(a, b,
                            [](const Range& x, const Range& y) { return x.first == y.first && x.last == y.last; });
}

bool is_renamed(const Segment& a, const Segment& b) {
  return a.has_addresses == b.has_addresses && a.attach == b.attach && a.vnis == b.vnis &&
         equal(a.addresses.ipv4, b.addresses.ipv4) && equal(a.addresses.ipv6, b.addresses.ipv6);
}

}  // namespace

const Segment* counterpart(const Segment& segment, const Model& other) {
  const auto named = std::ranges::find(other.segments, segment.name, &Segment::name);
  if (named != other.segments.end()) return &*named;
  const Segment* like = nullptr;
  for (const Segment& one : other.segments) {
    if (!is_renamed(one, segment)) continue;
    like = &one;
    if (one.reserve == segment.reserve && one.security_class == segment.security_class) break;
  }
  return like;
}

}  // namespace weir::control
