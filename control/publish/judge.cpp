// What the publisher thinks of a policy before it touches anything: whether it holds, how it differs from what is in
// force, whose signatures it needs.
#include "control/ask/ask.hpp"
#include "control/bound/bound.hpp"
#include "control/publish/publisher_parts.hpp"
#include "control/publish/sensitive.hpp"
#include "control/report/report.hpp"

#include <fmt/chrono.h>
#include <fmt/format.h>

#include <ctime>

namespace weir::control {

std::string time_text(std::int64_t unix_s) {
  return fmt::format("{:%Y-%m-%dT%H:%M:%SZ}", fmt::gmtime(static_cast<std::time_t>(unix_s)));
}

Publisher::Judged Publisher::judge(const Bundle& bundle, std::uint64_t generation) const {
  const std::int64_t now_s = std::time(nullptr);
  auto made = std::make_shared<Standing>(
      generation, bundle, read_rules(load(bundle), now_s, generation, Purpose::enforce, Signatures::compiled));
  Rules& rules = made->rules;
  Diagnostics& found = rules.checked.diagnostics;
  if (rules.ok()) {
    run_tests(rules.checked, rules.compiled->policy, now_s, found);
    judge_never(rules.checked, rules.at_most(), now_s, found);
    check_bounds(rules.checked.model, now_s, found);
    found.sort();
  }
  Judged judged{nullptr, human(found, rules.checked.sources, false), found.errors(), found.warnings()};
  if (rules.ok()) judged.standing = std::move(made);
  return judged;
}

Publisher::StandingPtr Publisher::nothing() const { return judge(deny_all(), first_generation).standing; }

Publisher::Comparison Publisher::compare(const StandingPtr& before, const StandingPtr& after) const {
  const std::int64_t now_s = std::time(nullptr);
  const StandingPtr old_one = before == nullptr ? nothing() : before;
  const auto side = [](const Standing& one) {
    return PolicySide{one.rules.checked.model, &one.rules.checked.names, one.rules.compiled->policy};
  };
  const Sides sides{side(*old_one), side(*after)};
  Comparison made;
  const auto found = diff(sides[0], sides[1], now_s);
  if (!found) {
    made.diff = fmt::format("not compared: {}\n", found.error());
    made.why_two.push_back("what it changes cannot be computed");
  } else {
    made.is_same = found->same();
    made.diff = show_diff(*found, sides);
    for (const DiffBound& one : found->bounds) {
      const auto& now = one.figures[new_policy];
      if (now.empty()) continue;
      made.bound += fmt::format("{}:", one.asset);
      for (std::size_t i = 0; i < now.size(); ++i) made.bound += fmt::format(" {} {};", bound_labels[i], now[i]);
      made.bound += "\n";
    }
  }
  if (!asks_signatures()) return made;
  if (before == nullptr) made.why_two.push_back("it is the first policy, or what is in force is not known");
  for (std::string& one : raised_bounds(sides[0].model, sides[1].model, now_s)) made.why_two.push_back(std::move(one));
  for (std::string& one : touched(old_one->bundle, after->bundle)) made.why_two.push_back(std::move(one));
  if (found)
    for (std::string& one : forbids_undone(*found, sides)) made.why_two.push_back(std::move(one));
  return made;
}

std::expected<SignedBy, PublishFault> Publisher::signed_by(const Proposal& change) const {
  if (!asks_signatures()) return SignedBy{};
  const auto by = verify_signatures(config_.keys, manifest(change.bundle), change.signatures);
  if (!by) return std::unexpected(PublishFault{422, by.error()});
  const Lock lock(mutex_);
  if (by->generation != 0 && by->generation <= history_.signed_highest())
    return std::unexpected(
        PublishFault{422, fmt::format("signed for generation {}, and {} was accepted already: an older policy does not "
                                      "come back by its old signature",
                                      by->generation, history_.signed_highest())});
  return *by;
}

std::optional<PublishFault> Publisher::lacks_signatures(const SignedBy& by, const Comparison& compared) const {
  if (!asks_signatures()) return std::nullopt;
  const std::size_t needed = compared.why_two.empty() ? 1 : 2;
  if (by.keys.size() >= needed) return std::nullopt;
  nlohmann::ordered_json details = {
      {"signatures_needed", needed}, {"signatures_given", by.keys.size()}, {"why_two", compared.why_two}};
  const std::string_view needs =
      needed == 1 ? "1 signature by a pinned key is needed" : "2 signatures by different pinned keys are needed";
  return PublishFault{422,
                      fmt::format("{}, {} given{}{}", needs, by.keys.size(), compared.why_two.empty() ? "" : ": ",
                                  fmt::join(compared.why_two, "; ")),
                      std::move(details)};
}

// Texts confirmed before, under the next generation but one; lockdown where those would let more leave.
Publisher::Judged Publisher::fallback_for(const StandingPtr& made, const StandingPtr& good, std::uint64_t generation,
                                          HistoryEntry& entry) const {
  entry.generation = generation;
  entry.kind = "fallback";
  entry.state = EntryState::fallback;
  entry.of = good == nullptr ? 0 : good->generation;
  const bool is_larger =
      good == nullptr ||
      !raised_bounds(made->rules.checked.model, good->rules.checked.model, std::time(nullptr)).empty();
  if (!is_larger) {
    Judged judged = judge(good->bundle, generation);
    if (judged.standing != nullptr) return judged;
  }
  entry.kind = "lockdown";
  entry.of = 0;
  return judge(config_.management.value_or(deny_all()), generation);
}

}  // namespace weir::control
