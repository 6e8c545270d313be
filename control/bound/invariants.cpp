// at_least and at_most, as a gate: what fails is an error with the line of the invariant and of what decides.
#include "control/bound/bound.hpp"
#include "control/bound/show.hpp"

#include <fmt/format.h>

namespace weir::control {
namespace {

constexpr std::size_t shown_max = 5;

class Gate {
 public:
  Gate(const Bounds& bounds, Diagnostics& out) : bounds_(bounds), model_(bounds.model()), out_(out) {}

  bool holds(const Invariant& invariant) {
    const auto to = invariant.to_any ? std::nullopt : std::optional(invariant.to);
    const Ends ends = bounds_.ends(*invariant.asset, to);
    bool held = true;
    if (invariant.at_least_s && !takes(invariant, ends)) held = false;
    if (invariant.at_most_bytes) {
      const Most most = bounds_.most(ends, ever);
      if (most.bytes > *invariant.at_most_bytes) {
        explain(
            fail(invariant, fmt::format("{} of `{}` can leave, and `{}` permits {}", show_bytes(most.bytes),
                                        asset(invariant).name, invariant.name, show_bytes(*invariant.at_most_bytes))),
            most);
        held = false;
      }
    }
    return held;
  }

 private:
  const Asset& asset(const Invariant& invariant) const { return model_.assets[*invariant.asset]; }

  bool takes(const Invariant& invariant, const Ends& ends) {
    const Bytes copy = copy_bytes(asset(invariant), invariant.ratio_thousandths);
    const Most most = bounds_.most(ends, *invariant.at_least_s);
    if (most.bytes < copy) return true;
    const Shortest time = bounds_.time(ends, copy);
    auto& made =
        fail(invariant, fmt::format("a copy of `{}` may leave in {}, and `{}` demands {}", asset(invariant).name,
                                    show_time(time), invariant.name, show_time(*invariant.at_least_s)));
    made.note(fmt::format(
        "{} in {}; a copy{} is {}", show_bytes(most.bytes), show_time(*invariant.at_least_s),
        invariant.ratio_thousandths == 1'000 ? "" : fmt::format(" at {}:1", invariant.ratio_thousandths / 1'000.0),
        show_bytes(copy)));
    explain(made, most);
    return false;
  }

  Diagnostic& fail(const Invariant& invariant, std::string sentence) {
    return out_.add("E0506", invariant.span, std::move(sentence), "does not hold");
  }

  void explain(Diagnostic& made, const Most& most) const {
    if (bounds_.is_off()) made.note("in mode = \"monitor\" nothing is denied, so nothing is bounded");
    for (std::size_t i = 0; i < most.parts.size() && i < shown_max; ++i) {
      const Account& account = bounds_.network().accounts[most.parts[i].account];
      const std::string text = fmt::format("{} of them by this {}", show_bytes(most.parts[i].bytes), kind(account));
      if (account.kind == Account::Kind::link)
        made.note(fmt::format("{} of them by [link]", show_bytes(most.parts[i].bytes)));
      else made.with(bounds_.span(account), text);
    }
    if (most.parts.size() > shown_max) made.note(fmt::format("and {} more", most.parts.size() - shown_max));
    for (const u32 index : most.open) {
      const Lane& way = bounds_.network().ways[index];
      if (way.allow == no_allow) continue;
      made.with(model_.statements[way.allow].span,
                way.is_reply ? "replies of this allow are not bounded" : "nothing bounds this allow");
    }
  }

  static std::string_view kind(const Account& account) {
    switch (account.kind) {
      case Account::Kind::budget: return "budget";
      case Account::Kind::limit: return "limit";
      case Account::Kind::rate: return "segment's rate";
      case Account::Kind::link: break;
    }
    return "link";
  }

  const Bounds& bounds_;
  const Model& model_;
  Diagnostics& out_;
};

}  // namespace

std::size_t check_bounds(const Model& model, std::int64_t now_s, Diagnostics& out) {
  const auto asks = [](const Invariant& one) { return one.asset && (one.at_least_s || one.at_most_bytes); };
  if (std::ranges::none_of(model.invariants, asks)) return 0;
  const Bounds bounds(model, now_s);
  Gate gate(bounds, out);
  std::size_t held = 0;
  for (const Invariant& one : model.invariants)
    if (asks(one)) held += gate.holds(one) ? 1 : 0;
  return held;
}

}  // namespace weir::control
