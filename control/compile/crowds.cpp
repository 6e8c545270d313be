// Almost every policy is done after one look at its charges: the fullest of either direction fit together. Otherwise
// the rows that could be too full are met by every row that can lead back.
#include "control/compile/crowds.hpp"

#include "dataplane/base/limits.hpp"
#include "dataplane/policy/charges.hpp"

#include <fmt/format.h>
#include <algorithm>
#include <bit>
#include <map>
#include <unordered_map>

namespace weir::control {

namespace {

constexpr u64 looks_max = u64{1} << 28;  // cells compared before it gives up
constexpr std::size_t shown_max = 8;     // statements with a label of their own

// What a place is as a source and as a target, with one class and atom where it is so.
struct Place {
  u32 source, target, port, atom;
};

class Crowds {
 public:
  Crowds(const Model& model, const Atoms& atoms, const Zones& zones, const ChargeSides& sides,
         const Contents& contents)
      : model_(model), atoms_(atoms), zones_(zones), sides_(sides), contents_(contents) {
    for (const image::Charge& charge : contents.charges) {
      u32 draws = 0;
      for (u32 i = 0; i < charge.accounts_count; ++i)
        draws += draws_of(contents.charge_accounts[charge.accounts_first + i]);
      draws_.push_back(draws);
      most_draws_ = std::max(most_draws_, draws);
      most_items_ = std::max(most_items_, draws + charge.limits_count);
    }
  }

  std::optional<CapacityError> find() {
    if (most_items_ + most_draws_ <= charge_items_max) return std::nullopt;
    for (u32 source = 0; source < contents_.charge_sources.size(); ++source)
      for (const u32 charge : row(row_of(source, image::charge_nowhere)))
        if (draws_[charge] > charge_items_max) return crowd(source, charge);
    collect_places();
    for (u32 source = 0; source < contents_.charge_sources.size(); ++source)
      if (auto found = find_from(source)) return found;
    return std::nullopt;
  }

 private:
  u32 draws_of(const image::ChargeAccount& one) const {
    const image::Budget& budget = contents_.budgets[contents_.accounts[one.account].budget];
    return image::draws_of(budget, one);
  }
  std::span<const u32> row(u32 number) const {
    const u32 columns = contents_.meta[0].charge_services_count;
    return std::span(contents_.charge_rows).subspan(u64{number} * columns, columns);
  }
  std::span<const image::ChargeTarget> targets_of(u32 source) const {
    const image::ChargeSource& one = contents_.charge_sources[source];
    return std::span(contents_.charge_targets).subspan(one.first, one.count);
  }
  u32 row_of(u32 source, u32 target) const {
    const auto listed = targets_of(source);
    const auto at = std::ranges::lower_bound(listed, target, {}, &image::ChargeTarget::target);
    return at != listed.end() && at->target == target ? at->row : contents_.charge_sources[source].otherwise;
  }
  u32 items_of(u32 charge) const { return draws_[charge] + contents_.charges[charge].limits_count; }
  bool may_crowd(u32 number) const {
    return std::ranges::any_of(row(number),
                               [&](u32 charge) { return items_of(charge) + most_draws_ > charge_items_max; });
  }

  // As the lookup finds them (dataplane/policy/charges.cpp).
  void collect_places() {
    std::unordered_map<u64, u32> known;
    const auto targets = facts_of(zones_, zones_.targets), sources = facts_of(zones_, zones_.sources);
    for (u32 port = 0; port < zones_.classes.size(); ++port)
      for (u32 atom = 0; atom < atoms_.count(); ++atom) {
        const u16 zone = zones_.source_rows.at(zones_.source_row_of[port])[atom];
        const u32 source = zone == image::zone_spoofed ? zones_.port_charge[port] : sources[zone].charge;
        const u32 target = targets[zones_.target_rows.at(zones_.target_row_of[port])[atom]].charge;
        if (!known.try_emplace(u64{source} << 32 | target, places_.size()).second) continue;
        by_source_[source].push_back(static_cast<u32>(places_.size()));
        by_target_[target].push_back(static_cast<u32>(places_.size()));
        places_.push_back({source, target, port, atom});
      }
  }

  // Connections that are dialled from places of this number. Nothing is allowed to who is in no segment.
  std::optional<CapacityError> find_from(u32 source) {
    const auto listed = targets_of(source);
    for (const image::ChargeTarget& one : listed)
      if (one.target != image::charge_nowhere && may_crowd(one.row))
        for (const u32 far : by_target_[one.target])
          if (auto found = find_between(source, one.row, far)) return found;
    const u32 otherwise = contents_.charge_sources[source].otherwise;
    if (!may_crowd(otherwise)) return std::nullopt;
    for (u32 far = 0; far < places_.size(); ++far) {
      const u32 target = places_[far].target;
      if (target == image::charge_nowhere || row_of(source, target) != otherwise) continue;
      if (auto found = find_between(source, otherwise, far)) return found;
    }
    return std::nullopt;
  }

  std::optional<CapacityError> find_between(u32 source, u32 forward, u32 far) {
    for (const u32 near : by_source_[source]) {
      const auto there = row(forward), back = row(row_of(places_[far].source, places_[near].target));
      if ((looks_ += there.size()) > looks_max)
        return CapacityError{"E0615", "budgets and limits tell too many places and services apart to say that no "
                                      "connection meets too many of them", {}};
      for (u32 column = 0; column < there.size(); ++column)
        if (items_of(there[column]) + draws_[back[column]] > charge_items_max)
          return crowd(near, far, there[column], back[column]);
    }
    return std::nullopt;
  }

  // "`trainers`", or what else is known.
  std::string named(const Place& place) const {
    std::vector<u32> segments;
    target_segments(model_, atoms_, zones_.classes[place.port], place.atom, segments);
    if (segments.empty()) segments = zones_.classes[place.port].attached;
    return segments.empty() ? "who is in no segment" : fmt::format("`{}`", model_.segments[segments.front()].name);
  }

  CapacityError crowd(u32 near, u32 far, u32 forward, u32 reverse) const {
    const std::string who = fmt::format("a connection from {} to {}", named(places_[near]), named(places_[far]));
    return made(who, forward, {forward, reverse});
  }

  CapacityError crowd(u32 source, u32 charge) const {
    std::string who = "a frame without addresses";
    const u32 accounts = static_cast<u32>(sides_.accounts().size());
    for (const u32 key : sides_.sources().at(source))
      if (key < accounts) {
        const ChargeAccountPlan& plan = sides_.accounts()[key];
        const u32 segment = plan.segment.value_or(model_.budgets[plan.budget].from.front());
        who += fmt::format(" from `{}`", model_.segments[segment].name);
        break;
      }
    return made(who, 0, {charge});
  }

  // `limits`: the charge whose limits count.
  CapacityError made(const std::string& who, u32 limits, std::initializer_list<u32> charges) const {
    std::map<u32, u32> of_budget;
    u32 items = contents_.charges[limits].limits_count;
    for (const u32 charge : charges)
      for (u32 i = 0; i < contents_.charges[charge].accounts_count; ++i) {
        const image::ChargeAccount& one = contents_.charge_accounts[contents_.charges[charge].accounts_first + i];
        of_budget[contents_.accounts[one.account].budget] += draws_of(one);
        items += draws_of(one);
      }
    CapacityError error{"E0616",
                        fmt::format("{} would be charged in {} places; there can be {}", who, items, charge_items_max),
                        {}};
    std::vector<std::pair<u32, u32>> order(of_budget.begin(), of_budget.end());
    std::ranges::stable_sort(order, std::ranges::greater{}, &std::pair<u32, u32>::second);
    for (const auto& [budget, count] : order)
      error.causes.push_back({model_.budgets[budget].span, count == 1 ? "one" : fmt::format("{} of them", count)});
    for (u32 i = 0; i < contents_.charges[limits].limits_count; ++i)
      error.causes.push_back(
          {model_.limits[contents_.charge_limits[contents_.charges[limits].limits_first + i]].span, "one"});
    if (error.causes.size() > shown_max) {
      error.note = fmt::format("and {} more budgets and limits", error.causes.size() - shown_max);
      error.causes.resize(shown_max);
    }
    return error;
  }

  const Model& model_;
  const Atoms& atoms_;
  const Zones& zones_;
  const ChargeSides& sides_;
  const Contents& contents_;
  std::vector<u32> draws_;  // by charge
  u32 most_draws_ = 0, most_items_ = 0;
  std::vector<Place> places_;
  std::unordered_map<u32, std::vector<u32>> by_source_, by_target_;
  u64 looks_ = 0;
};

}  // namespace

std::optional<CapacityError> find_crowd(const Model& model, const Atoms& atoms, const Zones& zones,
                                        const ChargeSides& sides, const Contents& contents) {
  return Crowds(model, atoms, zones, sides, contents).find();
}

}  // namespace weir::control
