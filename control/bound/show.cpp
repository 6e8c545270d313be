// Decimal units, as policies state them.
#include "control/bound/show.hpp"

#include <fmt/format.h>
#include <iterator>

namespace weir::control {
namespace {

struct Unit {
  u64 size;
  const char* name;
};
constexpr Unit byte_units[] = {{1, "B"},
                               {1'000, "kB"},
                               {1'000'000, "MB"},
                               {1'000'000'000, "GB"},
                               {1'000'000'000'000, "TB"},
                               {1'000'000'000'000'000, "PB"},
                               {1'000'000'000'000'000'000, "EB"}};
constexpr Unit time_units[] = {{1, "s"}, {60, "min"}, {3'600, "h"}, {86'400, "d"}};

// Tenths of a unit below a thousand of them, whole ones above.
std::string tenths(Bytes amount, const Unit& unit, bool up) {
  const Bytes rounding = up ? unit.size - 1 : 0;
  const Bytes tenth = (amount * 10 + rounding) / unit.size;
  if (tenth % 10 == 0) return fmt::format("{} {}", static_cast<u64>(tenth / 10), unit.name);
  return fmt::format("{}.{} {}", static_cast<u64>(tenth / 10), static_cast<u64>(tenth % 10), unit.name);
}

}  // namespace

std::string show_bytes(Bytes bytes) {
  if (bytes >= unlimited) return "unlimited";
  const Unit* unit = std::begin(byte_units);
  while (std::next(unit) != std::end(byte_units) && bytes >= std::next(unit)->size) ++unit;
  return tenths(bytes, *unit, true);
}

std::string show_time(u64 seconds) {
  const Unit* unit = std::begin(time_units);
  while (std::next(unit) != std::end(time_units) && seconds >= 2 * std::next(unit)->size) ++unit;
  return tenths(seconds, *unit, false);
}

std::string show_time(const Shortest& time) {
  if (time.never) return "never";
  return time.beyond ? "> 100 years" : show_time(time.seconds);
}

}  // namespace weir::control
