// Values with units, as text: "20 Mbit/s", "150 GB", "10/min", "1d", "10%". Decimal units are powers of 1000, KiB and
// its kin of 1024. Numbers are written in decimal, with a point at most.
#pragma once
#include "control/check/keys.hpp"

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace weir::control {

enum class QuantityFault : std::uint8_t { none, no_number, no_unit, unknown_unit, too_large };

struct Quantity {
  QuantityFault fault = QuantityFault::no_number;
  double amount = 0;      // in bytes, bits a second, events a second, seconds, or parts of one
  std::string_view unit;  // as written
};

bool is_quantity(KeyType type);
Quantity parse_quantity(KeyType type, std::string_view text);
// A size in bytes or a rate in bit/s as a whole number, rounded down; exact, where `amount` has 53 bits. nullopt when
// it cannot be read or has more than 64 bits.
std::optional<std::uint64_t> whole_units(KeyType type, std::string_view text);
// "bit/s, kbit/s, ..." and the unit that help proposes.
std::string_view units_of(KeyType type);
std::string_view usual_unit(KeyType type);

}  // namespace weir::control
