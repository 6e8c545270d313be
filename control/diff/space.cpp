// The two models are put side by side into one, whose atoms and services are both policies' at once; identity is then
// asked of each policy with its own classes, so that nothing of its meaning is written twice.
#include "control/diff/space.hpp"

#include "control/diff/inspections.hpp"

#include "control/compile/rules.hpp"
#include "control/model/address.hpp"
#include "control/model/services.hpp"
#include "dataplane/base/limits.hpp"

#include <algorithm>
#include <map>

namespace weir::control {

namespace {

constexpr PortRange every_number{0, 0xffff};

// Addresses that the parser lets no packet have (dataplane/packet/ipv4.cpp, ipv6.cpp): two more segments of the model
// in which both policies stand side by side. The unspecified address is left in: a host without one may send.
AddressSet never(std::initializer_list<const char*> prefixes) {
  AddressSet set;
  for (const char* text : prefixes) add(set, parse_prefix(text));
  normalise(set);
  return set;
}

Model side_by_side(const Model& old_model, const Model& new_model) {
  Model both;
  for (const Model* one : {&old_model, &new_model}) {
    both.segments.insert(both.segments.end(), one->segments.begin(), one->segments.end());
    both.ports.insert(both.ports.end(), one->ports.begin(), one->ports.end());
  }
  for (const AddressSet* set : {&impossible_sources(), &impossible_targets()}) {
    Segment& segment = both.segments.emplace_back();
    segment.has_addresses = true;
    segment.addresses = *set;
  }
  return both;
}

class Builder {
 public:
  explicit Builder(JointSpace& space) : space_(space), old_(*space.models[0]), new_(*space.models[1]) {}

  bool build() {
    if (!add_rules()) return false;
    add_atoms(split(side_by_side(old_, new_)));
    add_classes();
    add_mentions(&Statement::from, &Statement::from_any, from_, space_.any_from);
    add_mentions(&Statement::to, &Statement::to_any, to_, space_.any_to);
    for (u32 port_class = 0; port_class < space_.classes.size(); ++port_class)
      for (u32 atom = 0; atom < space_.addresses.size(); ++atom) add_place(port_class, atom);
    for (auto* zones : {&space_.sources, &space_.targets})
      for (JointZone& zone : *zones) find_sole_port(zone);
    return true;
  }

 private:
  bool add_rules() {
    Model statements;
    for (const u32 policy : {old_policy, new_policy}) {
      const Model& model = *space_.models[policy];
      if (policy == new_policy) space_.first_new_rule = static_cast<u32>(space_.statement_of.size());
      const Atoms atoms = split(model);
      for (const u32 index : order_rules(model, atoms, split_services(model))) {
        space_.statement_of.push_back(index);
        Statement& copy = statements.statements.emplace_back();
        copy.services = model.statements[index].services;
      }
    }
    // Queue pairs are never one service with anything else.
    statements.statements.emplace_back().services.rdma = {every_number};
    const Services services = split_services(statements);
    if (services.members.count() > services_max) return false;
    space_.service_set_of = services.set_of;
    space_.service_set_of.pop_back();
    space_.services_of_set.resize(services.points.size());
    for (u32 service = 0; service < services.members.count(); ++service)
      for (const u32 set : services.members.at(service)) space_.services_of_set[set].push_back(service);
    space_.points.resize(services.members.count());
    for (u32 field = 0; field < image::service_fields_count; ++field) add_points(services, field);
    return true;
  }

  void add_points(const Services& services, u32 field) {
    const u32 last = field == static_cast<u32>(image::ServiceField::protocol) ? 0xff : every_number.last;
    for (u32 number = 0; number <= last; ++number) {
      const u32 page = services.pages[field * 256 + (number >> 8)];
      auto& ranges = space_.points[services.atoms.at(page)[number & 255]][field];
      if (!ranges.empty() && ranges.back().last + 1u == number) ++ranges.back().last;
      else ranges.push_back({static_cast<u16>(number), static_cast<u16>(number)});
    }
  }

  void add_atoms(const Atoms& joint) {
    const u32 first_new = static_cast<u32>(old_.segments.size());
    const u32 first_never = first_new + static_cast<u32>(new_.segments.size());
    const u32 first_pin = first_never + 2, first_new_pin = first_pin + static_cast<u32>(old_.ports.size());
    space_.addresses.resize(joint.count());
    no_source_.assign(joint.count(), false);
    no_target_.assign(joint.count(), false);
    for (u32 atom = 0; atom < joint.count(); ++atom) {
      for (const u32 member : joint.of(atom)) {
        if (member == first_never) no_source_[atom] = true;
        else if (member == first_never + 1) no_target_[atom] = true;
        else if (member >= first_new_pin) add_member(new_policy, new_.segments.size() + member - first_new_pin);
        else if (member >= first_pin) add_member(old_policy, old_.segments.size() + member - first_pin);
        else if (member >= first_new) add_member(new_policy, member - first_new);
        else add_member(old_policy, member);
      }
      for (Atoms& atoms : space_.atoms) atoms.starts.push_back(atoms.members.size());
    }
    add_ranges(joint.ipv4, &AddressSet::ipv4);
    add_ranges(joint.ipv6, &AddressSet::ipv6);
  }
  void add_member(u32 policy, u64 member) { space_.atoms[policy].members.push_back(static_cast<u32>(member)); }

  template <class Number, class Range>
  void add_ranges(const std::vector<Piece<Number>>& pieces, std::vector<Range> AddressSet::* ranges) {
    for (std::size_t i = 0; i < pieces.size(); ++i) {
      const Number last = i + 1 < pieces.size() ? pieces[i + 1].first - 1 : static_cast<Number>(~Number{0});
      (space_.addresses[pieces[i].atom].*ranges).push_back({pieces[i].first, last});
    }
  }

  void add_classes();
  void add_networks();
  std::string port_named(const JointClass& wanted) const;
  u32 best(std::string_view name) const;

  void add_mentions(std::vector<u32> Statement::* side, bool Statement::* any,
                    std::array<std::vector<std::vector<u32>>, 2>& mentions, std::vector<u32>& anybody) {
    for (const u32 policy : {old_policy, new_policy}) mentions[policy].resize(space_.models[policy]->segments.size());
    for (u32 rule = 0; rule < space_.statement_of.size(); ++rule) {
      const Statement& statement = space_.statement(rule);
      if (statement.*any) anybody.push_back(rule);
      else
        for (const u32 segment : statement.*side) mentions[space_.policy_of(rule)][segment].push_back(rule);
    }
  }

  void add_place(u32 port_class, u32 atom);
  void file(u32 port_class, u32 atom, const JointZone& like, Sequences<u32>& keys, std::vector<JointZone>& zones);
  void add_rules_of(u32 policy, std::array<std::vector<std::vector<u32>>, 2>& mentions, JointZone& like) {
    const std::size_t before = like.rules.size();
    for (const u32 segment : segments_)
      like.rules.insert(like.rules.end(), mentions[policy][segment].begin(), mentions[policy][segment].end());
    const auto own = like.rules.begin() + static_cast<std::ptrdiff_t>(before);
    std::sort(own, like.rules.end());
    like.rules.erase(std::unique(own, like.rules.end()), like.rules.end());
  }

  void find_sole_port(JointZone& zone) const {
    const u32 first = zone.places.front().port_class;
    const JointClass& port = space_.classes[first];
    if (port.kind != image::ClassKind::name || first == 0) return;
    if (std::ranges::all_of(zone.places, [&](Spot place) { return place.port_class == first; })) zone.sole_port = first;
  }

  JointSpace& space_;
  const Model &old_, &new_;
  std::vector<bool> no_source_, no_target_;                 // by atom
  std::array<std::vector<std::vector<u32>>, 2> from_, to_;  // by policy and segment: the rules that name it
  Sequences<u32> source_keys_, target_keys_;
  std::vector<u32> segments_, key_;
};

// A policy's class of a port whose best pattern of all is `pattern`: its own best is that or a shorter one.
u32 class_in(const std::vector<PortClassPlan>& plans, const JointClass& port) {
  u32 best = 0;
  std::size_t best_bytes = 0;
  for (u32 index = 1; index < plans.size(); ++index) {
    const PortClassPlan& plan = plans[index];
    if (plan.kind == image::ClassKind::network) continue;
    if (plan.kind == port.kind && plan.pattern == port.pattern) return index;
    if (plan.kind == image::ClassKind::name || !port.pattern.starts_with(plan.pattern)) continue;
    if (best != 0 && plan.pattern.size() <= best_bytes) continue;
    best = index;
    best_bytes = plan.pattern.size();
  }
  return best;
}

void Builder::add_classes() {
  std::map<std::pair<std::string, image::ClassKind>, bool> patterns;
  for (const u32 policy : {old_policy, new_policy}) {
    space_.plans[policy] = port_classes(*space_.models[policy]);
    for (std::size_t i = 1; i < space_.plans[policy].size(); ++i) {
      const PortClassPlan& plan = space_.plans[policy][i];
      if (plan.kind != image::ClassKind::network) patterns.emplace(std::pair(plan.pattern, plan.kind), true);
    }
  }
  space_.classes.emplace_back();
  for (const auto& [pattern, seen] : patterns) {
    JointClass& port = space_.classes.emplace_back();
    port.pattern = pattern.first;
    port.kind = pattern.second;
    for (const u32 policy : {old_policy, new_policy}) port.plan[policy] = class_in(space_.plans[policy], port);
  }
  for (JointClass& port : space_.classes) port.port_name = port_named(port);
  // Where longer patterns take every name, no port is of the class. Class 0 is also the inside of tunnels that have no
  // number, so that it always stays.
  std::vector<JointClass> met{space_.classes[0]};
  for (std::size_t i = 1; i < space_.classes.size(); ++i)
    if (!space_.classes[i].port_name.empty()) met.push_back(space_.classes[i]);
  space_.classes = std::move(met);
  add_networks();
}

void Builder::add_networks() {
  const auto bound = [&](u32 policy, u32 network) -> u32 {
    u32 unbound = 0;
    for (u32 index = 0; index < space_.plans[policy].size(); ++index) {
      const PortClassPlan& plan = space_.plans[policy][index];
      if (plan.kind != image::ClassKind::network) continue;
      if (plan.network == network) return index;
      if (plan.network == image::network_unbound) unbound = index;
    }
    return unbound;
  };
  std::map<u32, bool> numbers;
  for (const auto& plans : space_.plans)
    for (const PortClassPlan& plan : plans)
      if (plan.kind == image::ClassKind::network) numbers.emplace(plan.network, true);
  std::map<std::array<std::vector<u32>, 2>, std::size_t> known;  // by attached segments: a joint class
  for (auto [network, seen] : numbers) {
    JointClass made{image::ClassKind::network, "", {}, {bound(0, network), bound(1, network)}, 0, ""};
    const std::array attached{space_.plans[0][made.plan[0]].attached, space_.plans[1][made.plan[1]].attached};
    const auto [at, fresh] = known.emplace(attached, space_.classes.size());
    if (fresh) {
      made.domain = static_cast<u32>(known.size());
      space_.classes.push_back(made);
    }
    if (network != image::network_unbound) space_.classes[at->second].networks.push_back(network);
  }
}

// The class whose pattern is best for a name.
u32 Builder::best(std::string_view name) const {
  u32 found = 0;
  for (u32 i = 1; i < space_.classes.size(); ++i) {
    const JointClass& port = space_.classes[i];
    if (port.kind == image::ClassKind::name && port.pattern == name) return i;
    if (port.kind == image::ClassKind::prefix && name.starts_with(port.pattern) &&
        (found == 0 || port.pattern.size() > space_.classes[found].pattern.size()))
      found = i;
  }
  return found;
}

std::string Builder::port_named(const JointClass& wanted) const {
  const auto index = static_cast<u32>(&wanted - space_.classes.data());
  if (index != 0 && wanted.kind == image::ClassKind::name) return wanted.pattern;
  if (index == 0)
    for (const char* name : {"uplink", "p0", "eth0"})
      if (best(name) == 0) return name;
  for (char letter = '0'; letter <= 'z'; ++letter) {
    const std::string name = wanted.pattern + letter;
    if (std::isalnum(static_cast<unsigned char>(letter)) && best(name) == index) return name;
    if (std::isalnum(static_cast<unsigned char>(letter)) && best(name + "-weir") == index) return name + "-weir";
  }
  return !wanted.pattern.empty() && best(wanted.pattern) == index ? wanted.pattern : "";
}

void Builder::add_place(u32 port_class, u32 atom) {
  JointZone source, target;
  source.domain = target.domain = space_.classes[port_class].domain;
  for (const u32 policy : {old_policy, new_policy}) {
    const Model& model = *space_.models[policy];
    const PortClassPlan& plan = space_.plan(policy, port_class);
    source.spoofed[policy] = !source_segments(model, space_.atoms[policy], plan, atom, segments_);
    if (!source.spoofed[policy]) {
      add_rules_of(policy, from_, source);
      source.rejects[policy] = std::ranges::any_of(segments_, [&](u32 one) { return model.segments[one].reject; });
    }
    target_segments(model, space_.atoms[policy], plan, atom, segments_);
    add_rules_of(policy, to_, target);
  }
  const bool never_passes = source.spoofed[old_policy] && source.spoofed[new_policy];
  if (!no_source_[atom] && !never_passes) file(port_class, atom, source, source_keys_, space_.sources);
  if (!no_target_[atom]) file(port_class, atom, target, target_keys_, space_.targets);
}

void Builder::file(u32 port_class, u32 atom, const JointZone& like, Sequences<u32>& keys,
                   std::vector<JointZone>& zones) {
  for (const bool is_ipv4 : {true, false}) {
    const AddressSet& set = space_.addresses[atom];
    if (is_ipv4 ? set.ipv4.empty() : set.ipv6.empty()) continue;
    u32 flags = is_ipv4;
    for (const u32 policy : {old_policy, new_policy})
      flags = flags * 4 + like.spoofed[policy] * 2u + like.rejects[policy];
    key_.assign({like.domain, flags});
    key_.insert(key_.end(), like.rules.begin(), like.rules.end());
    const u32 zone = keys.intern(key_);
    if (zone == zones.size()) {
      zones.push_back(like);
      zones.back().is_ipv4 = is_ipv4;
    }
    zones[zone].places.push_back({port_class, atom});
  }
}

}  // namespace

std::optional<JointSpace> joint_space(const Model& old_model, const Model& new_model) {
  JointSpace space;
  space.models = {&old_model, &new_model};
  if (!Builder(space).build()) return std::nullopt;
  const std::array names{inspection_names(old_model, new_model), inspection_names(new_model, new_model)};
  space.inspections = {""};
  for (u32 rule = 0; rule < space.statement_of.size(); ++rule) {
    const u32 policy = space.policy_of(rule);
    const std::string list = inspections_of(*space.models[policy], space.statement(rule), names[policy]);
    const auto at = std::ranges::find(space.inspections, list);
    space.looked_by.push_back(static_cast<u32>(at - space.inspections.begin()));
    if (at == space.inspections.end()) space.inspections.push_back(list);
  }
  return space;
}

const AddressSet& impossible_targets() {
  static const AddressSet set = never({"0.0.0.0/8", "127.0.0.0/8", "::/127", "ffff:ffff:ffff:ffff::/64"});
  return set;
}

const AddressSet& impossible_sources() {
  static const AddressSet set = never({"127.0.0.0/8", "224.0.0.0/3", "::1", "ff00::/8"});
  return set;
}

ServicePoints points_in_family(const ServicePoints& points, bool is_ipv4) {
  ServicePoints kept = points;
  using image::ServiceField;
  kept[static_cast<u32>(is_ipv4 ? ServiceField::icmp6 : ServiceField::icmp4)].clear();
  const std::vector<PortRange> elsewhere = {
      {6, 6}, {17, 17}, {132, 132}, is_ipv4 ? PortRange{1, 1} : PortRange{58, 58}};
  auto& protocols = kept[static_cast<u32>(ServiceField::protocol)];
  for (const PortRange& one : elsewhere) protocols = subtract(protocols, std::vector<PortRange>{one});
  return kept;
}

bool empty(const ServicePoints& points) {
  return std::ranges::all_of(points, [](const auto& ranges) { return ranges.empty(); });
}

}  // namespace weir::control
