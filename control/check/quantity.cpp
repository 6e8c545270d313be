// One row per unit; the number is read by from_chars, so that no locale changes what a policy means.
#include "control/check/quantity.hpp"

#include <algorithm>
#include <charconv>
#include <cmath>

namespace weir::control {
namespace {

struct Unit {
  KeyType type;
  std::string_view name;
  double scale;
};

constexpr Unit units[] = {
    {KeyType::size, "B", 1},
    {KeyType::size, "kB", 1e3},
    {KeyType::size, "MB", 1e6},
    {KeyType::size, "GB", 1e9},
    {KeyType::size, "TB", 1e12},
    {KeyType::size, "PB", 1e15},
    {KeyType::size, "KiB", 1024},
    {KeyType::size, "MiB", 1048576},
    {KeyType::size, "GiB", 1073741824},
    {KeyType::size, "TiB", 1099511627776},
    {KeyType::rate, "bit/s", 1},
    {KeyType::rate, "kbit/s", 1e3},
    {KeyType::rate, "Mbit/s", 1e6},
    {KeyType::rate, "Gbit/s", 1e9},
    {KeyType::rate, "Tbit/s", 1e12},
    {KeyType::rate, "B/s", 8},
    {KeyType::rate, "kB/s", 8e3},
    {KeyType::rate, "MB/s", 8e6},
    {KeyType::rate, "GB/s", 8e9},
    {KeyType::frequency, "/s", 1},
    {KeyType::frequency, "/min", 1.0 / 60},
    {KeyType::frequency, "/h", 1.0 / 3600},
    {KeyType::frequency, "/d", 1.0 / 86400},
    {KeyType::duration, "ms", 1e-3},
    {KeyType::duration, "s", 1},
    {KeyType::duration, "min", 60},
    {KeyType::duration, "h", 3600},
    {KeyType::duration, "d", 86400},
    {KeyType::percent, "%", 0.01},
};

KeyType family(KeyType type) { return type == KeyType::at_least ? KeyType::duration : type; }

}  // namespace

bool is_quantity(KeyType type) {
  return type == KeyType::size || type == KeyType::rate || type == KeyType::frequency || type == KeyType::duration ||
         type == KeyType::at_least || type == KeyType::percent;
}

Quantity parse_quantity(KeyType type, std::string_view text) {
  Quantity made;
  double number = 0;
  const auto [end, fault] = std::from_chars(text.data(), text.data() + text.size(), number, std::chars_format::fixed);
  if (fault == std::errc::invalid_argument || text.empty() || !std::isfinite(number) || number < 0) return made;
  if (fault != std::errc{}) {
    made.fault = QuantityFault::too_large;
    return made;
  }
  std::string_view rest(end, static_cast<std::size_t>(text.data() + text.size() - end));
  if (rest.starts_with(' ')) rest.remove_prefix(1);
  made.unit = rest;
  made.fault = rest.empty() ? QuantityFault::no_unit : QuantityFault::unknown_unit;
  for (const Unit& unit : units) {
    if (unit.type != family(type) || unit.name != rest) continue;
    made.amount = number * unit.scale;
    made.fault = made.amount > 9e18 ? QuantityFault::too_large : QuantityFault::none;
  }
  return made;
}

std::optional<std::uint64_t> whole_units(KeyType type, std::string_view text) {
  __extension__ using Wide = unsigned __int128;
  const Quantity quantity = parse_quantity(type, text);
  if (quantity.fault != QuantityFault::none) return std::nullopt;
  const auto unit = std::ranges::find_if(
      units, [&](const Unit& one) { return one.type == family(type) && one.name == quantity.unit; });
  const auto scale = static_cast<std::uint64_t>(unit->scale);
  // Digits as a whole number over a power of ten. More than 18 of them say nothing that a size can hold.
  Wide digits = 0, divisor = 1;
  bool behind_point = false;
  for (std::size_t at = 0, count = 0; at < text.size() && (text[at] == '.' || (text[at] >= '0' && text[at] <= '9'));
       ++at) {
    if (text[at] == '.') {
      behind_point = true;
      continue;
    }
    if (behind_point && count >= 18) continue;
    if (++count > 20) return std::nullopt;
    digits = digits * 10 + static_cast<unsigned>(text[at] - '0');
    if (behind_point) divisor *= 10;
  }
  const Wide whole = digits * scale / divisor;
  if (whole > ~std::uint64_t{0}) return std::nullopt;
  return static_cast<std::uint64_t>(whole);
}

std::string_view units_of(KeyType type) {
  switch (family(type)) {
    case KeyType::size: return "B, kB, MB, GB, TB, PB, KiB, MiB, GiB, TiB";
    case KeyType::rate: return "bit/s, kbit/s, Mbit/s, Gbit/s, Tbit/s, B/s, kB/s, MB/s, GB/s";
    case KeyType::frequency: return "/s, /min, /h, /d";
    case KeyType::duration: return "ms, s, min, h, d";
    default: return "%";
  }
}

std::string_view usual_unit(KeyType type) {
  switch (family(type)) {
    case KeyType::size: return " GB";
    case KeyType::rate: return " Mbit/s";
    case KeyType::frequency: return "/min";
    case KeyType::duration: return "d";
    default: return "%";
  }
}

}  // namespace weir::control
