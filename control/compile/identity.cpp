// A pin is a claim: what it lists belongs to its port alone. Pins speak of the wire, so that inside a network they say
// nothing.
#include "control/compile/identity.hpp"

#include <algorithm>
#include <iterator>
#include <map>
#include <set>
#include <string_view>

namespace weir::control {

namespace {

struct PortPattern {
  std::string text;
  bool is_prefix;
  auto operator<=>(const PortPattern&) const = default;

  static PortPattern of(const std::string& written) {
    if (!written.empty() && written.back() == '*') return {written.substr(0, written.size() - 1), true};
    return {written, false};
  }
  // Whether every port that `other` matches is matched by this.
  bool covers(const PortPattern& other) const {
    return is_prefix ? other.text.starts_with(text) : !other.is_prefix && other.text == text;
  }
};

std::optional<u32> pin_of(const Model& model, const PortPattern& port) {
  std::optional<u32> best;
  std::size_t best_length = 0;
  for (u32 i = 0; i < model.ports.size(); ++i) {
    const PortPattern pin = PortPattern::of(model.ports[i].name);
    if (pin == port) return i;
    if (!pin.is_prefix || !pin.covers(port)) continue;
    if (best && pin.text.size() <= best_length) continue;
    best = i;
    best_length = pin.text.size();
  }
  return best;
}

void add_networks(const Model& model, std::vector<PortClassPlan>& classes) {
  std::map<u32, std::vector<u32>> bound;
  for (u32 i = 0; i < model.segments.size(); ++i)
    for (const u32 network : model.segments[i].vnis) bound[network].push_back(i);
  PortClassPlan plan;
  plan.kind = image::ClassKind::network;
  plan.network = image::network_unbound;
  classes.push_back(plan);
  for (auto& [network, segments] : bound) {
    plan.network = network;
    plan.attached = std::move(segments);
    classes.push_back(plan);
  }
}

bool is_bound(const Segment& segment) { return !segment.vnis.empty(); }

// The segments bound to the network that have the atom, or that have no addresses of their own.
void segments_in_network(const Model& model, const Atoms& atoms, const PortClassPlan& network, u32 atom,
                         std::vector<u32>& segments) {
  const std::span<const u32> members = atoms.of(atom);
  for (const u32 segment : network.attached)
    if (!model.segments[segment].has_addresses || std::binary_search(members.begin(), members.end(), segment))
      segments.push_back(segment);
}

}  // namespace

std::vector<PortClassPlan> port_classes(const Model& model) {
  std::set<PortPattern> patterns;
  for (const Segment& segment : model.segments)
    if (!is_bound(segment))
      for (const std::string& attach : segment.attach) patterns.insert(PortPattern::of(attach));
  for (const PortPin& pin : model.ports) patterns.insert(PortPattern::of(pin.name));

  std::vector<PortClassPlan> classes(1);
  for (const PortPattern& pattern : patterns) {
    const auto kind = pattern.is_prefix ? image::ClassKind::prefix : image::ClassKind::name;
    PortClassPlan plan{pattern.text, kind, 0, {}, pin_of(model, pattern), false};
    for (u32 i = 0; i < model.segments.size(); ++i) {
      const auto& attach = model.segments[i].attach;
      if (is_bound(model.segments[i])) continue;
      if (std::any_of(attach.begin(), attach.end(), [&](const auto& a) { return PortPattern::of(a).covers(pattern); }))
        plan.attached.push_back(i);
    }
    plan.pins_addresses = plan.pin && model.ports[*plan.pin].has_addresses;
    classes.push_back(std::move(plan));
  }
  add_networks(model, classes);
  return classes;
}

bool source_segments(const Model& model, const Atoms& atoms, const PortClassPlan& port, u32 atom,
                     std::vector<u32>& segments) {
  segments.clear();
  if (port.kind == image::ClassKind::network) {
    segments_in_network(model, atoms, port, atom, segments);
    return true;
  }
  const u32 segments_count = static_cast<u32>(model.segments.size());
  const std::span<const u32> members = atoms.of(atom);
  const auto first_pin = std::lower_bound(members.begin(), members.end(), segments_count);
  if (port.pins_addresses) {
    if (!std::binary_search(first_pin, members.end(), segments_count + *port.pin)) return false;
  } else if (first_pin != members.end()) {
    return false;
  }
  const auto on_the_wire = [&](u32 member) { return !is_bound(model.segments[member]); };
  if (port.attached.empty()) {
    std::copy_if(members.begin(), first_pin, std::back_inserter(segments), on_the_wire);
    return true;
  }
  for (const u32 segment : port.attached)
    if (!model.segments[segment].has_addresses || std::binary_search(members.begin(), first_pin, segment))
      segments.push_back(segment);
  if (segments.empty()) return false;
  // What is attached nowhere is known by address on every port: a forbid from a list must reach the host behind it.
  for (auto member = members.begin(); member != first_pin; ++member)
    if (model.segments[*member].attach.empty() && on_the_wire(*member)) segments.push_back(*member);
  std::sort(segments.begin(), segments.end());
  return true;
}

void target_segments(const Model& model, const Atoms& atoms, const PortClassPlan& port, u32 atom,
                     std::vector<u32>& segments) {
  segments.clear();
  if (port.kind == image::ClassKind::network) return segments_in_network(model, atoms, port, atom, segments);
  for (const u32 member : atoms.of(atom))
    if (member < model.segments.size() && !is_bound(model.segments[member])) segments.push_back(member);
  for (const u32 segment : port.attached)
    if (!model.segments[segment].has_addresses) segments.push_back(segment);
}

}  // namespace weir::control
