// Pair by pair of places: what allows open less what forbids close, as sets of service atoms; each atom with the
// accounts that count it, in both directions. Of ways between the same two, one that is counted on more accounts than
// another adds nothing.
#include "control/bound/network.hpp"

#include "control/bound/accounts.hpp"
#include "control/compile/services.hpp"

#include <algorithm>

namespace weir::control {
namespace {

constexpr u64 steps_max = 400'000'000;

using Indices = std::vector<u32>;

// Services of statements, budgets and limits, as atoms that none of them tells apart.
class ServiceAtoms {
 public:
  explicit ServiceAtoms(const Model& model) {
    Model all;
    const auto file = [&](const auto& of) {
      for (const auto& one : of) all.statements.emplace_back().services = one.services;
      return all.statements.size();
    };
    first_budget_ = file(model.statements);
    first_limit_ = file(model.budgets);
    file(model.limits);
    const Services split = split_services(all);
    count_ = split.members.count();
    std::vector<std::vector<bool>> by_set(split.points.size(), std::vector<bool>(count_));
    for (u32 atom = 1; atom < count_; ++atom)
      for (const u32 set : split.members.at(atom)) by_set[set][atom] = true;
    for (const u32 set : split.set_of) members_.push_back(by_set[set]);
  }
  u32 count() const { return count_; }
  const std::vector<bool>& of_statement(u32 index) const { return members_[index]; }
  bool in_budget(u32 index, u32 atom) const { return members_[first_budget_ + index][atom]; }
  bool in_limit(u32 index, u32 atom) const { return members_[first_limit_ + index][atom]; }

 private:
  std::size_t first_budget_ = 0, first_limit_ = 0;
  u32 count_ = 0;
  std::vector<std::vector<bool>> members_;  // by statement, then budget, then limit
};

bool in(const PortRange& range, u32 value) { return value >= range.first && value <= range.last; }

// Whether what these services carry may be a tunnel: of a network's number, or of none.
bool opens_tunnels(const ServiceSet& services, bool numbered) {
  if (!numbered)
    return std::ranges::any_of(services.protocols,
                               [](u8 one) { return one == 4 || one == 41 || one == 47 || one == 143; });
  return std::ranges::any_of(services.udp, [](const PortRange& one) { return in(one, 4789) || in(one, 6081); }) ||
         std::ranges::find(services.protocols, 17) != services.protocols.end();
}

class Maker {
 public:
  Maker(const Model& model, std::int64_t now_s)
      : model_(model), atoms_(model), now_s_(now_s), accounts_(model, places_of()) {}

  Network make() {
    const auto count = static_cast<u32>(made_.places.all.size());
    made_.nodes = count;
    for (u32 index = 0; index < model_.statements.size(); ++index) mention(index);
    for (u32 from = 0; from < count && !made_.too_large; ++from)
      for (u32 to = 0; to < count && !made_.too_large; ++to)
        if (from != to) connections(from, to);
    for (const Indices& here : made_.places.together) meet(here, {});
    if (link_protocols(model_.link) > 0) links();
    tunnels();
    made_.accounts = accounts_.take();
    thin_out();
    return std::move(made_);
  }

 private:
  const Places& places_of() {
    made_.places = find_places(model_);
    dials_.resize(made_.places.all.size());
    answers_.resize(made_.places.all.size());
    return made_.places;
  }

  // Files a statement with the places that may dial by it, and those that may be dialled.
  void mention(u32 index) {
    const Statement& statement = model_.statements[index];
    if (!statement.is_forbid && statement.expires_s && *statement.expires_s <= now_s_) return;
    for (u32 place = 0; place < made_.places.all.size(); ++place) {
      const Site& one = made_.places.all[place];
      if (one.sends && (statement.from_any || meets(one.as_source, statement.from))) dials_[place].push_back(index);
      if (statement.to_any || meets(one.as_target, statement.to)) answers_[place].push_back(index);
    }
  }

  // Ways of the connections that `from` may open to `to`.
  void connections(u32 from, u32 to) {
    std::vector<u32> opened_by(atoms_.count(), no_allow);
    std::vector<bool> closed(atoms_.count());
    bool any = false;
    Indices both;
    std::ranges::set_intersection(dials_[from], answers_[to], std::back_inserter(both));
    for (const u32 index : both) {
      const std::vector<bool>& services = atoms_.of_statement(index);
      for (u32 atom = 1; atom < atoms_.count(); ++atom) {
        if (!services[atom]) continue;
        if (model_.statements[index].is_forbid) closed[atom] = true;
        else if (opened_by[atom] == no_allow) opened_by[atom] = index, any = true;
      }
    }
    steps_ += 1 + both.size() * atoms_.count();
    if (any) opened(from, to, opened_by, closed);
    if (steps_ > steps_max || made_.ways.size() > ways_max) made_.too_large = true;
  }

  void opened(u32 from, u32 to, const Indices& opened_by, const std::vector<bool>& closed) {
    Indices budgets_there, budgets_back, limits;
    for (u32 index = 0; index < model_.budgets.size(); ++index) {
      if (accounts_.budget_covers(index, from, to)) budgets_there.push_back(index);
      if (accounts_.budget_covers(index, to, from)) budgets_back.push_back(index);
    }
    for (u32 index = 0; index < model_.limits.size(); ++index)
      if (accounts_.limit_covers(index, from, to)) limits.push_back(index);
    steps_ += model_.budgets.size() + model_.limits.size();
    const std::size_t first = made_.ways.size();
    for (u32 atom = 1; atom < atoms_.count(); ++atom) {
      if (opened_by[atom] == no_allow || closed[atom]) continue;
      add_way({from, to, counted(from, atom, budgets_there, limits), opened_by[atom], false}, first);
      if (made_.places.all[to].sends)
        add_way({to, from, counted(to, atom, budgets_back, limits), opened_by[atom], true}, first);
      steps_ += budgets_there.size() + budgets_back.size() + 2 * limits.size() + made_.ways.size() - first;
    }
  }

  Indices counted(u32 source, u32 atom, const Indices& budgets, const Indices& limits) const {
    Indices found;
    accounts_.of_source(source, found);
    for (const u32 index : budgets)
      if (model_.budgets[index].any_service || atoms_.in_budget(index, atom)) accounts_.of_budget(index, source, found);
    for (const u32 index : limits)
      if (model_.limits[index].any_service || atoms_.in_limit(index, atom)) found.push_back(*accounts_.of_limit(index));
    std::ranges::sort(found);
    return found;
  }

  void add_way(Lane way, std::size_t first) {
    const bool known =
        std::any_of(made_.ways.begin() + static_cast<std::ptrdiff_t>(first), made_.ways.end(),
                    [&](const Lane& one) { return one.from == way.from && one.accounts == way.accounts; });
    if (!known) made_.ways.push_back(std::move(way));
  }

  // A meeting point of places that reach each other without passing policy, but for `accounts` on the way in.
  void meet(const Indices& here, const Indices& accounts) {
    const u32 point = made_.nodes++;
    for (const u32 place : here) {
      made_.ways.push_back({place, point, accounts});
      made_.ways.push_back({point, place, {}});
    }
  }

  void links() {
    Indices all;
    for (u32 place = 0; place < made_.places.all.size(); ++place) all.push_back(place);
    meet(all, {accounts_.of_links()});
  }

  // Who runs a tunnel sees what is inside and may claim to be anybody there.
  void tunnels() {
    Indices inside = tunnel_ends(true);
    const Indices& networked = made_.places.networked;
    if (!inside.empty() && !networked.empty()) {
      inside.insert(inside.end(), networked.begin(), networked.end());
      meet(inside, {});
    }
    const Indices ends = tunnel_ends(false);
    if (!ends.empty()) claim(ends);
  }

  Indices tunnel_ends(bool numbered) const {
    const auto opens = [&](u32 index) {
      return !model_.statements[index].is_forbid && opens_tunnels(model_.statements[index].services, numbered);
    };
    Indices ends;
    for (u32 place = 0; place < made_.places.all.size(); ++place)
      if (std::ranges::any_of(dials_[place], opens) || std::ranges::any_of(answers_[place], opens))
        ends.push_back(place);
    return ends;
  }

  // Taken as reaching everybody: the address inside may be anybody's.
  void claim(const Indices& ends) {
    made_.claims_any = true;
    const u32 point = made_.nodes++;
    for (const u32 end : ends) made_.ways.push_back({end, point, {}});
    for (u32 place = 0; place < made_.places.all.size(); ++place) made_.ways.push_back({point, place, {}});
  }

  void thin_out() {
    std::ranges::sort(made_.ways, [](const Lane& a, const Lane& b) {
      return std::tuple(a.from, a.to, a.accounts.size()) < std::tuple(b.from, b.to, b.accounts.size());
    });
    std::vector<Lane> kept;
    std::size_t group = 0;
    for (Lane& way : made_.ways) {
      if (kept.size() > group && (kept[group].from != way.from || kept[group].to != way.to)) group = kept.size();
      const bool adds =
          std::none_of(kept.begin() + static_cast<std::ptrdiff_t>(group), kept.end(),
                       [&](const Lane& one) { return std::ranges::includes(way.accounts, one.accounts); });
      if (adds) kept.push_back(std::move(way));
    }
    made_.ways = std::move(kept);
  }

  const Model& model_;
  const ServiceAtoms atoms_;
  const std::int64_t now_s_;
  Network made_;
  std::vector<Indices> dials_, answers_;  // statements by place, ascending
  Accounts accounts_;
  u64 steps_ = 0;
};

}  // namespace

u64 link_protocols(const Link& link) { return u64{link.arp} + link.nd + link.ra + link.dhcp; }

Network make_network(const Model& model, std::int64_t now_s) { return Maker(model, now_s).make(); }

}  // namespace weir::control
