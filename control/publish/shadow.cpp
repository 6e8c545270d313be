// A policy beside the one in force that is asked and not obeyed: judged and compiled like a change, with an entry of
// its own in the history, so that its number is nobody else's and its names stay at hand. It takes no signature: it
// lets nothing pass and holds nothing back.
#include "control/publish/publisher_parts.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <ctime>

namespace weir::control {
namespace {

using Json = nlohmann::ordered_json;

constexpr int tries_max = 3;

}  // namespace

Published Publisher::shadow(const Proposal& change) {
  if (const auto fault = bundle_fault(change.bundle)) return std::unexpected(PublishFault{422, *fault});
  for (int tries = 0; tries < tries_max; ++tries) {
    const auto told = ask_status();
    if (!told) return std::unexpected(told.error());
    const std::uint64_t generation = [&] {
      const Lock lock(mutex_);
      return next_generation(*told);
    }();
    const Judged judged = judge(change.bundle, generation);
    if (judged.standing == nullptr)
      return std::unexpected(PublishFault{422, "the policy does not hold", {{"diagnostics", judged.text}}});
    const Comparison compared = compare(standing_at(told->generation), judged.standing);
    const Turn turn(*this);
    const auto again = ask_status();
    if (!again || again->generation != told->generation || next_generation(*again) > generation) continue;
    const HistoryEntry entry{.generation = generation,
                             .state = EntryState::shadow,
                             .kind = "shadow",
                             .policy = std::string(judged.standing->rules.compiled->policy.name()),
                             .uid = change.uid,
                             .user = change.user,
                             .when = time_text(std::time(nullptr)),
                             .diff = compared.diff,
                             .bound = compared.bound,
                             .before = told->generation,
                             .began_s = boot_seconds()};
    return put_beside(entry, judged.standing);
  }
  return std::unexpected(PublishFault{409, "others change the policy at the same time"});
}

// With the lock.
Published Publisher::put_beside(const HistoryEntry& entry, const StandingPtr& made) {
  if (const auto kept = history_.add(entry, made->bundle, made->rules.image()); !kept)
    return std::unexpected(PublishFault{507, "nothing was changed: " + kept.error()});
  is_under_way(fmt::format("shadow {} is being put beside what is in force", entry.generation));
  const std::span<const std::byte> images[] = {made->rules.image()};
  const auto done = ask(*door_request(door::Act::shadow), images);
  under_way_.clear();
  note_status();
  const bool is_there = told_ && told_->shadow_generation == entry.generation;
  if (!done && !is_there) {
    history_.remove(entry.generation);
    return std::unexpected(done.error());
  }
  end_shadows(entry.generation);
  config_.say(fmt::format("`{}` is asked beside generation {}, as shadow {} ({})", entry.policy, entry.before,
                          entry.generation, entry.user));
  Json told = {{"shadow", entry.generation}, {"policy", entry.policy}, {"beside", entry.before}, {"diff", entry.diff}};
  if (done)
    if (const std::string warning = door_text(done->sentence); !warning.empty()) told["warning"] = warning;
  return told;
}

Published Publisher::end_shadow(const std::string& user) {
  const Turn turn(*this);
  const auto done = ask(*door_request(door::Act::end_shadow));
  if (!done) return std::unexpected(done.error());
  end_shadows(0);
  note_status();
  config_.say(fmt::format("no shadow is asked any more ({})", user));
  return Json{{"shadow", nullptr}};
}

// All but this one, in the history.
void Publisher::end_shadows(std::uint64_t but) {
  for (const auto& [generation, entry] : history_.entries())
    if (entry.state == EntryState::shadow && generation != but)
      move_to(history_.find(generation), EntryState::was_shadow);
}

// A dataplane that was started anew has none: it gets the one that it had. One that has ended it by itself, since what
// came into force says the same, or by hand, has ended it. Seconds are counted by both: in doubt it is the same one.
void Publisher::follow_shadow(const door::Answer& told) {
  HistoryEntry* const shadow = newest(EntryState::shadow);
  if (shadow == nullptr || told.shadow_generation == shadow->generation || told.generation == 0) return;
  const std::int64_t started_s = boot_seconds() - static_cast<std::int64_t>(told.uptime_s);
  const auto image = history_.image(*shadow);
  if (started_s <= shadow->began_s + 1 || told.shadow_generation != 0 || !image) return end_shadows(0);
  const std::span<const std::byte> images[] = {*image};
  const auto done = ask(*door_request(door::Act::shadow), images);
  if (!done) {
    config_.say(fmt::format("shadow {} has ended: {}", shadow->generation, done.error().sentence));
    return end_shadows(0);
  }
  shadow->began_s = boot_seconds();
  move_to(shadow, EntryState::shadow);
  note_status();
  config_.say(fmt::format("shadow {} is asked again: the dataplane was started anew", shadow->generation));
}

}  // namespace weir::control
