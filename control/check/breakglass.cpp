// Allows that stay closed until somebody opens one for a while: who answers for them, for how long, and what bounds
// them while they are open.
#include "control/check/classes.hpp"
#include "control/check/leaks.hpp"
#include "control/check/reading.hpp"
#include "control/check/resolver.hpp"
#include "control/model/services.hpp"

#include <fmt/format.h>
#include <algorithm>

namespace weir::control {
namespace {

constexpr std::uint32_t least_ms = 1'000, most_ms = 86'400'000;

void unbudgeted(const Model& model, const Leak& found, Diagnostics& out) {
  const Statement& statement = model.statements[found.statement];
  const std::string &from = model.segments[found.from].name, &to = model.segments[found.to].name;
  auto& made = out.add("E0304", statement.span,
                       fmt::format("while it is open, `{}` lets bytes leave `{}` for `{}` {}", statement.name, from, to,
                                   found.partly ? "beyond every budget" : "with no budget"),
                       "this breakglass allow opens the path");
  if (found.by_replies) made.note("replies count too: a path is an exit whichever side dials");
  if (found.partly) made.note(fmt::format("no budget covers {}", show(found.left)));
  if (model.assets.empty()) made.note("no asset is named, so that either side may hold what must not leave");
  made.helped(fmt::format("add [[budget]] with from = \"{}\", to = \"{}\", which denies or throttles", from, to));
}

}  // namespace

void Resolver::read_breakglass(const Node& node, Statement& statement) {
  if (node.find("breakglass") == nullptr) return;
  std::uint32_t longest_ms = least_ms;  // a value that is wrong is told: the allow is closed all the same
  Reading(node, out_).time_ms("breakglass", longest_ms, least_ms, most_ms);
  statement.breakglass_s = longest_ms / 1'000;
  if (statement.log == Log::none) statement.log = Log::opened;
  for (const std::string key : {"name", "owner", "why"})
    if (says_nothing(node, key) && std::ranges::find(require_, key) == require_.end())
      out_.add("E0115", statement.span, fmt::format("this breakglass allow does not state `{}`", key),
               fmt::format("`{}` is missing", key))
          .note("whoever opens it at night must find out who answers for it, and what it is for")
          .helped(fmt::format("add {} = \"...\"", key));
}

void check_breakglass(const Model& model, Diagnostics& out) {
  const auto first = std::ranges::find_if(model.statements, [](const Statement& one) { return one.breakglass_s != 0; });
  if (first == model.statements.end()) return;
  const Leaks found = find_unbudgeted(model);
  for (const Leak& one : found.open) unbudgeted(model, one, out);
  if (found.too_many)
    out.add("E0614", first->span, "the policy joins more places than can be judged for budgets of breakglass allows",
            "judged from here on")
        .helped("name groups rather than single segments in budgets, so that fewer places are told apart");
}

}  // namespace weir::control
