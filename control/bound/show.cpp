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

// Three digits or so: hundredths below ten, tenths below a thousand.
std::string rounded_up(Bytes amount, const Unit& unit) {
  const u64 parts = amount >= Bytes{unit.size} * 10 || unit.size == 1 ? 10 : 100;
  const u64 shown = static_cast<u64>((amount * parts + unit.size - 1) / unit.size);
  std::string text = fmt::format("{}", shown / parts);
  if (const u64 rest = shown % parts; rest > 0) {
    text += fmt::format(".{:0{}}", rest, parts == 10 ? 1 : 2);
    while (text.back() == '0') text.pop_back();
  }
  return fmt::format("{} {}", text, unit.name);
}

}  // namespace

std::string show_bytes(Bytes bytes) {
  if (bytes >= unlimited) return "unlimited";
  const Unit* unit = std::begin(byte_units);
  while (std::next(unit) != std::end(byte_units) && bytes >= std::next(unit)->size) ++unit;
  return rounded_up(bytes, *unit);
}

// Two units, the second left out when it is nothing or the first is a hundred or more.
std::string show_time(u64 seconds) {
  const Unit* unit = std::begin(time_units);
  while (std::next(unit) != std::end(time_units) && seconds >= std::next(unit)->size) ++unit;
  std::string text = fmt::format("{} {}", seconds / unit->size, unit->name);
  if (unit == std::begin(time_units) || seconds >= 100 * unit->size) return text;
  const Unit& next = *std::prev(unit);
  const u64 rest = seconds % unit->size / next.size;
  return rest == 0 ? text : fmt::format("{} {} {}", text, rest, next.name);
}

std::string show_time(const Shortest& time) {
  if (time.never) return "never";
  return time.beyond ? "> 100 years" : show_time(time.seconds);
}

}  // namespace weir::control
