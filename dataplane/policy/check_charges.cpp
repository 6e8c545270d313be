// Every index against what it points into, and every amount against what counters are built for.
#include "dataplane/policy/check_charges.hpp"

#include "dataplane/base/limits.hpp"
#include "dataplane/policy/charges.hpp"
#include "dataplane/policy/policy.hpp"

namespace weir::image {

namespace {

using Sentence = std::string_view;

bool fits(Text text, const View& view) { return u64{text.offset} + text.bytes <= view.strings.size(); }
bool within(u32 first, u32 count, u64 size) { return u64{first} + count <= size; }
bool holds(const Rate& rate) {
  if (!rate.limits()) return rate.tolerance == 0;
  return rate.interval <= rate_interval_max && rate.tolerance <= rate_tolerance_max;
}
// Slow enough, and paid back soon enough, for cells (dataplane/budget/limit_cells.hpp).
bool holds(u64 bits_per_s, u64 burst_bytes) {
  return bits_per_s >= limit_bits_per_s_min && burst_bytes >= limit_burst_bytes_min &&
         burst_bytes <= budget_bytes_max && u128{burst_bytes} * 8 <= u128{bits_per_s} * limit_burst_s_max;
}

Sentence check_sources(const View& view) {
  if (view.charge_sources.empty() || view.charge_sources.size() > 0x10000) return "counts no sources or too many";
  const u64 rows = view.charge_rows.size() / view.charge_services_count;
  for (const ChargeSource& one : view.charge_sources) {
    if (!within(one.first, one.count, view.charge_targets.size())) return "has targets outside charge_targets";
    if (one.otherwise >= rows) return "leads to a row that is not there";
    for (u32 i = 0; i < one.count; ++i) {
      const ChargeTarget& at = view.charge_targets[one.first + i];
      if (at.row >= rows) return "leads to a row that is not there";
      if (i > 0 && at.target <= view.charge_targets[one.first + i - 1].target) return "has targets that do not ascend";
    }
  }
  return {};
}

Sentence check_rows(const View& view) {
  if (view.charge_rows.empty() || view.charge_rows.size() % view.charge_services_count != 0)
    return "does not hold whole rows";
  for (const u32 charge : view.charge_rows)
    if (charge >= view.charges.size()) return "names a charge that is not there";
  return {};
}

Sentence check_charge(const View& view) {
  if (view.charges.empty() || (view.charges[0].accounts_count | view.charges[0].limits_count) != 0)
    return "does not begin with nothing";
  for (const Charge& one : view.charges) {
    if (!within(one.accounts_first, one.accounts_count, view.charge_accounts.size()))
      return "has accounts outside charge_accounts";
    if (!within(one.limits_first, one.limits_count, view.charge_limits.size()))
      return "has limits outside charge_limits";
    // Of one direction alone; the compiler sees which two meet (E0616), and the packet path drops what it did not.
    if (one.accounts_count > charge_items_max || one.limits_count > charge_items_max)
      return "charges more than a flow has room for";
  }
  return {};
}

// A mask names reserves of the account's budget.
Sentence check_charge_accounts(const View& view) {
  for (const ChargeAccount& one : view.charge_accounts) {
    if (one.account >= view.accounts.size()) return "names an account that is not there";
    const u32 budget = view.accounts[one.account].budget;
    if (budget >= view.budgets.size()) return "names an account of no budget";
    const u32 reserves = view.budgets[budget].reserves_count;
    if (reserves < 32 && one.reserves >> reserves != 0) return "names a reserve that is not there";
  }
  for (const Charge& charge : view.charges) {
    u32 draws = 0;
    for (const ChargeAccount& one : view.charge_accounts.subspan(charge.accounts_first, charge.accounts_count))
      draws += draws_of(view.budgets[view.accounts[one.account].budget], one);
    if (draws > charge_items_max) return "charges more than a flow has room for";
  }
  return {};
}

Sentence check_windows(const View& view, const Budget& budget) {
  if (budget.windows_count == 0 || budget.windows_count > budget_windows_max) return "has no windows or too many";
  if (!within(budget.windows_first, budget.windows_count, view.windows.size())) return "has windows outside windows";
  u64 before = 0;
  for (const Window& one : view.windows.subspan(budget.windows_first, budget.windows_count)) {
    const u64 length_s = one.length_s == 0 ? ~u64{0} : one.length_s;  // a lifetime is the longest
    if (one.bytes == 0 || one.bytes > budget_bytes_max) return "has a window of no bytes or too many";
    if (one.length_s > budget_window_s_max) return "has a window that is too long";
    if (length_s <= before) return "has windows that do not ascend";
    if (one.length_s == 0 && budget.on_exceed == Exceed::throttle) return "throttles beside a lifetime";
    before = length_s;
  }
  return {};
}

Sentence check_parts(const View& view, const Budget& budget) {
  if (budget.reserves_count > budget_reserves_max) return "has too many reserves";
  if (!within(budget.reserves_first, budget.reserves_count, view.budget_reserves.size()))
    return "has reserves outside budget_reserves";
  u64 sum = 0;
  for (const Reserve& one : view.budget_reserves.subspan(budget.reserves_first, budget.reserves_count))
    sum += one.share;
  if (sum > reserve_whole || budget.max_share > reserve_whole) return "shares out more than the whole";
  if (!within(budget.accounts_first, budget.accounts_count, view.accounts.size()))
    return "has accounts outside accounts";
  if (budget.scope == Scope::fleet && budget.accounts_count != 1) return "is of the fleet and has not one account";
  if (!within(budget.targets_first, budget.targets_count, view.covers.size())) return "covers what is outside covers";
  if (!within(budget.services_first, budget.services_count, view.covers.size())) return "covers what is outside covers";
  return {};
}

Sentence check_budgets(const View& view) {
  if (view.budgets.size() > budgets_max) return "is too long";
  u64 accounts = 0;
  for (const Budget& budget : view.budgets) {
    if (!fits(budget.name, view) || !fits(budget.file, view)) return "names text outside the strings";
    if (budget.count > Count::payload || budget.on_exceed > Exceed::alert || budget.scope > Scope::host)
      return "has a word that does not exist";
    if (budget.opens_empty > 1) return "has a flag that is neither 0 nor 1";
    if ((budget.on_exceed == Exceed::throttle) != (budget.throttle_bits_per_s != 0)) return "throttles at no rate";
    if (budget.surcharge > surcharge_max) return "has a surcharge out of bounds";
    if (std::popcount(budget.alerts[0]) + std::popcount(budget.alerts[1]) > static_cast<int>(budget_alerts_max))
      return "tells too often";
    if ((budget.alerts[0] & 1) != 0 || budget.alerts[1] >> 37 != 0) return "tells at what is no percentage";
    if (const Sentence wrong = check_windows(view, budget); !wrong.empty()) return wrong;
    if (const Sentence wrong = check_parts(view, budget); !wrong.empty()) return wrong;
    if (budget.accounts_first != accounts) return "leaves accounts out, or shares them";
    accounts += budget.accounts_count;
    for (u32 i = 0; i < budget.accounts_count; ++i)
      if (view.accounts[budget.accounts_first + i].budget != static_cast<u64>(&budget - view.budgets.data()))
        return "has an account of another budget";
  }
  return accounts == view.accounts.size() ? Sentence{} : "leaves accounts out, or shares them";
}

Sentence check_accounts(const View& view) {
  u64 counted = 0;
  for (const Account& one : view.accounts) {
    if (one.budget >= view.budgets.size()) return "names a budget that is not there";
    const Scope scope = view.budgets[one.budget].scope;
    if (scope == Scope::fleet ? one.segment != no_segment : one.segment >= view.segments.size())
      return "names a segment that is not there";
    if ((scope == Scope::host) != (one.hosts != 0)) return "counts hosts where there are none";
    if (!within(one.sources_first, one.sources_count, view.covers.size())) return "covers what is outside covers";
    // A reserve is an account of its own.
    counted += u64{scope == Scope::host ? one.hosts : 1} * (view.budgets[one.budget].reserves_count + 1);
  }
  return counted <= accounts_max ? Sentence{} : "is of too many accounts";
}

Sentence check_limits(const View& view) {
  if (view.limits.size() > limits_max) return "is too long";
  for (const Limit& one : view.limits) {
    if (!fits(one.name, view) || !fits(one.file, view)) return "names text outside the strings";
    if (!holds(one.packets) || !holds(one.new_connections)) return "has a rate that cannot be kept";
    if ((one.rate_bits_per_s == 0) != (one.burst_bytes == 0)) return "has a rate without a burst, or a burst alone";
    if (one.rate_bits_per_s != 0 && !holds(one.rate_bits_per_s, one.burst_bytes)) return "has a burst out of bounds";
    if (one.per > 3 || one.zero != 0) return "has a word that does not exist";
  }
  return {};
}

template <class Elements>
Sentence all_zero(const Elements& elements) {
  for (const auto& one : elements)
    if (one.zero != 0) return "has a reserved field that is not zero";
  return {};
}

Sentence check_covers(const View& view) {
  for (const Cover& one : view.covers) {
    if (static_cast<u32>(one.kind) >= cover_kinds_count) return "has a kind that does not exist";
    if (one.first_high > one.last_high || (one.first_high == one.last_high && one.first_low > one.last_low))
      return "has a range that runs backwards";
  }
  return all_zero(view.covers);
}

}  // namespace

std::string_view check_charges(const View& view, Section section) {
  switch (section) {
    case Section::charge_services:
      if (view.charge_services.size() != view.services_count) return "does not have one element for each service";
      for (const u16 one : view.charge_services)
        if (one >= view.charge_services_count) return "names a column that is not there";
      return {};
    case Section::charge_sources: return check_sources(view);
    case Section::charge_rows: return check_rows(view);
    case Section::charges: return check_charge(view);
    case Section::charge_accounts: return check_charge_accounts(view);
    case Section::charge_limits:
      for (const u32 one : view.charge_limits)
        if (one >= view.limits.size()) return "names a limit that is not there";
      return {};
    case Section::budgets: return check_budgets(view);
    case Section::windows: return all_zero(view.windows);
    case Section::budget_reserves:
      for (const Reserve& one : view.budget_reserves)
        if (!fits(one.name, view)) return "names text outside the strings";
      return all_zero(view.budget_reserves);
    case Section::accounts: return check_accounts(view);
    case Section::covers: return check_covers(view);
    case Section::limits: return check_limits(view);
    default: return {};
  }
}

std::string_view check_zone_charges(const View& view, Section section) {
  const u64 sources = view.charge_sources.size();
  if (section == Section::source_facts)
    for (const ZoneFacts& one : view.source_facts)
      if (one.charge >= sources) return "names a source of charges that is not there";
  if (section == Section::port_classes)
    for (const PortClass& one : view.port_classes)
      if (one.charge >= sources) return "names a source of charges that is not there";
  return {};
}

}  // namespace weir::image
