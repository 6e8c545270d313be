// Ends (a port class and an atom) that no class, budget or asset tells apart are one kind. Every allow is judged over
// the pairs of kinds that it joins, in both directions.
#include "control/check/leaks.hpp"

#include "control/compile/identity.hpp"
#include "control/compile/sequences.hpp"
#include "control/model/services.hpp"

#include <algorithm>
#include <map>
#include <optional>

namespace weir::control {
namespace {

using Indices = std::vector<std::uint32_t>;

void sort_unique(Indices& indices) {
  std::ranges::sort(indices);
  indices.erase(std::unique(indices.begin(), indices.end()), indices.end());
}

// Who can be at one side of a connection, as far as it matters here.
struct Kind {
  Class high, low;                // as a source, as a target
  bool sends;                     // false: a source there is spoofed
  std::uint32_t plane;            // 0 on the wire, else the network's class
  bool holds_asset;
  Indices from, to, outside_not;  // budgets that name it in `from`, in `to`; without `to` and with it in `from`
};

// A kind at one segment, with the segments whose classes count there.
struct Seat {
  std::uint32_t kind, higher, lower;
};

class Kinds {
 public:
  explicit Kinds(const Model& model) : model_(model) {
    const std::size_t segments = model.segments.size();
    sources_.resize(segments), targets_.resize(segments), from_.resize(segments), to_.resize(segments);
    asset_.resize(segments, false);
    for (std::uint32_t b = 0; b < model.budgets.size(); ++b) {
      if (model.budgets[b].monitor) continue;
      for (const std::uint32_t segment : model.budgets[b].from) from_[segment].push_back(b);
      for (const std::uint32_t segment : model.budgets[b].to) to_[segment].push_back(b);
    }
    for (const Asset& asset : model.assets)
      for (const std::uint32_t segment : asset.held) asset_[segment] = true;
    const Atoms atoms = split(model);
    const std::vector<PortClassPlan> classes = port_classes(model);
    // Where some pattern fits every port, there is no other.
    const bool all_named = std::ranges::any_of(
        classes, [](const PortClassPlan& one) { return one.kind == image::ClassKind::prefix && one.pattern.empty(); });
    for (std::uint32_t c = all_named ? 1 : 0; c < classes.size(); ++c)
      for (std::uint32_t atom = 0; atom < atoms.count(); ++atom) add(classes[c], c, atoms, atom);
  }

  const Kind& at(std::uint32_t kind) const { return kinds_[kind]; }
  const std::vector<Seat>& sources(std::uint32_t segment) const { return sources_[segment]; }
  const std::vector<Seat>& targets(std::uint32_t segment) const { return targets_[segment]; }

 private:
  void add(const PortClassPlan& port, std::uint32_t port_class, const Atoms& atoms, std::uint32_t atom) {
    const bool sends = source_segments(model_, atoms, port, atom, source_);
    target_segments(model_, atoms, port, atom, target_);
    sort_unique(source_);
    sort_unique(target_);
    if (source_.empty() && target_.empty()) return;
    const bool network = port.kind == image::ClassKind::network;
    // Ends in the same segments are met once.
    key_.assign({sends, network ? port_class : 0, static_cast<std::uint32_t>(source_.size())});
    key_.insert(key_.end(), source_.begin(), source_.end());
    key_.insert(key_.end(), target_.begin(), target_.end());
    // What is attached without addresses is known by its port: which addresses it claims says nothing of its class.
    Indices known;
    for (const std::uint32_t one : port.attached)
      if (!network && !model_.segments[one].has_addresses) known.push_back(one);
    key_.push_back(~0u);
    key_.insert(key_.end(), known.begin(), known.end());
    const std::uint32_t fresh = ends_.count();
    if (ends_.intern(key_) != fresh) return;
    enter(sends, network ? port_class : 0, known.empty() ? (target_.empty() ? source_ : target_) : known);
  }

  void enter(bool sends, std::uint32_t plane, const Indices& known) {
    Seat seat{0, known.front(), known.front()};
    for (const std::uint32_t one : known) {
      const Segment& other = model_.segments[one];
      if (class_as_source(other) > class_as_source(model_.segments[seat.higher])) seat.higher = one;
      if (class_as_target(other) < class_as_target(model_.segments[seat.lower])) seat.lower = one;
    }
    Kind kind{class_as_source(model_.segments[seat.higher]),
              class_as_target(model_.segments[seat.lower]),
              sends,
              plane,
              false,
              {},
              {},
              {}};
    for (const std::uint32_t one : source_) {
      kind.from.insert(kind.from.end(), from_[one].begin(), from_[one].end());
      kind.holds_asset = kind.holds_asset || asset_[one];
    }
    for (const std::uint32_t one : target_) {
      kind.to.insert(kind.to.end(), to_[one].begin(), to_[one].end());
      kind.holds_asset = kind.holds_asset || asset_[one];
      for (const std::uint32_t b : from_[one])
        if (model_.budgets[b].to_any) kind.outside_not.push_back(b);
    }
    for (Indices* list : {&kind.from, &kind.to, &kind.outside_not}) sort_unique(*list);
    key_.assign(
        {static_cast<std::uint32_t>(kind.high), static_cast<std::uint32_t>(kind.low), sends, plane, kind.holds_asset});
    for (const Indices* list : {&kind.from, &kind.to, &kind.outside_not}) {
      key_.push_back(static_cast<std::uint32_t>(list->size()));
      key_.insert(key_.end(), list->begin(), list->end());
    }
    seat.kind = signatures_.intern(key_);
    if (seat.kind == kinds_.size()) kinds_.push_back(std::move(kind));
    const auto seen = [&](const std::vector<Seat>& seats) {
      return std::ranges::find(seats, seat.kind, &Seat::kind) != seats.end();
    };
    if (sends)
      for (const std::uint32_t one : source_)
        if (!seen(sources_[one])) sources_[one].push_back(seat);
    for (const std::uint32_t one : target_)
      if (!seen(targets_[one])) targets_[one].push_back(seat);
  }

  const Model& model_;
  Indices source_, target_, key_;
  std::vector<Indices> from_, to_;  // by segment: budgets that name it
  std::vector<bool> asset_;  // by segment: whether it holds one
  Sequences<std::uint32_t> ends_, signatures_;
  std::vector<Kind> kinds_;
  std::vector<std::vector<Seat>> sources_, targets_;  // by segment
};

class Search {
 public:
  explicit Search(const Model& model) : model_(model), kinds_(model) {}

  Leaks down_in_class() {
    for (std::uint32_t i = 0; i < model_.statements.size() && !made_.too_many; ++i)
      if (!model_.statements[i].is_forbid)
        judge(i, [](const Kind& source, const Kind& target) { return source.high > target.low; });
    return std::move(made_);
  }

  Leaks of_breakglass() {
    only_bounds_ = true;
    const bool knows_assets = !model_.assets.empty();
    for (std::uint32_t i = 0; i < model_.statements.size() && !made_.too_many; ++i)
      if (model_.statements[i].breakglass_s != 0)
        judge(i, [&](const Kind& source, const Kind&) { return !knows_assets || source.holds_asset; });
    return std::move(made_);
  }

 private:
  // The services of a flow that no budget covers, and what alerting budgets cover of that.
  struct Cover {
    ServiceSet left;
    bool partly = false;
    Indices alerts;
  };

  bool applies(std::uint32_t budget, const Kind& target) const {
    return model_.budgets[budget].to_any ? !std::ranges::binary_search(target.outside_not, budget)
                                         : std::ranges::binary_search(target.to, budget);
  }

  Cover cover(const ServiceSet& services, const Kind& source, const Kind& target) const {
    Cover made{services, false, {}};
    for (const bool alerts : {false, true})
      for (const std::uint32_t b : source.from) {
        const Budget& budget = model_.budgets[b];
        const bool only_alerts = budget.on_exceed == Budget::Exceed::alert;
        if (alerts != only_alerts || empty(made.left) || !applies(b, target)) continue;
        if (!overlaps(made.left, budget.services)) continue;
        if (alerts && (source.holds_asset || only_bounds_)) continue;
        made.left = subtract(made.left, budget.services);
        made.partly = true;
        if (alerts) made.alerts.push_back(b);
      }
    return made;
  }

  // `counts` says which flows must be covered.
  template <class Counts>
  void judge(std::uint32_t index, Counts counts) {
    const Statement& statement = model_.statements[index];
    open_.reset();
    alerted_.reset();
    for (const std::uint32_t from : statement.from)
      for (const std::uint32_t to : statement.to)
        for (const Seat& a : kinds_.sources(from))
          for (const Seat& b : kinds_.targets(to)) {
            if (++pairs_ > leak_pairs_max) {
              made_.too_many = true;
              return;
            }
            const Kind &dialler = kinds_.at(a.kind), &target = kinds_.at(b.kind);
            if (dialler.plane != target.plane) continue;
            if (counts(dialler, target))
              flow(index, {index, from, to, a.higher, b.lower, false, {}, false, {}}, dialler, target);
            if (target.sends && counts(target, dialler))
              flow(index, {index, to, from, b.higher, a.lower, true, {}, false, {}}, target, dialler);
          }
    if (open_) made_.open.push_back(std::move(*open_));
    else if (alerted_) made_.alerted.push_back(std::move(*alerted_));
  }

  void flow(std::uint32_t index, Leak leak, const Kind& source, const Kind& target) {
    std::optional<Leak>* into = &open_;
    // Nothing is worse than what is known already: requests before replies, then the wider step.
    if (open_ && !worse(leak, *open_)) return;
    Cover found = cover(model_.statements[index].services, source, target);
    if (empty(found.left)) {
      if (found.alerts.empty() || open_) return;
      into = &alerted_;
    }
    if (*into && !worse(leak, **into)) return;
    leak.left = std::move(found.left);
    leak.partly = found.partly;
    leak.alerts = std::move(found.alerts);
    *into = std::move(leak);
  }

  int step(const Leak& leak) const {
    return static_cast<int>(class_as_source(model_.segments[leak.higher])) -
           static_cast<int>(class_as_target(model_.segments[leak.lower]));
  }
  bool worse(const Leak& leak, const Leak& known) const {
    if (leak.by_replies != known.by_replies) return known.by_replies;
    return step(leak) > step(known);
  }

  const Model& model_;
  const Kinds kinds_;
  Leaks made_;
  std::optional<Leak> open_, alerted_;  // of the present allow
  std::uint64_t pairs_ = 0;
  bool only_bounds_ = false;             // budgets that alert cover nothing
};

}  // namespace

Class class_as_source(const Segment& segment) {
  return segment.security_class.value_or(segment.is_list ? Class::secret : Class::public_);
}
Class class_as_target(const Segment& segment) {
  return segment.security_class.value_or(segment.is_list ? Class::public_ : Class::secret);
}

Leaks find_leaks(const Model& model) { return Search(model).down_in_class(); }

Leaks find_unbudgeted(const Model& model) { return Search(model).of_breakglass(); }

}  // namespace weir::control
