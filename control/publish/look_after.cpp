// How the publisher keeps history and dataplane together, whichever of them was restarted: what is in force is asked,
// never assumed.
#include "control/publish/publisher_parts.hpp"

#include <fmt/format.h>

namespace weir::control {

void Publisher::look_after() {
  const Turn turn(*this);
  const auto told = ask_status();
  if (!told) {
    told_.reset();
    unreachable_ = told.error().sentence;
    return;
  }
  note(*told);
  if (boot_seconds() < restore_again_s_) return;
  if (unkept_ != nullptr) return keep_lockdown(*told);
  follow_installing(*told);
  if (!follow_trial(*told)) restore(*told);
  if (told_) follow_shadow(*told_);
}

// Which the disk did not take when it came into force. While it does not, a dataplane that has lost it gets it again.
void Publisher::keep_lockdown(const door::Answer& told) {
  const HistoryEntry& entry = unkept_->entry;
  if (told.generation > entry.generation) return unkept_.reset();
  if (told.generation < entry.generation) {
    auto request = *door_request(door::Act::install);
    request.force = door::force_trial;
    const std::span<const std::byte> images[] = {unkept_->made->rules.image()};
    if (const auto done = ask(request, images); !done) return problem(done.error().sentence);
    note_status();
  }
  if (!history_.add(entry, unkept_->made->bundle, unkept_->made->rules.image())) return;
  settle(entry.generation);
  problem_.clear();
  config_.say(fmt::format("the history has generation {} (lockdown) now", entry.generation));
  unkept_.reset();
}

// Only a process that ended in the midst of an install leaves such an entry: the dataplane knows what became of it.
void Publisher::follow_installing(const door::Answer& told) {
  while (HistoryEntry* const entry = newest(EntryState::installing)) {
    const std::uint64_t generation = entry->generation;
    const HistoryEntry* const after = history_.find(generation + 1);
    const bool has_fallback = after != nullptr && after->state == EntryState::fallback;
    const bool came = told.generation == generation || (has_fallback && told.generation == generation + 1);
    if (came && has_fallback) {
      entry->began_s = boot_seconds();
      move_to(entry, EntryState::on_trial);
    } else if (came) {
      settle(generation);
    } else {
      if (entry->is_breakglass()) write_down(*entry, "not opened", "the dataplane did not take it");
      history_.remove(generation);
      if (has_fallback) history_.remove(generation + 1);
    }
  }
}

// True where a trial, or its end, was all there was to see to.
bool Publisher::follow_trial(const door::Answer& told) {
  HistoryEntry* const trial = newest(EntryState::on_trial);
  HistoryEntry* const fallback = trial == nullptr ? nullptr : history_.find(trial->generation + 1);
  if (trial == nullptr || fallback == nullptr) {
    while (HistoryEntry* const orphan = newest(EntryState::fallback)) history_.remove(orphan->generation);
    if (trial != nullptr) end_trial(trial, "its fallback is not in the history");
    return false;
  }
  const std::uint64_t generation = trial->generation;
  if (told.awaited_generation == generation) return true;
  if (told.generation == fallback->generation) {
    if (!trial->is_breakglass())
      config_.say(
          fmt::format("generation {} was not confirmed: generation {} is in force", generation, told.generation));
    settle(told.generation);
    end_trial(trial, "its time was over");
    return true;
  }
  // Seconds are counted by both: in doubt the process is taken for a new one, and the trial for lost.
  const std::int64_t started_s = boot_seconds() - static_cast<std::int64_t>(told.uptime_s);
  if (told.generation == generation && started_s < trial->began_s && !trial->is_breakglass()) {
    config_.say(fmt::format("generation {} was confirmed at the door", generation));
    settle(generation);
    history_.remove(generation + 1);
    return true;
  }
  if (told.generation > fallback->generation) {
    end_trial(trial, fmt::format("generation {} took its place", told.generation));
    history_.remove(generation + 1);
    return false;
  }
  config_.say(fmt::format("the dataplane was started anew while generation {} was on trial", generation));
  if (!reinstall(*fallback, 0)) {
    restore_again_s_ = boot_seconds() + 5;
    return true;
  }
  settle(generation + 1);
  end_trial(trial, "the dataplane was started anew");
  return true;
}

// What was confirmed last, where the dataplane has none or an older one; and where that cannot be read, the one before.
void Publisher::restore(const door::Answer& told) {
  const HistoryEntry* const last = newest(EntryState::confirmed);
  if (last == nullptr) return;
  for (const auto& [generation, entry] : history_.entries())
    if (entry.state == EntryState::confirmed && generation != last->generation)
      move_to(history_.find(generation), EntryState::replaced);
  if (told.generation == last->generation) return;
  if (told.generation > last->generation) {
    if (history_.find(told.generation) == nullptr)
      problem(fmt::format("the dataplane has generation {}, which the history does not know", told.generation));
    return;
  }
  std::vector<std::uint64_t> candidates{last->generation};
  for (auto at = history_.entries().rbegin(); at != history_.entries().rend(); ++at)
    if (at->second.state == EntryState::replaced && at->first > told.generation) candidates.push_back(at->first);
  for (const std::uint64_t generation : candidates) {
    if (!reinstall(*history_.find(generation), 0)) continue;
    settle(generation);
    return;
  }
  restore_again_s_ = boot_seconds() + 5;
}

bool Publisher::reinstall(HistoryEntry& entry, std::uint32_t force) {
  auto image = history_.image(entry);
  if (!image) {
    problem(image.error());
    const auto bundle = history_.sources(entry);
    const Judged judged = bundle ? judge(*bundle, entry.generation) : Judged{};
    if (judged.standing == nullptr) {
      problem(bundle ? fmt::format("entry {}: its rules do not hold any more", entry.generation) : bundle.error());
      return false;
    }
    const auto made = judged.standing->rules.image();
    image = std::vector<std::byte>(made.begin(), made.end());
  }
  auto request = *door_request(door::Act::install);
  request.force = force;
  const std::span<const std::byte> images[] = {*image};
  const auto done = ask(request, images);
  if (!done) {
    problem(fmt::format("generation {} cannot be put in force again: {}", entry.generation, done.error().sentence));
    return false;
  }
  note_status();
  config_.say(fmt::format("generation {} (`{}`) is in force again", entry.generation, entry.policy));
  return true;
}

}  // namespace weir::control
