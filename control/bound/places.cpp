// Every atom on every class of ports. What differs only by the port it stands on, or by segments that policy treats
// alike, is one place.
#include "control/bound/places.hpp"

#include "control/compile/identity.hpp"

#include <algorithm>
#include <map>
#include <set>

namespace weir::control {
namespace {

// By segment: the first that no statement, account, asset, class or rate tells from it. Segments of budgets that have
// an account for each of them, or for each of their hosts, stay apart.
std::vector<u32> stand_ins(const Model& model) {
  std::vector<std::vector<u64>> roles(model.segments.size());
  u64 role = 0;
  const auto mention = [&](const std::vector<u32>& segments) {
    for (const u32 segment : segments) roles[segment].push_back(role);
    ++role;
  };
  for (u32 segment = 0; segment < roles.size(); ++segment) {
    const Segment& one = model.segments[segment];
    roles[segment] = {static_cast<u64>(one.security_class ? static_cast<int>(*one.security_class) + 1 : 0), one.is_list,
                      one.rate_bits_per_s ? segment + 1 : u64{0}};
  }
  for (const Statement& one : model.statements) mention(one.from), mention(one.to);
  for (const Budget& one : model.budgets) {
    mention(one.from), mention(one.to);
    if (one.scope != Budget::Scope::fleet)
      for (const u32 segment : one.from) mention({segment});
  }
  for (const Limit& one : model.limits) mention(one.from), mention(one.to);
  for (const Asset& one : model.assets) mention(one.held);
  std::map<std::vector<u64>, u32> first;
  std::vector<u32> stand_in;
  for (u32 segment = 0; segment < roles.size(); ++segment)
    stand_in.push_back(first.try_emplace(roles[segment], segment).first->second);
  return stand_in;
}

class Finder {
 public:
  explicit Finder(const Model& model) : model_(model), atoms_(split(model)), stand_in_(stand_ins(model)) {
    file({});
    for (const PortClassPlan& port : port_classes(model)) all_on(port);
    // Who cannot send matters only as a target that nobody else is.
    for (const auto& targets : mute_)
      if (!heard(targets)) file({{}, targets, false});
    std::sort(found_.networked.begin(), found_.networked.end());
    found_.networked.erase(std::unique(found_.networked.begin(), found_.networked.end()), found_.networked.end());
    found_.of_segment.resize(model.segments.size());
    for (u32 place = 0; place < found_.all.size(); ++place) {
      std::vector<u32> segments = found_.all[place].as_source;
      segments.insert(segments.end(), found_.all[place].as_target.begin(), found_.all[place].as_target.end());
      std::sort(segments.begin(), segments.end());
      segments.erase(std::unique(segments.begin(), segments.end()), segments.end());
      for (const u32 segment : segments) found_.of_segment[segment].push_back(place);
    }
    for (u32 segment = 0; segment < stand_in_.size(); ++segment)
      found_.of_segment[segment] = found_.of_segment[stand_in_[segment]];
  }
  Places take() { return std::move(found_); }

 private:
  void all_on(const PortClassPlan& port) {
    std::vector<u32> here;
    Site place;
    for (u32 atom = 0; atom < atoms_.count(); ++atom) {
      place.as_target.clear();
      target_segments(model_, atoms_, port, atom, place.as_target);
      stand_in(place.as_target);
      if (!source_segments(model_, atoms_, port, atom, place.as_source)) {
        mute_.insert(place.as_target);
        continue;
      }
      stand_in(place.as_source);
      here.push_back(file(place));
    }
    std::sort(here.begin(), here.end());
    here.erase(std::unique(here.begin(), here.end()), here.end());
    if (port.kind == image::ClassKind::network)
      found_.networked.insert(found_.networked.end(), here.begin(), here.end());
    else if ((!port.attached.empty() || port.pins_addresses) && here.size() > 1) found_.together.push_back(here);
  }

  void stand_in(std::vector<u32>& segments) const {
    for (u32& segment : segments) segment = stand_in_[segment];
    std::sort(segments.begin(), segments.end());
    segments.erase(std::unique(segments.begin(), segments.end()), segments.end());
  }

  u32 file(const Site& place) {
    const auto [at, fresh] = known_.try_emplace(place, static_cast<u32>(found_.all.size()));
    if (fresh) found_.all.push_back(place);
    return at->second;
  }

  bool heard(const std::vector<u32>& targets) const {
    return std::any_of(found_.all.begin(), found_.all.end(), [&](const Site& one) { return one.as_target == targets; });
  }

  const Model& model_;
  const Atoms atoms_;
  const std::vector<u32> stand_in_;
  Places found_;
  std::map<Site, u32> known_;
  std::set<std::vector<u32>> mute_;
};

}  // namespace

Places find_places(const Model& model) { return Finder(model).take(); }

bool has_classes(const Model& model) {
  return std::any_of(model.segments.begin(), model.segments.end(),
                     [](const Segment& one) { return one.security_class.has_value(); });
}

Class class_as_source(const Model& model, const Site& place) {
  Class highest = Class::public_;
  for (const u32 segment : place.as_source) {
    const Segment& one = model.segments[segment];
    highest = std::max(highest, one.security_class.value_or(one.is_list ? Class::secret : Class::public_));
  }
  return highest;
}

Class class_as_target(const Model& model, const Site& place) {
  if (place.as_target.empty()) return Class::public_;
  Class lowest = Class::secret;
  for (const u32 segment : place.as_target) {
    const Segment& one = model.segments[segment];
    lowest = std::min(lowest, one.security_class.value_or(Class::public_));
  }
  return lowest;
}

bool meets(const std::vector<u32>& a, const std::vector<u32>& b) {
  for (auto x = a.begin(), y = b.begin(); x != a.end() && y != b.end();) {
    if (*x == *y) return true;
    if (*x < *y) ++x;
    else ++y;
  }
  return false;
}

}  // namespace weir::control
