// An address in several segments has the highest class as a source and the lowest as a target, so that classes are
// taken per cell and then per segment: the worst of its cells.
#include "control/check/classes.hpp"

#include <fmt/format.h>
#include <algorithm>

namespace weir::control {
namespace {

constexpr std::string_view class_names[] = {"public", "internal", "restricted", "secret"};

// The class that counts for a segment, and the segment that gives it.
struct Worst {
  Class value;
  std::uint32_t by;
};

// A list without a class is the worst on either side; a segment without one is E0302 and accuses nobody else.
Class as_source(const Segment& segment) {
  return segment.security_class.value_or(segment.is_list ? Class::secret : Class::public_);
}
Class as_target(const Segment& segment) {
  return segment.security_class.value_or(segment.is_list ? Class::public_ : Class::secret);
}

class ClassCheck {
 public:
  ClassCheck(const Resolved& resolved, const Cells& cells, Diagnostics& out)
      : model_(resolved.model), cells_(cells), out_(out) {
    for (std::uint32_t i = 0; i < model_.segments.size(); ++i) {
      highest_.push_back({as_source(model_.segments[i]), i});
      lowest_.push_back({as_target(model_.segments[i]), i});
    }
    for (const Cell& cell : cells_.cells) {
      for (const std::uint32_t one : cell.sets) raise(one, cell.sets);
    }
  }

  void statement(const Statement& statement) {
    if (statement.is_forbid) return;
    const Worst from_high = worst(statement.from, highest_, true), to_low = worst(statement.to, lowest_, false);
    const Worst to_high = worst(statement.to, highest_, true), from_low = worst(statement.from, lowest_, false);
    if (from_high.value > to_low.value) leak(statement, statement.from, from_high, statement.to, to_low, false);
    else if (to_high.value > from_low.value) leak(statement, statement.to, to_high, statement.from, from_low, true);
  }

 private:
  void raise(std::uint32_t segment, const std::vector<std::uint32_t>& sets) {
    for (const std::uint32_t other : sets) {
      if (as_source(model_.segments[other]) > highest_[segment].value)
        highest_[segment] = {as_source(model_.segments[other]), other};
      if (as_target(model_.segments[other]) < lowest_[segment].value)
        lowest_[segment] = {as_target(model_.segments[other]), other};
    }
  }

  static Worst worst(const std::vector<std::uint32_t>& segments, const std::vector<Worst>& of, bool high) {
    Worst found = of[segments.front()];
    for (const std::uint32_t one : segments)
      if (high ? of[one].value > found.value : of[one].value < found.value) found = of[one];
    return found;
  }

  // A segment of the statement whose worst is `worst`: itself where it can be.
  const Segment& shown(const std::vector<std::uint32_t>& segments, const Worst& worst,
                       const std::vector<Worst>& of) const {
    if (std::ranges::binary_search(segments, worst.by)) return model_.segments[worst.by];
    for (const std::uint32_t one : segments)
      if (of[one].by == worst.by) return model_.segments[one];
    return model_.segments[segments.front()];
  }

  void label(Diagnostic& made, const Segment& through, const Worst& worst, std::string_view side) const {
    const Segment& by = model_.segments[worst.by];
    const bool stated = by.security_class.has_value();
    made.with(stated ? by.class_span : by.span, stated
                                                    ? fmt::format("{} class", side)
                                                    : fmt::format("{} class: a list without one counts as {}", side,
                                                                  class_names[static_cast<std::size_t>(worst.value)]));
    if (by.name != through.name)
      made.note(fmt::format("addresses of `{}` are also in `{}`, and the {} class counts", through.name, by.name,
                            side == "higher" ? "highest" : "lowest"));
  }

  void leak(const Statement& statement, const std::vector<std::uint32_t>& high_side, const Worst& high,
            const std::vector<std::uint32_t>& low_side, const Worst& low, bool by_replies) {
    const Segment& from = shown(high_side, high, highest_);
    const Segment& to = shown(low_side, low, lowest_);
    auto& made =
        out_.add("E0301", statement.span,
                 fmt::format("`{}` lets bytes leave `{}` for `{}` with no budget", statement.name, from.name, to.name),
                 "this allow opens the path");
    label(made, from, high, "higher");
    label(made, to, low, "lower");
    if (by_replies) made.note("replies count too: a path is an exit whichever side dials");
    made.helped(fmt::format("add [[budget]] with from = \"{}\", to = \"{}\"", from.name, to.name));
  }

  const Model& model_;
  const Cells& cells_;
  Diagnostics& out_;
  std::vector<Worst> highest_, lowest_;
};

}  // namespace

void check_classes(const Resolved& resolved, const Cells& cells, Diagnostics& out) {
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
  if (resolved.has_budgets) {
    out.add("W0303", first->class_span, "classes are not judged (E0301) while budgets are declared",
            "a class that a budget may cover")
        .note("budgets are not enforced yet, so that what they cover is not known");
    return;
  }
  ClassCheck check(resolved, cells, out);
  for (const Statement& statement : resolved.model.statements) check.statement(statement);
}

}  // namespace weir::control
