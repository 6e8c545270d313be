// An account whose number of cells is unknown bounds nothing and is left out.
#include "control/bound/accounts.hpp"

#include "dataplane/base/limits.hpp"

#include <algorithm>

namespace weir::control {
namespace {

// How many; as many as nobody can say.
constexpr u64 unknown = ~u64{0};
constexpr u64 count_max = u64{1} << 32;

u64 product(u64 a, u64 b) {
  if (a == unknown || b == unknown || (b != 0 && a > count_max / b)) return unknown;
  return a * b;
}

// Addresses that the segments have together, each IPv6 address for itself.
u64 addresses_in(const Model& model, const std::vector<u32>& segments) {
  u64 total = 0;
  for (const u32 segment : segments) {
    const Segment& one = model.segments[segment];
    if (!one.has_addresses) return unknown;
    for (const auto [first, last] : one.addresses.ipv4) total += u64{last} - first + 1;
    for (const auto [first, last] : one.addresses.ipv6) {
      if (last - first >= count_max) return unknown;
      total += static_cast<u64>(last - first) + 1;
    }
    if (total > count_max) return unknown;
  }
  return total;
}

// Host accounts of one segment at one enforcement point: of ports, and of addresses where nobody is attached.
u64 host_accounts_of(const Segment& segment) {
  u64 ports = 0;
  for (const std::string& pattern : segment.attach) ports += pattern.ends_with('*') ? ports_max : 1;
  ports = std::min<u64>(ports, ports_max);
  if (!segment.has_addresses) return ports;
  return segment.hosts == 0 ? unknown : ports + segment.hosts;
}

Curve curve_of(const Budget& budget, u64 instances) {
  Curve curve;
  for (const Window& window : budget.windows) curve.windows.push_back({window.bytes / instances, window.length_s});
  if (budget.on_exceed == Budget::Exceed::throttle) {
    curve.has_bucket = true;
    curve.bits_per_s = budget.throttle_bits_per_s / instances;
    curve.once_bytes = frame_bytes_most;
  }
  // A packet that is charged less than its headers can say carries more than it is charged.
  if (budget.count == Budget::Count::payload && budget.surcharge < headers_say_bytes) {
    const auto raised = [&](u64 charged) { return charged * headers_say_bytes / budget.surcharge + 1; };
    for (CurveWindow& window : curve.windows) window.bytes = raised(window.bytes);
    curve.bits_per_s = raised(curve.bits_per_s);
    curve.once_bytes = raised(curve.once_bytes);
  }
  return curve;
}

bool bounds(const Budget& budget) {
  if (budget.monitor || budget.on_exceed == Budget::Exceed::alert) return false;
  if (budget.count == Budget::Count::wire || budget.surcharge >= headers_say_bytes) return true;
  // Charged nothing, headers carry without end; and above this the raised amount has no 64 bits.
  constexpr u64 most = ~u64{0} / headers_say_bytes - 1;
  return budget.surcharge > 0 && budget.throttle_bits_per_s < most &&
         std::ranges::all_of(budget.windows, [](const Window& one) { return one.bytes < most; });
}

}  // namespace

Accounts::Accounts(const Model& model, const Places& places) : model_(model), places_(places) {
  of_budget_.resize(model.budgets.size());
  limit_account_.resize(model.limits.size());
  rate_account_.resize(model.segments.size());
  for (u32 index = 0; index < model.budgets.size(); ++index)
    if (bounds(model.budgets[index])) add_budget(index);
  for (u32 index = 0; index < model.limits.size(); ++index)
    if (!model.limits[index].monitor && model.limits[index].rate_bits_per_s > 0) add_limit(index);
  for (u32 index = 0; index < model.segments.size(); ++index)
    if (const auto rate = model.segments[index].rate_bits_per_s)
      rate_account_[index] = add({Account::Kind::rate, index, {}, {{}, true, *rate, frame_bytes_most}, 1});
  const u64 links = u64{ports_max} * model.instances * link_protocols(model.link);
  link_account_ = *add({Account::Kind::link, 0, {}, {{{model.link.bytes_a_day, 86'400}}, false, 0, 0}, links});
}

std::optional<u32> Accounts::add(Account account) {
  accounts_.push_back(std::move(account));
  return static_cast<u32>(accounts_.size() - 1);
}

void Accounts::add_budget(u32 index) {
  const Budget& budget = model_.budgets[index];
  OfBudget& made = of_budget_[index];
  const Curve curve = curve_of(budget, model_.instances);
  if (budget.scope == Budget::Scope::fleet) {
    made.whole = add({Account::Kind::budget, index, {}, curve, model_.instances});
    return;
  }
  u64 total = 0;
  for (const u32 segment : budget.from) {
    const u64 here = budget.scope == Budget::Scope::segment ? 1 : host_accounts_of(model_.segments[segment]);
    const u64 cells = product(here, model_.instances);
    made.by_segment.push_back(cells == unknown ? std::nullopt
                                               : add({Account::Kind::budget, index, segment, curve, cells}));
    total = total == unknown || cells == unknown ? unknown : total + cells;
  }
  if (total != unknown && budget.from.size() > 1) made.whole = add({Account::Kind::budget, index, {}, curve, total});
}

void Accounts::add_limit(u32 index) {
  const Limit& limit = model_.limits[index];
  const u64 sources = limit.from_any ? unknown : addresses_in(model_, limit.from);
  const u64 targets = limit.to_any ? unknown : addresses_in(model_, limit.to);
  u64 cells = 1;
  if (limit.per == Limit::Per::source) cells = sources;
  else if (limit.per == Limit::Per::target) cells = targets;
  else if (limit.per == Limit::Per::pair) cells = product(sources, targets);
  cells = product(cells, model_.instances);
  if (cells == unknown) return;
  const Curve curve{{}, true, limit.rate_bits_per_s, limit.burst_bytes};
  limit_account_[index] = add({Account::Kind::limit, index, {}, curve, cells});
}

void Accounts::of_source(u32 from, std::vector<u32>& found) const {
  for (const u32 segment : places_.all[from].as_source)
    if (const auto account = rate_account_[segment]) found.push_back(*account);
}

bool Accounts::budget_covers(u32 index, u32 from, u32 to) const {
  const Budget& budget = model_.budgets[index];
  const Site &source = places_.all[from], &target = places_.all[to];
  if (!bounds(budget) || !meets(source.as_source, budget.from)) return false;
  return budget.to_any ? !meets(target.as_target, budget.from) : meets(target.as_target, budget.to);
}

void Accounts::of_budget(u32 index, u32 from, std::vector<u32>& found) const {
  const OfBudget& made = of_budget_[index];
  if (made.whole) found.push_back(*made.whole);
  // An address in two segments of `from` is one of either's: only what is in one alone surely counts there.
  const Budget& budget = model_.budgets[index];
  std::optional<std::size_t> only;
  for (std::size_t at = 0; at < made.by_segment.size(); ++at) {
    if (!std::ranges::binary_search(places_.all[from].as_source, budget.from[at])) continue;
    if (only) return;
    only = at;
  }
  if (only && made.by_segment[*only]) found.push_back(*made.by_segment[*only]);
}

bool Accounts::limit_covers(u32 index, u32 dialler, u32 target) const {
  const Limit& limit = model_.limits[index];
  return limit_account_[index] && (limit.from_any || meets(places_.all[dialler].as_source, limit.from)) &&
         (limit.to_any || meets(places_.all[target].as_target, limit.to));
}

}  // namespace weir::control
