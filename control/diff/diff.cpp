// The stages in order: one space of both, the rules that are the same, regions, words.
#include "control/diff/diff.hpp"

#include "control/diff/caps.hpp"
#include "control/diff/entries.hpp"
#include "control/diff/settings.hpp"

namespace weir::control {

std::expected<Diff, std::string> diff(const PolicySide& old_side, const PolicySide& new_side, std::int64_t now_s) {
  const std::optional<JointSpace> space = joint_space(old_side.model, new_side.model);
  if (!space) return std::unexpected("together the policies have more disjoint services than can be compared");
  const SameRules same = same_rules(*space);
  Fates fates(*space, now_s);
  const Regions regions = find_regions(*space, same, fates);
  auto entries = EntryMaker(*space, regions, fates, {&old_side, &new_side}, now_s).make();
  if (!entries) return std::unexpected(entries.error());
  Diff made{space->classes,
            space->inspections,
            std::move(*entries),
            claims_between(*space),
            settings_between(*space),
            bounds_between(old_side.model, new_side.model, now_s),
            {}};
  for (const auto& [old_rule, new_rule] : same.pairs) {
    const std::string &before = space->statement(old_rule).name, &after = space->statement(new_rule).name;
    if (before != after) made.renamed.push_back({before, after});
  }
  return made;
}

}  // namespace weir::control
