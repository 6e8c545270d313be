// [state], [flood] and what segments say about flows. Kinds, units and words have been judged in values.cpp; here the
// bounds, and what one value means beside another.
#include "control/check/quantity.hpp"
#include "control/check/resolver.hpp"
#include "dataplane/base/rate.hpp"
#include "dataplane/base/timeouts.hpp"
#include "dataplane/policy/image.hpp"

#include <fmt/format.h>
#include <algorithm>
#include <cmath>
#include <limits>

namespace weir::control {
namespace {

constexpr std::uint32_t count_max = std::numeric_limits<std::uint32_t>::max();
constexpr double per_second_max = 1e6;

const Node* value_of(const Node& table, std::string_view key) {
  const Entry* entry = table.find(key);
  return entry == nullptr ? nullptr : &entry->value;
}

std::string spoken_ms(std::uint64_t ms) {
  if (ms != 0 && ms % 3'600'000 == 0) return fmt::format("{}h", ms / 3'600'000);
  if (ms != 0 && ms % 60'000 == 0) return fmt::format("{}min", ms / 60'000);
  return ms % 1000 == 0 ? fmt::format("{}s", ms / 1000) : fmt::format("{}ms", ms);
}

// Reads the keys of one table; a value out of bounds is told, and its default stays.
class Values {
 public:
  Values(const Node& table, Diagnostics& out) : table_(table), out_(out) {}

  void flag(std::string_view key, bool& value) const {
    const Node* node = value_of(table_, key);
    if (node != nullptr && node->kind == NodeKind::boolean) value = node->integer != 0;
  }

  bool says(std::string_view key, std::string_view word) const {
    const Node* node = value_of(table_, key);
    return node != nullptr && node->kind == NodeKind::string && node->text == word;
  }

  void count(std::string_view key, std::uint32_t& value, std::uint32_t least, std::uint32_t most) const {
    const Node* node = value_of(table_, key);
    if (node == nullptr || node->kind != NodeKind::integer || node->integer < 0) return;
    const auto stated = static_cast<std::uint64_t>(node->integer);
    if (stated < least || stated > most) return out_of_bounds(key, *node, fmt::format("{} to {}", least, most));
    value = static_cast<std::uint32_t>(stated);
  }

  bool time_ms(std::string_view key, std::uint32_t& value, std::uint32_t least, std::uint32_t most) const {
    const Node* node = value_of(table_, key);
    const Quantity quantity = amount(node, KeyType::duration);
    if (quantity.fault != QuantityFault::none) return false;
    const double ms = std::round(quantity.amount * 1000);
    if (ms < least || ms > most) {
      out_of_bounds(key, *node, fmt::format("{} to {}", spoken_ms(least), spoken_ms(most)));
      return false;
    }
    value = static_cast<std::uint32_t>(ms);
    return true;
  }

  // `key`, and `key`_burst beside it.
  void rate(std::string_view key, Frequency& value) const {
    const Node* node = value_of(table_, key);
    const Entry* burst = table_.find(fmt::format("{}_burst", key));
    const Quantity quantity = amount(node, KeyType::frequency);
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

 private:
  static Quantity amount(const Node* node, KeyType type) {
    if (node == nullptr || node->kind != NodeKind::string) return {};
    return parse_quantity(type, node->text);
  }

  void out_of_bounds(std::string_view key, const Node& node, const std::string& bounds) const {
    out_.add("E0411", node.span, fmt::format("`{}` is out of bounds", key), fmt::format("can be {}", bounds));
  }

  const Node& table_;
  Diagnostics& out_;
};

void read_state(const Node& table, Tracking& tracking, Diagnostics& out) {
  const Values values(table, out);
  tracking.loose = values.says("profile", "loose");
  values.flag("pick_up", tracking.pick_up);
  tracking.trust_checksums = values.says("checksums", "trust");
  tracking.drop_fragments = values.says("fragments", "drop");
  values.time_ms("sweep", tracking.sweep_ms, image::sweep_ms_min, image::sweep_ms_max);
  const Node* timeouts = value_of(table, "timeouts");
  if (timeouts == nullptr || timeouts->kind != NodeKind::table) return;
  for (const std::string_view name : timeout_names) {
    std::uint32_t ms = 0;
    if (Values(*timeouts, out).time_ms(name, ms, timeout_ms_min, timeout_ms_max))
      tracking.timeouts_ms.emplace(name, ms);
  }
}

void read_flood(const Node& table, Tracking& tracking, Diagnostics& out) {
  const Values values(table, out);
  values.rate("new_per_source", tracking.new_per_source);
  values.rate("new_per_target", tracking.new_per_target);
  values.rate("icmp", tracking.icmp);
  values.rate("reject", tracking.reject);
  values.count("half_open", tracking.half_open, 1, count_max);
  values.count("half_open_per_target", tracking.half_open_per_target, 1, count_max);
  values.count("udp", tracking.udp, 1, count_max);
  values.count("scan_ports", tracking.scan_ports, 2, image::scan_count_max);
  values.count("scan_hosts", tracking.scan_hosts, 2, image::scan_count_max);
  values.time_ms("scan_window", tracking.scan_window_ms, image::scan_window_ms_min, image::scan_window_ms_max);
  values.time_ms("scan_block", tracking.scan_block_ms, 0, image::scan_block_ms_max);
  if (values.says("syn_proxy", "pressure")) tracking.syn_proxy = Tracking::SynProxy::pressure;
  if (values.says("syn_proxy", "always")) tracking.syn_proxy = Tracking::SynProxy::always;
  if (table.find("scan_ports") != nullptr || table.find("scan_hosts") != nullptr) return;
  for (const std::string_view key : {"scan_window", "scan_block"})
    if (const Entry* entry = table.find(key))
      out.add("W0411", entry->key_span, fmt::format("`{}` without `scan_ports` or `scan_hosts`", key),
              "nothing looks for scans");
}

}  // namespace

void Resolver::read_tracking(const Document& root) {
  Tracking& tracking = made_.model.tracking;
  if (const Node* state = value_of(root.tree, "state"); state != nullptr && state->kind == NodeKind::table)
    read_state(*state, tracking, out_);
  if (const Node* flood = value_of(root.tree, "flood"); flood != nullptr && flood->kind == NodeKind::table)
    read_flood(*flood, tracking, out_);
}

// `reserve`, `reject` and `vni`.
void Resolver::read_segment_shares(Segment& segment, const Node& table) {
  Values(table, out_).flag("reject", segment.reject);
  if (const Node* vni = value_of(table, "vni"); vni != nullptr && vni->kind == NodeKind::array)
    for (const Node& item : vni->items) {
      if (item.kind != NodeKind::integer) continue;
      if (item.integer < 0 || item.integer > 0xff'ffff)
        out_.add("E0411", item.span, fmt::format("{} is no network of a tunnel", item.integer), "can be 0 to 16777215");
      else segment.vnis.push_back(static_cast<std::uint32_t>(item.integer));
    }
  std::ranges::sort(segment.vnis);
  segment.vnis.erase(std::unique(segment.vnis.begin(), segment.vnis.end()), segment.vnis.end());

  const Node* reserve = value_of(table, "reserve");
  if (reserve == nullptr || reserve->kind != NodeKind::string) return;
  const Quantity share = parse_quantity(KeyType::percent, reserve->text);
  if (share.fault != QuantityFault::none) return;
  const double parts = std::round(share.amount * image::reserve_whole);
  if (parts < 1 || parts > image::reserve_whole) {
    out_.add("E0411", reserve->span, "`reserve` is out of bounds", "can be 0.01% to 100%");
    return;
  }
  segment.reserve = static_cast<std::uint32_t>(parts);
  std::uint32_t sum = segment.reserve;
  for (const auto& [span, before] : reserves_) sum += before;
  const bool was_whole = sum - segment.reserve <= image::reserve_whole;
  if (sum > image::reserve_whole && was_whole) {
    auto& made = out_.add(
        "E0412", reserve->span,
        fmt::format("with this one the reserves are {}.{:02} % of the flow table", sum / 100, sum % 100),
        "more than the whole");
    for (const auto& [span, before] : reserves_) made.with(span, "and this");
    made.helped("leave something to those without a reserve: together below 100 %");
  }
  reserves_.emplace_back(reserve->span, segment.reserve);
}

}  // namespace weir::control
