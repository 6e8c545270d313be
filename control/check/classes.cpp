// What find_leaks() found, in words.
#include "control/check/classes.hpp"

#include "control/check/leaks.hpp"
#include "control/model/services.hpp"

#include <fmt/format.h>
#include <algorithm>

namespace weir::control {
namespace {

constexpr std::string_view class_names[] = {"public", "internal", "restricted", "secret"};

// A segment's class, at its place; of a list without one, what it counts as.
void label(const Model& model, Diagnostic& made, std::uint32_t through, std::uint32_t by, bool high) {
  const Segment& one = model.segments[by];
  const std::string side = high ? "higher" : "lower";
  if (one.security_class) made.with(one.class_span, side + " class");
  else
    made.with(one.span,
              fmt::format("{} class: a list without one counts as {}", side,
                          class_names[static_cast<std::size_t>(high ? class_as_source(one) : class_as_target(one))]));
  if (by != through)
    made.note(fmt::format("addresses of `{}` are also in `{}`, and the {} class counts", model.segments[through].name,
                          one.name, high ? "highest" : "lowest"));
}

void leak(const Model& model, const Leak& found, Diagnostics& out) {
  const Statement& statement = model.statements[found.statement];
  const std::string &from = model.segments[found.from].name, &to = model.segments[found.to].name;
  auto& made = out.add("E0301", statement.span,
                       fmt::format("`{}` lets bytes leave `{}` for `{}` {}", statement.name, from, to,
                                   found.partly ? "beyond every budget" : "with no budget"),
                       "this allow opens the path");
  label(model, made, found.from, found.higher, true);
  label(model, made, found.to, found.lower, false);
  if (found.by_replies) made.note("replies count too: a path is an exit whichever side dials");
  if (found.partly) made.note(fmt::format("no budget covers {}", show(found.left)));
  for (const Budget& budget : model.budgets) {
    if (!std::ranges::binary_search(budget.from, found.from)) continue;
    if (!budget.to_any && !std::ranges::binary_search(budget.to, found.to)) continue;
    if (!overlaps(budget.services, found.left)) continue;
    if (budget.monitor) made.with(budget.span, "in monitor mode, so that it bounds nothing");
    else if (budget.on_exceed == Budget::Exceed::alert) made.with(budget.span, "only alerts, where an asset is held");
  }
  made.helped(fmt::format("add [[budget]] with from = \"{}\", to = \"{}\"", from, to));
}

void alerted(const Model& model, const Leak& found, Diagnostics& out) {
  const Statement& statement = model.statements[found.statement];
  const Budget& budget = model.budgets[found.alerts.front()];
  out.add("W0301", budget.span,
          fmt::format("`{}` only alerts: what `{}` lets leave `{}` for `{}` is unlimited", budget.name, statement.name,
                      model.segments[found.from].name, model.segments[found.to].name),
          "bounds nothing")
      .with(statement.span, "this allow opens the path")
      .note("permitted, since no asset is held there; every bound counts the path as unlimited")
      .helped("on_exceed = \"deny\" or \"throttle RATE\"");
}

}  // namespace

void check_classes(const Resolved& resolved, Diagnostics& out) {
  const auto& segments = resolved.model.segments;
  const auto has_class = [](const Segment& one) { return one.security_class.has_value(); };
  const auto first = std::ranges::find_if(segments, has_class);
  if (first == segments.end()) {
    const auto segment = std::ranges::find_if(segments, [](const Segment& one) { return !one.is_list; });
    if (segment != segments.end() && out.errors() == 0)
      out.add("W0302", segment->span, "no segment has a class, so that information flow is not judged")
          .helped("give every segment a class: public, internal, restricted or secret");
    return;
  }
  for (const Segment& segment : segments)
    if (!segment.is_list && !has_class(segment))
      out.add("E0302", segment.span, fmt::format("segment `{}` has no class", segment.name), "needs a class")
          .with(first->class_span, fmt::format("`{}` has one", first->name))
          .note("if one segment has a class, all must: a gap would be a way around it")
          .helped("add class = \"public\", \"internal\", \"restricted\" or \"secret\"");
  const Leaks found = find_leaks(resolved.model);
  for (const Leak& one : found.open) leak(resolved.model, one, out);
  for (const Leak& one : found.alerted) alerted(resolved.model, one, out);
  if (found.too_many)
    out.add("E0614", first->class_span, "the policy joins more places of different classes than can be judged",
            "classes are judged from here on")
        .helped("name groups rather than single segments in budgets, so that fewer places are told apart");
}

}  // namespace weir::control
