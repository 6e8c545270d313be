// `never`: nothing passes between two sets of segments, directly or over any number of hops. Every answer comes from
// the compiled policy, asked for every place and service that some rule tells apart.
#include "control/ask/ask.hpp"

#include "control/model/services.hpp"

#include <fmt/format.h>
#include <algorithm>
#include <map>

namespace weir::control {
namespace {

using Indices = std::vector<std::uint32_t>;

// One allowed question that joins two segments.
struct Hop {
  std::uint32_t from, to;  // segments: bytes get from the first to the second
  std::optional<Example> way;  // nothing where they share an address
};

class Never {
 public:
  Never(const Checked& checked, const Asker& asker, Tick now, Diagnostics& out)
      : model_(checked.model), asker_(asker), now_(now), out_(out) {}

  void judge(const Invariant& invariant) {
    const NeverPair& never = *invariant.never;
    if (model_.monitor && !model_.monitor_until_s) {
      out_.add("E0504", invariant.span,
               fmt::format("`{}` does not hold: the policy is in monitor mode", invariant.name), "nothing is denied");
      return;
    }
    for (const std::uint32_t one : never.from)
      if (std::ranges::binary_search(never.to, one)) {
        out_.add("E0504", invariant.span,
                 fmt::format("`{}` names `{}` on both sides", invariant.name, model_.segments[one].name),
                 "never apart from itself");
        return;
      }
    if (!never.via_any) return direct(invariant);
    far(invariant);
  }

 private:
  std::optional<Example> passes(const Indices& from, const Indices& to, const ServiceSet& services) {
    return asker_.first_passing(places(from), places(to), services, now_);
  }

  const std::vector<Endpoint>& places(const Indices& segments) {
    const auto [known, fresh] = places_.try_emplace(segments);
    if (fresh) known->second = asker_.places(segments);
    return known->second;
  }

  void direct(const Invariant& invariant) {
    const auto& [from, to, via] = *invariant.never;
    auto found = passes(from, to, everything());
    if (!found) found = passes(to, from, everything());
    if (!found) return;
    auto& made = out_.add("E0504", invariant.span, fmt::format("`{}` does not hold", invariant.name), "bytes can pass");
    tell(made, *found);
  }

  // Over any number of hops: a search from `from`, by what the allows open and by addresses that segments share.
  void far(const Invariant& invariant) {
    const auto& [from, to, via] = *invariant.never;
    const auto& hops = all_hops();
    std::vector<const Hop*> came(model_.segments.size(), nullptr);
    std::vector<bool> seen(model_.segments.size(), false);
    Indices open = from;
    for (const std::uint32_t one : open) seen[one] = true;
    for (std::size_t next = 0; next < open.size(); ++next)
      for (const std::uint32_t index : of_segment_[open[next]])
        if (const Hop& hop = hops[index]; !seen[hop.to]) {
          seen[hop.to] = true;
          came[hop.to] = &hop;
          open.push_back(hop.to);
        }
    const auto reached = std::ranges::find_if(to, [&](auto one) { return seen[one]; });
    if (reached == to.end()) return;
    auto& made = out_.add("E0504", invariant.span, fmt::format("`{}` does not hold", invariant.name), "bytes can pass");
    std::vector<const Hop*> way;
    for (std::uint32_t at = *reached; came[at] != nullptr; at = came[at]->from) way.push_back(came[at]);
    for (auto hop = way.rbegin(); hop != way.rend(); ++hop) {
      if ((*hop)->way) tell(made, *(*hop)->way);
      else
        made.note(fmt::format("an address is in both `{}` and `{}`", model_.segments[(*hop)->from].name,
                              model_.segments[(*hop)->to].name));
    }
  }

  // Found once for all invariants. Bytes go both ways on a connection, so that every hop stands twice.
  const std::vector<Hop>& all_hops() {
    if (!of_segment_.empty()) return hops_;
    of_segment_.resize(model_.segments.size());
    for (const auto* list : {&model_.statements, &model_.breakglass})
      for (const Statement& statement : *list) {
        if (statement.is_forbid) continue;
        for (const std::uint32_t from : statement.from)
          for (const std::uint32_t to : statement.to)
            if (!joined(from, to))
              if (const auto way = passes({from}, {to}, statement.services)) add(from, to, way);
      }
    std::vector<const AddressSet*> sets;
    for (const Segment& segment : model_.segments) sets.push_back(&segment.addresses);
    for (const Cell& cell : split(sets).cells)
      for (const std::uint32_t one : cell.sets)
        if (one != cell.sets.front() && !joined(cell.sets.front(), one)) add(cell.sets.front(), one, std::nullopt);
    return hops_;
  }
  bool joined(std::uint32_t a, std::uint32_t b) const {
    return a == b || std::ranges::any_of(of_segment_[a], [&](auto index) { return hops_[index].to == b; });
  }
  void add(std::uint32_t a, std::uint32_t b, const std::optional<Example>& way) {
    for (const auto& [from, to] : {std::pair(a, b), std::pair(b, a)}) {
      of_segment_[from].push_back(static_cast<std::uint32_t>(hops_.size()));
      hops_.push_back({from, to, way});
    }
  }

  void tell(Diagnostic& made, const Example& example) const {
    made.note(fmt::format("{}: {}", asker_.show(example.question), asker_.show(example.judgement)));
    if (example.judgement.rule == no_rule) return;
    const RuleView rule = asker_.policy().rule(example.judgement.rule);
    for (const auto* list : {&model_.statements, &model_.breakglass})
      if (const auto found = std::ranges::find(*list, rule.name, &Statement::name); found != list->end())
        made.with(found->span, found->breakglass_s == 0 ? "this allow opens it" : "this breakglass allow opens it");
  }

  const Model& model_;
  const Asker& asker_;
  Tick now_;
  Diagnostics& out_;
  std::vector<Hop> hops_;
  std::vector<Indices> of_segment_;  // by segment: the hops that leave it; empty until asked for
  std::map<Indices, std::vector<Endpoint>> places_;
};

}  // namespace

void judge_never(const Checked& checked, const Policy& policy, std::int64_t now_s, Diagnostics& out) {
  const auto is_never = [](const Invariant& one) { return one.never.has_value(); };
  if (std::ranges::none_of(checked.model.invariants, is_never)) return;
  const Asker asker(checked, policy, {});
  Never never(checked, asker, static_cast<Tick>(now_s) * tick_second, out);
  for (const Invariant& invariant : checked.model.invariants)
    if (invariant.never) never.judge(invariant);
}

}  // namespace weir::control
