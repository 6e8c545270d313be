// A value out of bounds is told, and what was there stays.
#include "control/check/reading.hpp"

#include "dataplane/base/rate.hpp"

#include <fmt/format.h>
#include <algorithm>
#include <cmath>
#include <limits>

namespace weir::control {
namespace {

constexpr std::uint32_t count_max = std::numeric_limits<std::uint32_t>::max();
constexpr double per_second_max = 1e6;

Quantity quantity_of(const Node* node, KeyType type) {
  if (node == nullptr || node->kind != NodeKind::string) return {};
  return parse_quantity(type, node->text);
}

}  // namespace

const Node* value_of(const Node& table, std::string_view key) {
  const Entry* entry = table.find(key);
  return entry == nullptr ? nullptr : &entry->value;
}

std::string text_of(const Node& table, std::string_view key) {
  const Node* value = value_of(table, key);
  return value != nullptr && value->kind == NodeKind::string ? value->text : "";
}

bool says_nothing(const Node& table, std::string_view key) {
  const Node* const value = value_of(table, key);
  return value == nullptr ||
         (value->kind == NodeKind::string && value->text.find_first_not_of(" \t\r\n") == std::string::npos);
}

std::string spoken_ms(std::uint64_t ms) {
  if (ms != 0 && ms % 86'400'000 == 0) return fmt::format("{}d", ms / 86'400'000);
  if (ms != 0 && ms % 3'600'000 == 0) return fmt::format("{}h", ms / 3'600'000);
  if (ms != 0 && ms % 60'000 == 0) return fmt::format("{}min", ms / 60'000);
  return ms % 1000 == 0 ? fmt::format("{}s", ms / 1000) : fmt::format("{}ms", ms);
}

void Reading::flag(std::string_view key, bool& value) const {
  const Node* node = value_of(table_, key);
  if (node != nullptr && node->kind == NodeKind::boolean) value = node->integer != 0;
}

bool Reading::says(std::string_view key, std::string_view word) const { return text_of(table_, key) == word; }

void Reading::count(std::string_view key, std::uint32_t& value, std::uint32_t least, std::uint32_t most) const {
  const Node* node = value_of(table_, key);
  if (node == nullptr || node->kind != NodeKind::integer || node->integer < 0) return;
  const auto stated = static_cast<std::uint64_t>(node->integer);
  if (stated < least || stated > most) return out_of_bounds(key, *node, fmt::format("{} to {}", least, most));
  value = static_cast<std::uint32_t>(stated);
}

bool Reading::time_ms(std::string_view key, std::uint32_t& value, std::uint32_t least, std::uint32_t most) const {
  const Node* node = value_of(table_, key);
  const Quantity quantity = quantity_of(node, KeyType::duration);
  if (quantity.fault != QuantityFault::none) return false;
  const double ms = std::round(quantity.amount * 1000);
  if (ms < least || ms > most) {
    out_of_bounds(key, *node, fmt::format("{} to {}", spoken_ms(least), spoken_ms(most)));
    return false;
  }
  value = static_cast<std::uint32_t>(ms);
  return true;
}

void Reading::rate(std::string_view key, Frequency& value) const {
  const Node* node = value_of(table_, key);
  const Entry* burst = table_.find(fmt::format("{}_burst", key));
  const Quantity quantity = quantity_of(node, KeyType::frequency);
  if (node == nullptr && burst != nullptr)
    out_.add("E0413", burst->key_span, fmt::format("`{}` without `{}`", burst->key, key), "a burst of nothing")
        .helped(fmt::format("add {} = \"1000/s\"", key));
  if (quantity.fault != QuantityFault::none) return;
  if (quantity.amount > per_second_max || quantity.amount * 86'400 < 1)
    return out_of_bounds(key, *node, fmt::format("1/d to {}/s", static_cast<int>(per_second_max)));
  // A hair above a whole number of units is that number: "1/d" must not become more than a day.
  const double units = static_cast<double>(rate_units_per_second) / quantity.amount;
  const auto interval =
      std::min(static_cast<std::uint64_t>(std::ceil(units * (1 - 1e-12))), std::uint64_t{rate_interval_max});
  const std::uint64_t most = std::min<std::uint64_t>(rate_tolerance_max / interval + 1, count_max);
  auto times = static_cast<std::uint32_t>(std::max(1.0, std::ceil(quantity.amount)));
  if (burst != nullptr) count(burst->key, times, 1, static_cast<std::uint32_t>(most));
  value = {interval, (times - 1) * interval};
}

bool Reading::amount(std::string_view key, KeyType type, std::uint64_t& value, std::uint64_t most) const {
  const Node* node = value_of(table_, key);
  if (quantity_of(node, type).fault != QuantityFault::none) return false;
  const auto whole = whole_units(type, node->text);
  if (!whole || *whole == 0 || *whole > most) {
    out_of_bounds(key, *node, fmt::format("1 to {} {}", most, type == KeyType::rate ? "bit/s" : "bytes"));
    return false;
  }
  value = *whole;
  return true;
}

bool Reading::share(std::string_view key, std::uint32_t& value) const {
  const Node* node = value_of(table_, key);
  const Quantity quantity = quantity_of(node, KeyType::percent);
  if (quantity.fault != QuantityFault::none) return false;
  const double parts = std::round(quantity.amount * 10'000);
  if (parts < 1 || parts > 10'000) {
    out_of_bounds(key, *node, "0.01% to 100%");
    return false;
  }
  value = static_cast<std::uint32_t>(parts);
  return true;
}

bool Reading::thousandths(std::string_view key, std::uint32_t& value) const {
  const Node* node = value_of(table_, key);
  if (node == nullptr || (node->kind != NodeKind::integer && node->kind != NodeKind::floating)) return false;
  const double stated = node->kind == NodeKind::integer ? static_cast<double>(node->integer) : node->floating;
  if (!(stated >= 1 && stated <= 1e6)) {
    out_of_bounds(key, *node, "1 to 1000000");
    return false;
  }
  value = static_cast<std::uint32_t>(std::ceil(stated * 1000 * (1 - 1e-12)));
  return true;
}

void Reading::out_of_bounds(std::string_view key, const Node& node, const std::string& bounds) const {
  out_.add("E0411", node.span, fmt::format("`{}` is out of bounds", key), fmt::format("can be {}", bounds));
}

}  // namespace weir::control
