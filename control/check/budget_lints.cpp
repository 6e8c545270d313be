// One function per lint about budgets and limits.
#include "control/check/lints.hpp"
#include "control/check/reading.hpp"
#include "dataplane/base/limits.hpp"

#include <fmt/format.h>
#include <algorithm>

namespace weir::control {
namespace {

constexpr std::uint64_t jumbo_frame_bytes = 9'216;

std::uint64_t addresses_max_two(const AddressSet& set) {
  std::uint64_t count = 0;
  for (const auto [first, last] : set.ipv4) count += std::uint64_t{last} - first + 1;
  for (const auto [first, last] : set.ipv6) count += first >> 64 == last >> 64 ? 1 : 2;  // a host has a /64
  return std::min<std::uint64_t>(count, 2);
}

// Whether more than one host can draw on one account.
bool is_shared(const Model& model, const Budget& budget) {
  std::uint64_t hosts = 0;
  for (const std::uint32_t index : budget.from) {
    const Segment& segment = model.segments[index];
    const std::uint64_t of_segment = most_hosts(segment) != 0  ? most_hosts(segment)
                                     : segment.has_addresses ? addresses_max_two(segment.addresses)
                                                             : 2;
    if (budget.scope == Budget::Scope::segment && of_segment > 1) return true;
    hosts += of_segment;
  }
  return budget.scope == Budget::Scope::fleet && hosts > 1;
}

void shared(const Model& model, const Budget& budget, Diagnostics& out) {
  if (budget.on_exceed != Budget::Exceed::deny || budget.max_share != 0 || !is_shared(model, budget)) return;
  out.add("W0412", budget.span, fmt::format("one host can spend all of `{}` and cut the others off", budget.name),
          "no `max_share`")
      .helped("max_share = \"10%\", or scope = \"host\"");
}

std::string shown(const Window& window) {
  return window.length_s == 0 ? "lifetime" : spoken_ms(window.length_s * 1000);
}

// What a longer window permits in its whole length, a shorter one can never exceed: it is not there.
void idle_windows(const Budget& budget, Diagnostics& out) {
  for (std::size_t i = 1; i < budget.windows.size(); ++i)
    if (const Window &longer = budget.windows[i], &shorter = budget.windows[i - 1]; longer.bytes <= shorter.bytes)
      out.add("W0413", shorter.span, fmt::format("the window {} of `{}` never decides", shown(shorter), budget.name),
              fmt::format("{} bytes", shorter.bytes))
          .with(longer.span, fmt::format("permits {} bytes, however short the time", longer.bytes))
          .note("permitted: a longer window with fewer bytes is the narrower one");
}

void alerts_on_assets(const Model& model, const Budget& budget, Diagnostics& out) {
  if (budget.on_exceed != Budget::Exceed::alert) return;
  for (const Asset& asset : model.assets)
    if (std::ranges::find_first_of(asset.held, budget.from) != asset.held.end()) {
      out.add("W0415", budget.span, fmt::format("`{}` only alerts, and its `from` holds `{}`", budget.name, asset.name),
              "bounds nothing")
          .with(asset.span, "the asset")
          .helped("on_exceed = \"deny\" or \"throttle RATE\"");
      return;
    }
}

// A frame that is larger than the burst never passes, however long it waits.
void small_burst(const Limit& limit, Diagnostics& out) {
  if (limit.rate_bits_per_s == 0 || limit.burst_bytes >= jumbo_frame_bytes) return;
  out.add("W0416", limit.span, fmt::format("no jumbo frame passes `{}`", limit.name),
          fmt::format("a burst of {} bytes", limit.burst_bytes))
      .note(fmt::format("without `burst` it is one second of `rate`, and at least {} bytes", limit_burst_bytes_min))
      .helped("burst = \"64 KiB\"");
}

}  // namespace

void lint_budgets(const Model& model, Diagnostics& out) {
  for (const Budget& budget : model.budgets) {
    shared(model, budget, out);
    idle_windows(budget, out);
    alerts_on_assets(model, budget, out);
  }
  for (const Limit& limit : model.limits) small_burst(limit, out);
}

}  // namespace weir::control
