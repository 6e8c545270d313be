// The example is the first packet of a rectangle's first pair that can meet, with an address and a port that people
// know rather than the lowest ones. It is asked of both compiled policies; an answer that does not bear out the
// rectangle stops everything.
#include "control/diff/entries.hpp"

#include "control/diff/example.hpp"
#include "control/model/address.hpp"
#include "control/model/services.hpp"

#include <fmt/format.h>
#include <algorithm>
#include <map>

namespace weir::control {

EntryMaker::EntryMaker(const JointSpace& space, const Regions& regions, const Fates& fates,
                       std::array<const PolicySide*, 2> sides, std::int64_t now_s)
    : space_(space),
      regions_(regions),
      fates_(fates),
      sides_(sides),
      now_s_(now_s),
      namer_(space, {sides[0]->names, sides[1]->names}) {}

std::expected<std::vector<DiffEntry>, std::string> EntryMaker::make() {
  std::vector<Draft> drafts;
  std::map<std::tuple<u32, u32, std::string, std::string>, std::vector<std::size_t>> ipv4;  // that IPv6 may join
  for (const Rectangle& rectangle : regions_.rectangles) {
    Draft made = draft(rectangle);
    auto& alike = ipv4[{rectangle.change, rectangle.domain, made.from.text, made.to.text}];
    if (rectangle.is_ipv4) alike.push_back(drafts.size());
    else if (std::ranges::any_of(alike, [&](std::size_t one) { return join(drafts[one], made); })) continue;
    drafts.push_back(std::move(made));
  }
  std::vector<DiffEntry> entries;
  for (Draft& one : drafts) {
    add_family(one);
    one.entry.from = one.from.text;
    one.entry.to = one.to.text;
    one.entry.domain = namer_.call_domain(one.rectangles.front()->domain);
    const u32 preferred = one.entry.kind == ChangeKind::newly_denied ? old_policy : new_policy;
    one.entry.services = namer_.call_services(one.points, one.entry.ipv4, one.entry.ipv6, preferred);
    one.entry.points = one.points;
    one.entry.sources = places_of(space_.sources, one, true);
    one.entry.targets = places_of(space_.targets, one, false);
    add_statements(one);
    const Found found = add_example(one);
    if (found == Found::none) continue;
    if (found == Found::contradicted)
      return std::unexpected(fmt::format("{} > {} {}: the compiled policies do not bear this out (a fault of weir)",
                                         one.entry.from, one.entry.to, one.entry.services));
    entries.push_back(std::move(one.entry));
  }
  std::ranges::stable_sort(entries, [](const DiffEntry& a, const DiffEntry& b) {
    return std::tie(a.kind, a.domain, a.from, a.to, a.services, a.family) <
           std::tie(b.kind, b.domain, b.from, b.to, b.services, b.family);
  });
  return entries;
}

EntryMaker::Draft EntryMaker::draft(const Rectangle& rectangle) {
  const Change& change = regions_.changes[rectangle.change];
  const u32 preferred = change.kind == ChangeKind::newly_denied ? old_policy : new_policy;
  Draft made;
  made.rectangles = {&rectangle};
  made.from = namer_.call(Side::source, rectangle, change.kind, preferred);
  made.to = namer_.call(Side::target, rectangle, change.kind, preferred);
  for (const u32 service : rectangle.services)
    made.points = unite(made.points, points_in_family(space_.points[service], rectangle.is_ipv4));
  made.entry.kind = change.kind;
  (rectangle.is_ipv4 ? made.entry.ipv4 : made.entry.ipv6) = true;
  if (change.kind == ChangeKind::treated_otherwise)
    for (const u32 policy : {old_policy, new_policy}) {
      const auto pieces = fates_.at(change.fates[policy]);
      made.entry.fates[policy].assign(pieces.begin(), pieces.end());
    }
  return made;
}

// One entry of both families, when what both can have of services is the same.
bool EntryMaker::join(Draft& ipv4, const Draft& ipv6) const {
  if (ipv4.entry.ipv6) return false;
  const auto shared = [](const ServicePoints& points) {
    return points_in_family(points_in_family(points, true), false);
  };
  if (!equal(shared(ipv4.points), shared(ipv6.points))) return false;
  ipv4.rectangles.push_back(ipv6.rectangles.front());
  ipv4.points = unite(ipv4.points, ipv6.points);
  ipv4.entry.ipv6 = true;
  return true;
}

void EntryMaker::add_family(Draft& draft) {
  if (draft.entry.ipv4 && draft.entry.ipv6) return;
  const bool other = !draft.entry.ipv4;
  const u32 domain = draft.rectangles.front()->domain;
  if (empty(points_in_family(draft.points, other))) return;
  if (!namer_.means_somebody(Side::source, domain, other, draft.from)) return;
  if (!namer_.means_somebody(Side::target, domain, other, draft.to)) return;
  draft.entry.family = draft.entry.ipv4 ? "IPv4" : "IPv6";
}

void EntryMaker::add_statements(Draft& draft) const {
  std::vector<u8> sides(space_.statement_of.size(), 0);
  const auto mark = [&](const std::vector<u32>& rules, u8 side) {
    for (const u32 rule : rules) sides[rule] |= side;
  };
  for (const Rectangle* one : draft.rectangles) {
    for (const u32 zone : one->sources) mark(space_.sources[zone].rules, 1);
    for (const u32 zone : one->targets) mark(space_.targets[zone].rules, 2);
  }
  mark(space_.any_from, 1);
  mark(space_.any_to, 2);
  std::vector<bool> is_in(space_.points.size(), false);
  for (const Rectangle* one : draft.rectangles)
    for (const u32 service : one->services) is_in[service] = true;
  for (u32 rule = 0; rule < sides.size(); ++rule) {
    if (sides[rule] != 3) continue;
    const u32 policy = space_.policy_of(rule);
    const Statement& statement = space_.statement(rule);
    if (statement.is_forbid == allows(draft.entry, policy)) continue;
    const auto& services = space_.services_of_set[space_.service_set_of[rule]];
    if (std::ranges::any_of(services, [&](u32 service) { return is_in[service]; }))
      draft.entry.statements[policy].push_back(space_.statement_of[rule]);
  }
}

EntryMaker::Found EntryMaker::add_example(Draft& draft) const {
  for (const Rectangle* rectangle : draft.rectangles)
    for (const u32 from : rectangle->sources)
      for (const u32 to : rectangle->targets) {
        if (never_meet(space_.sources[from], space_.targets[to])) continue;
        ExamplePicker picker(space_, {&sides_[0]->policy, &sides_[1]->policy});
        if (!picker.pick(*rectangle, from, to, draft.points)) continue;
        draft.entry.example = picker.take();
        return is_borne_out(draft.entry) ? Found::some : Found::contradicted;
      }
  return Found::none;
}

// Asks both compiled policies about the example.
bool EntryMaker::is_borne_out(DiffEntry& entry) const {
  for (const u32 policy : {old_policy, new_policy}) {
    const Tick now = static_cast<Tick>(now_s_) * tick_second;
    Judgement& judgement = entry.example.judgements[policy];
    judgement = sides_[policy]->policy.judge(entry.example.questions[policy], now);
    const bool allowed = row(judgement.reason).verdict == Verdict::forward;
    if (allowed != allows(entry, policy)) return false;
  }
  return true;
}

bool EntryMaker::allows(const DiffEntry& entry, u32 policy) {
  if (entry.kind == ChangeKind::treated_otherwise) return entry.fates[policy].front().allowed != 0;
  return (entry.kind == ChangeKind::newly_allowed) == (policy == new_policy);
}

std::vector<DiffPlaces> EntryMaker::places_of(const std::vector<JointZone>& zones, const Draft& draft,
                                              bool is_source) const {
  std::map<std::vector<u32>, AddressSet> by_classes;
  for (const Rectangle* one : draft.rectangles) {
    std::map<u32, std::vector<u32>> classes_of;  // by atom
    for (const u32 zone : is_source ? one->sources : one->targets)
      for (const Spot place : zones[zone].places) classes_of[place.atom].push_back(place.port_class);
    for (auto& [atom, classes] : classes_of) {
      std::ranges::sort(classes);
      AddressSet& set = by_classes[classes];
      const AddressSet& more = space_.addresses[atom];
      if (one->is_ipv4) set.ipv4.insert(set.ipv4.end(), more.ipv4.begin(), more.ipv4.end());
      else set.ipv6.insert(set.ipv6.end(), more.ipv6.begin(), more.ipv6.end());
    }
  }
  std::vector<DiffPlaces> places;
  for (auto& [classes, set] : by_classes) {
    normalise(set);
    places.push_back({classes, std::move(set)});
  }
  return places;
}

}  // namespace weir::control
