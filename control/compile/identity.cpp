// A pin is a claim: what it lists belongs to its port alone.
#include "control/compile/identity.hpp"

#include <algorithm>
#include <set>
#include <string_view>

namespace weir::control {

namespace {

struct Pattern {
  std::string text;
  bool is_prefix;
  auto operator<=>(const Pattern&) const = default;

  static Pattern of(const std::string& written) {
    if (!written.empty() && written.back() == '*') return {written.substr(0, written.size() - 1), true};
    return {written, false};
  }
  // Whether every port that `other` matches is matched by this.
  bool covers(const Pattern& other) const {
    return is_prefix ? other.text.starts_with(text) : !other.is_prefix && other.text == text;
  }
};

std::optional<u32> pin_of(const Model& model, const Pattern& port) {
  std::optional<u32> best;
  std::size_t best_length = 0;
  for (u32 i = 0; i < model.ports.size(); ++i) {
    const Pattern pin = Pattern::of(model.ports[i].name);
    if (pin == port) return i;
    if (!pin.is_prefix || !pin.covers(port)) continue;
    if (best && pin.text.size() <= best_length) continue;
    best = i;
    best_length = pin.text.size();
  }
  return best;
}

}  // namespace

std::vector<PortClassPlan> port_classes(const Model& model) {
  std::set<Pattern> patterns;
  for (const Segment& segment : model.segments)
    for (const std::string& attach : segment.attach) patterns.insert(Pattern::of(attach));
  for (const PortPin& pin : model.ports) patterns.insert(Pattern::of(pin.name));

  std::vector<PortClassPlan> classes(1);
  for (const Pattern& pattern : patterns) {
    PortClassPlan plan{pattern.text, pattern.is_prefix, {}, pin_of(model, pattern), false};
    for (u32 i = 0; i < model.segments.size(); ++i) {
      const auto& attach = model.segments[i].attach;
      if (std::any_of(attach.begin(), attach.end(), [&](const auto& a) { return Pattern::of(a).covers(pattern); }))
        plan.attached.push_back(i);
    }
    plan.pins_addresses = plan.pin && model.ports[*plan.pin].has_addresses;
    classes.push_back(std::move(plan));
  }
  return classes;
}

bool source_segments(const Model& model, const Atoms& atoms, const PortClassPlan& port, u32 atom,
                     std::vector<u32>& segments) {
  segments.clear();
  const u32 segments_count = static_cast<u32>(model.segments.size());
  const std::span<const u32> members = atoms.of(atom);
  const auto first_pin = std::lower_bound(members.begin(), members.end(), segments_count);
  if (port.pins_addresses) {
    if (!std::binary_search(first_pin, members.end(), segments_count + *port.pin)) return false;
  } else if (first_pin != members.end()) {
    return false;
  }
  if (port.attached.empty()) {
    segments.assign(members.begin(), first_pin);
    return true;
  }
  for (const u32 segment : port.attached)
    if (!model.segments[segment].has_addresses || std::binary_search(members.begin(), first_pin, segment))
      segments.push_back(segment);
  if (segments.empty()) return false;
  // What is attached nowhere is known by address on every port: a forbid from a list must reach the host behind it.
  for (auto member = members.begin(); member != first_pin; ++member)
    if (model.segments[*member].attach.empty()) segments.push_back(*member);
  std::sort(segments.begin(), segments.end());
  return true;
}

void target_segments(const Model& model, const Atoms& atoms, const PortClassPlan& port, u32 atom,
                     std::vector<u32>& segments) {
  segments.clear();
  for (const u32 member : atoms.of(atom))
    if (member < model.segments.size()) segments.push_back(member);
  for (const u32 segment : port.attached)
    if (!model.segments[segment].has_addresses) segments.push_back(segment);
}

}  // namespace weir::control
