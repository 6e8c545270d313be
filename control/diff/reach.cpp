// Rectangles of what is newly allowed, added up for each pair of zones, then of segments.
#include "control/diff/reach.hpp"

#include "control/diff/words.hpp"

#include <algorithm>
#include <map>
#include <set>

namespace weir::control {

namespace {

using Bits = std::vector<bool>;  // by service

class Adder {
 public:
  Adder(const JointSpace& space, const Regions& regions) : space_(space) {
    for (const bool is_ipv4 : {false, true})
      for (const ServicePoints& points : space.points)
        lives_[is_ipv4].push_back(!empty(points_in_family(points, is_ipv4)));
    for (const Rectangle& one : regions.rectangles) {
      if (regions.changes[one.change].kind != ChangeKind::newly_allowed) continue;
      for (const u32 from : one.sources)
        for (const u32 to : one.targets) {
          Bits& bits = allowed_[{from, to}];
          bits.resize(space.points.size());
          for (const u32 service : one.services) bits[service] = true;
        }
    }
    read(space.sources, sources_of_, true);
    read(space.targets, targets_of_, false);
  }

  struct Sum {
    Bits some, every;
    bool ipv4 = false, ipv6 = false;
  };
  Sum sum(u32 from, u32 to) const {
    Sum made{Bits(space_.points.size(), false), Bits(space_.points.size(), true)};
    for (const u32 source : sources_of_[from])
      for (const u32 target : targets_of_[to]) add(source, target, made);
    for (std::size_t i = 0; i < made.some.size(); ++i) made.every[i] = made.every[i] && made.some[i];
    return made;
  }

 private:
  void read(const std::vector<JointZone>& zones, std::vector<std::vector<u32>>& zones_of, bool is_source) {
    const Model& model = *space_.models[new_policy];
    zones_of.resize(model.segments.size());
    std::vector<u32> inside;
    for (u32 index = 0; index < zones.size(); ++index) {
      if (is_source && zones[index].spoofed[new_policy]) continue;
      std::set<u32> met;
      for (const Spot place : zones[index].places) {
        const PortClassPlan& plan = space_.plan(new_policy, place.port_class);
        if (is_source) source_segments(model, space_.atoms[new_policy], plan, place.atom, inside);
        else target_segments(model, space_.atoms[new_policy], plan, place.atom, inside);
        met.insert(inside.begin(), inside.end());
      }
      for (const u32 segment : met) zones_of[segment].push_back(index);
    }
  }

  void add(u32 source, u32 target, Sum& sum) const {
    const JointZone &from = space_.sources[source], &to = space_.targets[target];
    if (from.domain != to.domain || from.is_ipv4 != to.is_ipv4 || never_meet(from, to)) return;
    (from.is_ipv4 ? sum.ipv4 : sum.ipv6) = true;
    const auto found = allowed_.find({source, target});
    for (std::size_t i = 0; i < sum.some.size(); ++i) {
      const bool is_allowed = found != allowed_.end() && found->second[i];
      sum.some[i] = sum.some[i] || is_allowed;
      sum.every[i] = sum.every[i] && (is_allowed || !lives_[from.is_ipv4][i]);
    }
  }

  const JointSpace& space_;
  std::array<Bits, 2> lives_;                       // by family, IPv4 last
  std::map<std::pair<u32, u32>, Bits> allowed_;     // by source and target zone
  std::vector<std::vector<u32>> sources_of_, targets_of_;  // by segment
};

ServicePoints points_of(const JointSpace& space, const Bits& bits, const Adder::Sum& sum) {
  ServicePoints points;
  for (u32 service = 0; service < bits.size(); ++service) {
    if (!bits[service]) continue;
    if (sum.ipv4) points = unite(points, points_in_family(space.points[service], true));
    if (sum.ipv6) points = unite(points, points_in_family(space.points[service], false));
  }
  return points;
}

}  // namespace

std::expected<std::vector<Reach>, std::string> reach_of(const Model& model, const Names& names, std::int64_t now_s) {
  Model nothing = model;
  nothing.statements.clear();
  const std::optional<JointSpace> space = joint_space(nothing, model);
  if (!space) return std::unexpected("the policy has more disjoint services than can be shown");
  Fates fates(*space, now_s);
  const Adder adder(*space, find_regions(*space, same_rules(*space), fates));
  Namer namer(*space, {&names, &names});
  std::vector<Reach> found;
  for (u32 from = 0; from < model.segments.size(); ++from)
    for (u32 to = 0; to < model.segments.size(); ++to) {
      const Adder::Sum sum = adder.sum(from, to);
      const ServicePoints some = points_of(*space, sum.some, sum), every = points_of(*space, sum.every, sum);
      if (empty(some)) continue;
      const auto called = [&](const ServicePoints& points) {
        return empty(points) ? "" : namer.call_services(points, sum.ipv4, sum.ipv6, new_policy);
      };
      found.push_back({from, to, called(some), called(every)});
    }
  return found;
}

}  // namespace weir::control
