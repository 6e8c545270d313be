// [state], [flood] and what segments say about flows. Kinds, units and words have been judged in values.cpp; here the
// bounds, and what one value means beside another.
#include "control/check/quantity.hpp"
#include "control/check/reading.hpp"
#include "control/check/resolver.hpp"
#include "dataplane/base/timeouts.hpp"
#include "dataplane/policy/image.hpp"

#include <fmt/format.h>
#include <algorithm>
#include <cmath>
#include <limits>

namespace weir::control {
namespace {

constexpr std::uint32_t count_max = std::numeric_limits<std::uint32_t>::max();

void read_state(const Node& table, Tracking& tracking, Diagnostics& out) {
  const Reading values(table, out);
  tracking.loose = values.says("profile", "loose");
  values.flag("pick_up", tracking.pick_up);
  tracking.trust_checksums = values.says("checksums", "trust");
  tracking.drop_fragments = values.says("fragments", "drop");
  values.time_ms("sweep", tracking.sweep_ms, image::sweep_ms_min, image::sweep_ms_max);
  const Node* timeouts = value_of(table, "timeouts");
  if (timeouts == nullptr || timeouts->kind != NodeKind::table) return;
  for (const std::string_view name : timeout_names) {
    std::uint32_t ms = 0;
    if (Reading(*timeouts, out).time_ms(name, ms, timeout_ms_min, timeout_ms_max))
      tracking.timeouts_ms.emplace(name, ms);
  }
}

void read_flood(const Node& table, Tracking& tracking, Diagnostics& out) {
  const Reading values(table, out);
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
  Reading(table, out_).flag("reject", segment.reject);
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
