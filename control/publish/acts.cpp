// The publisher's shorter acts: staging, confirming, taking back, lockdown, and telling.
#include "control/publish/entry_text.hpp"
#include "control/publish/publisher_parts.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <ctime>

namespace weir::control {
namespace {

using Json = nlohmann::ordered_json;

Json summary_json(const HistoryEntry& entry) {
  Json made = entry_json(entry);
  for (const char* const key : {"format", "diff", "bound", "sources", "image", "root", "uid", "began_s"})
    made.erase(key);
  return made;
}

}  // namespace

Published Publisher::stage(const Proposal& change) {
  if (const auto fault = bundle_fault(change.bundle)) return std::unexpected(PublishFault{422, *fault});
  const Judged judged = judge(change.bundle, first_generation);
  if (judged.standing == nullptr)
    return std::unexpected(PublishFault{422, "the policy does not hold", {{"diagnostics", judged.text}}});
  const auto told = ask_status();
  const Comparison compared = compare(told ? standing_at(told->generation) : nullptr, judged.standing);
  const Turn turn(*this);
  while (HistoryEntry* const older = newest(EntryState::staged)) history_.remove(older->generation);
  HistoryEntry entry{.generation = next_generation(told ? *told : door::Answer{}),
                     .state = EntryState::staged,
                     .kind = change.kind,
                     .policy = std::string(judged.standing->rules.compiled->policy.name()),
                     .uid = change.uid,
                     .user = change.user,
                     .when = time_text(std::time(nullptr)),
                     .diff = compared.diff,
                     .bound = compared.bound,
                     .before = told ? told->generation : 0};
  if (const auto kept = history_.add(entry, change.bundle, judged.standing->rules.image()); !kept)
    return std::unexpected(PublishFault{507, kept.error()});
  config_.say(fmt::format("`{}` is staged as {}", entry.policy, entry.generation));
  return Json{{"staged", entry.generation}, {"diff", entry.diff}};
}

Published Publisher::confirm(std::uint64_t generation) {
  const Turn turn(*this);
  if (const HistoryEntry* const open = newest(EntryState::on_trial); open != nullptr && open->is_breakglass())
    return std::unexpected(PublishFault{
        409, fmt::format("`{}` is open as breakglass: it ends by itself and is never confirmed", open->opens)});
  auto request = *door_request(door::Act::confirm);
  request.generation = generation;
  const auto done = ask(request);
  if (!done) return std::unexpected(done.error());
  HistoryEntry* const trial = newest(EntryState::on_trial);
  if (trial != nullptr && trial->generation == done->generation) {
    const std::uint64_t its = trial->generation;
    settle(its);
    history_.remove(its + 1);
  }
  note_status();
  config_.say(fmt::format("generation {} is confirmed", done->generation));
  return Json{{"confirmed", done->generation}};
}

std::expected<Proposal, PublishFault> Publisher::take_back(std::uint64_t generation) {
  const Lock lock(mutex_);
  const HistoryEntry* chosen = history_.find(generation);
  const HistoryEntry* const trial = newest(EntryState::on_trial);
  const HistoryEntry* const good = newest(EntryState::confirmed);
  // While a policy is on trial, what was confirmed last is the one before.
  if (generation == 0 && trial != nullptr && !trial->is_breakglass()) chosen = good;
  else if (generation == 0)
    for (const auto& [number, entry] : history_.entries())  // the same texts again, as after breakglass, are no others
      if (entry.state == EntryState::replaced && (good == nullptr || entry.sources != good->sources)) chosen = &entry;
  if (chosen == nullptr)
    return std::unexpected(PublishFault{
        404, generation == 0 ? "nothing was in force before" : fmt::format("there is no entry {}", generation)});
  const auto bundle = history_.sources(*chosen);
  if (!bundle) return std::unexpected(PublishFault{507, bundle.error()});
  Proposal change{.bundle = *bundle};
  change.kind = "rollback";
  change.of = chosen->generation;
  return change;
}

std::expected<Proposal, PublishFault> Publisher::staged(std::uint64_t generation) {
  const Lock lock(mutex_);
  const HistoryEntry* const chosen = generation == 0 ? newest(EntryState::staged) : history_.find(generation);
  if (chosen == nullptr || chosen->state != EntryState::staged)
    return std::unexpected(PublishFault{404, "nothing of this number is staged"});
  const auto bundle = history_.sources(*chosen);
  if (!bundle) return std::unexpected(PublishFault{507, bundle.error()});
  Proposal change{.bundle = *bundle};
  change.of = chosen->generation;
  return change;
}

Published Publisher::lockdown(std::uint32_t uid, const std::string& user) {
  const Turn turn(*this);
  const auto told = ask_status();
  if (!told) return std::unexpected(told.error());
  const std::uint64_t generation = next_generation(*told);
  const Judged judged = judge(config_.management.value_or(deny_all()), generation);
  if (judged.standing == nullptr)
    return std::unexpected(PublishFault{422, "the management policy does not hold", {{"diagnostics", judged.text}}});
  Pair pair{{.generation = generation,
             .state = EntryState::installing,
             .kind = "lockdown",
             .policy = std::string(judged.standing->rules.compiled->policy.name()),
             .uid = uid,
             .user = user,
             .when = time_text(std::time(nullptr)),
             .before = told->generation},
            judged.standing};
  Published done = put_in_force(pair, door::force_trial);
  return done || done.error().status != 507 ? std::move(done) : lock_without_history(pair, done.error().sentence);
}

// A full disk must not stand between people and a lockdown: it comes into force, and into the history when that can be.
Published Publisher::lock_without_history(const Pair& pair, const std::string& why) {
  auto request = *door_request(door::Act::install);
  request.force = door::force_trial;
  const std::span<const std::byte> images[] = {pair.made->rules.image()};
  const auto done = ask(request, images);
  if (!done) return std::unexpected(done.error());
  unkept_ = std::make_unique<const Pair>(pair);
  in_force_ = pair.made;
  note_status();
  problem(fmt::format("lockdown is in force as generation {}, and the history does not have it yet: {}",
                      pair.entry.generation, why));
  return Json{{"generation", pair.entry.generation},
              {"policy", pair.entry.policy},
              {"blocked_us", done->blocked_us},
              {"warning", problem_}};
}

bool Publisher::is_locked_down() {
  const Lock lock(mutex_);
  if (unkept_ != nullptr) return true;
  const HistoryEntry* const found = newest(EntryState::confirmed);
  return found != nullptr && found->kind == "lockdown" && newest(EntryState::on_trial) == nullptr;
}

bool Publisher::has_texts(const std::string& digest) {
  const Lock lock(mutex_);
  for (const EntryState state : {EntryState::confirmed, EntryState::on_trial, EntryState::staged}) {
    const HistoryEntry* const found = newest(state);
    if (found != nullptr && found->sources == digest) return true;
  }
  const HistoryEntry* const tried = newest(EntryState::rolled_back);
  const HistoryEntry* const good = newest(EntryState::confirmed);
  return tried != nullptr && tried->sources == digest && good != nullptr && good->generation == tried->generation + 1;
}

Json Publisher::status() const {
  std::shared_ptr<const Told> told;
  {
    const std::lock_guard lock(told_mutex_);
    told = told_status_;
  }
  Json made = told->status;
  Json& dataplane = made["dataplane"];
  if (!dataplane["reachable"]) return made;
  const std::chrono::duration<double> age = std::chrono::steady_clock::now() - told->as_of;
  dataplane["age_s"] = age.count();
  if (Json& trial = dataplane["trial"]; !trial.is_null())
    trial["left_s"] = std::max(0.0, trial["left_s"].get<double>() - age.count());
  return made;
}

// With the lock.
void Publisher::tell() {
  Json made = {{"history", history_.entries().size()}, {"torn", history_.problems()}};
  made["problem"] = problem_.empty() ? Json() : Json(problem_);
  made["under_way"] = under_way_.empty() ? Json() : Json(under_way_);
  made["signatures"] = asks_signatures();
  if (!told_) {
    made["dataplane"] = {{"reachable", false}, {"why", unreachable_}};
  } else {
    made["dataplane"] = {
        {"reachable", true},           {"generation", told_->generation}, {"policy", door_text(told_->policy_name)},
        {"uptime_s", told_->uptime_s}, {"workers", told_->workers},       {"trial", nullptr}};
    if (told_->awaited_generation != 0)
      made["dataplane"]["trial"] = {{"generation", told_->awaited_generation},
                                    {"fallback", told_->fallback_generation},
                                    {"left_s", static_cast<double>(told_->confirm_left_ms) / 1e3}};
    made["dataplane"]["shadow"] = shadow_json(*told_);
    const std::string down = door_text(told_->links_down);
    made["dataplane"]["links_down"] = down.empty() ? Json() : Json(down);
    if (const std::string why = door_text(told_->fallback_sentence); !why.empty())
      made["dataplane"]["fallback_failed"] = why;
  }
  const auto named = [&](const char* key, EntryState state) {
    const HistoryEntry* const found = newest(state);
    made[key] = found == nullptr ? Json() : summary_json(*found);
  };
  const std::string open = told_ ? door_text(told_->breakglass) : "";
  const HistoryEntry* const opened = newest(EntryState::on_trial);
  made["breakglass"] = nullptr;
  if (!open.empty()) {
    made["breakglass"] = {{"allow", open}, {"generation", told_->awaited_generation}};
    if (opened != nullptr && opened->opens == open)
      made["breakglass"].update({{"user", opened->user}, {"why", opened->why}, {"until", opened->until}});
  }
  named("last_good", EntryState::confirmed);
  named("on_trial", EntryState::on_trial);
  named("staged", EntryState::staged);
  auto told = std::make_shared<const Told>(std::move(made), told_at_);
  const std::lock_guard lock(told_mutex_);
  told_status_ = std::move(told);
}

Json Publisher::history(std::size_t count) {
  const Lock lock(mutex_);
  Json made = Json::array();
  for (auto at = history_.entries().rbegin(); at != history_.entries().rend() && made.size() < count; ++at)
    made.push_back(summary_json(at->second));
  return {{"entries", made}, {"torn", history_.problems()}};
}

std::optional<Json> Publisher::entry(std::uint64_t generation) {
  const Lock lock(mutex_);
  const HistoryEntry* const found = history_.find(generation);
  if (found == nullptr) return std::nullopt;
  Json made = entry_json(*found);
  const auto bundle = history_.sources(*found);
  if (bundle) made["files"] = bundle->files;
  else made["files_fault"] = bundle.error();
  return made;
}

}  // namespace weir::control
