#include "control/publish/publisher.hpp"

#include "control/publish/entry_text.hpp"
#include "control/publish/publisher_parts.hpp"

#include <fmt/format.h>
#include <sys/mman.h>
#include <time.h>

#include <algorithm>
#include <ctime>

namespace weir::control {
namespace {

using Json = nlohmann::ordered_json;

constexpr int tries_max = 3;
constexpr int status_wait_s = 3, install_wait_s = 30;

std::optional<Descriptor> in_memory(std::span<const std::byte> bytes) {
  Descriptor file(memfd_create("policy", MFD_CLOEXEC));
  while (file.get() >= 0 && !bytes.empty()) {
    const ssize_t wrote = write(file.get(), bytes.data(), bytes.size());
    if (wrote <= 0) return std::nullopt;
    bytes = bytes.subspan(static_cast<std::size_t>(wrote));
  }
  return file.get() < 0 ? std::nullopt : std::optional(std::move(file));
}

PublishFault fault_of(const DoorFailure& failure) { return {502, failure.sentence}; }

// Of a dataplane in which a policy is on trial.
std::string why_not_now(const door::Answer& told) {
  if (const std::string open = door_text(told.breakglass); !open.empty())
    return fmt::format(
        "`{}` is open as breakglass for another {} s: close it (weir breakglass --end), or say that "
        "this one takes its place",
        open, (told.confirm_left_ms + 999) / 1000);
  return fmt::format("generation {} awaits its confirmation: confirm it, or say that this one takes its place",
                     told.awaited_generation);
}

}  // namespace

std::int64_t boot_seconds() {
  timespec time{};
  clock_gettime(CLOCK_BOOTTIME, &time);
  return time.tv_sec;
}

Publisher::Publisher(PublisherConfig config, History history)
    : config_(std::move(config)), history_(std::move(history)) {
  tell();
}
Publisher::~Publisher() = default;

std::expected<door::Answer, PublishFault> Publisher::ask(const door::Request& request,
                                                         std::span<const std::span<const std::byte>> images) const {
  std::vector<Descriptor> files;
  std::vector<int> descriptors;
  for (const auto& image : images) {
    auto file = in_memory(image);
    if (!file) return std::unexpected(PublishFault{507, "no memory for an image"});
    descriptors.push_back(file->get());
    files.push_back(std::move(*file));
  }
  const bool only_asks = request.act == door::Act::status;
  auto door = Door::reach(config_.door, only_asks ? status_wait_s : install_wait_s);
  if (!door) return std::unexpected(fault_of(door.error()));
  const auto told = door->ask(request, descriptors);
  if (!told) return std::unexpected(fault_of(told.error()));
  if (!told->is_done()) return std::unexpected(PublishFault{409, refusal_text(told->answer)});
  return told->answer;
}

std::expected<door::Answer, PublishFault> Publisher::ask_status() const {
  return ask(*door_request(door::Act::status));
}

std::uint64_t Publisher::next_generation(const door::Answer& told) const {
  return std::max({history_.highest(), told.generation, told.fallback_generation, told.shadow_generation}) + 1;
}

HistoryEntry* Publisher::newest(EntryState state) {
  HistoryEntry* found = nullptr;
  for (const auto& [generation, entry] : history_.entries())
    if (entry.state == state) found = history_.find(generation);
  return found;
}

void Publisher::problem(const std::string& sentence) {
  if (problem_ != sentence) config_.say(sentence);
  problem_ = sentence;
}

void Publisher::note_status() {
  if (const auto told = ask_status()) note(*told);
}

void Publisher::note(const door::Answer& told) {
  told_ = told;
  told_at_ = std::chrono::steady_clock::now();
  unreachable_.clear();
}

void Publisher::move_to(HistoryEntry* entry, EntryState state) {
  entry->state = state;
  if (const auto kept = history_.keep(*entry); !kept) problem("the history cannot be kept: " + kept.error());
}

// `confirmed` is in force for good; what was so before is no more. In this order: who ends in between leaves two of
// which the newer counts, and never none.
void Publisher::settle(std::uint64_t confirmed) {
  move_to(history_.find(confirmed), EntryState::confirmed);
  for (const auto& [generation, entry] : history_.entries())
    if (entry.state == EntryState::confirmed && generation != confirmed)
      move_to(history_.find(generation), EntryState::replaced);
}

// Before anything compiles, without the lock: the entry's texts as a policy.
Publisher::StandingPtr Publisher::standing_of(const HistoryEntry& entry) {
  const auto bundle = [&] {
    const Lock lock(mutex_);
    return history_.sources(entry);
  }();
  return bundle ? judge(*bundle, entry.generation).standing : nullptr;
}

Publisher::StandingPtr Publisher::standing_at(std::uint64_t generation) {
  HistoryEntry entry;
  {
    const Lock lock(mutex_);
    if (in_force_ != nullptr && in_force_->generation == generation) return in_force_;
    const HistoryEntry* const found = history_.find(generation);
    if (found == nullptr) return nullptr;
    entry = *found;
  }
  StandingPtr made = standing_of(entry);
  const Lock lock(mutex_);
  if (made != nullptr && told_ && told_->generation == generation) in_force_ = made;
  return made;
}

std::uint64_t Publisher::usual_blocked_us() const {
  std::uint64_t most = 0;
  std::size_t seen = 0;
  for (auto at = history_.entries().rbegin(); at != history_.entries().rend() && seen < 10; ++at)
    if (at->second.blocked_us != 0) most = std::max(most, at->second.blocked_us), ++seen;
  return most;
}

Json Publisher::plan_json(const Judged& judged, const Comparison& compared, const SignedBy& by) const {
  Json made = {{"holds", judged.standing != nullptr},
               {"errors", judged.errors},
               {"warnings", judged.warnings},
               {"diagnostics", judged.text},
               {"same", compared.is_same},
               {"diff", compared.diff},
               {"bound", compared.bound}};
  if (asks_signatures()) {
    made["signatures_needed"] = compared.why_two.empty() ? 1 : 2;
    made["signed_by"] = by.keys;
    made["why_two"] = compared.why_two;
  }
  return made;
}

Json Publisher::plan(const Proposal& change) {
  if (const auto fault = bundle_fault(change.bundle)) return {{"holds", false}, {"diagnostics", *fault + "\n"}};
  const auto told = ask_status();
  const Judged judged = judge(change.bundle, first_generation);
  const auto by = signed_by(change);
  const StandingPtr before = told ? standing_at(told->generation) : nullptr;
  const Comparison compared = judged.standing == nullptr ? Comparison{} : compare(before, judged.standing);
  Json made = plan_json(judged, compared, by ? *by : SignedBy{});
  if (!by) made["signature_fault"] = by.error().sentence;
  made["sources"] = digest(change.bundle);
  made["base"] = told ? Json(told->generation) : Json();
  const Lock lock(mutex_);
  if (told) made["generation"] = next_generation(*told);
  else made["dataplane_fault"] = told.error().sentence;
  made["trial"] = told && told->awaited_generation != 0 ? Json(told->awaited_generation) : Json();
  const std::uint64_t usual = usual_blocked_us();
  made["usual_blocked_us"] = usual == 0 ? Json() : Json(usual);
  return made;
}

// For a trial; false where there is none.
bool Publisher::add_fallback(Pair& pair, const std::optional<HistoryEntry>& good) {
  HistoryEntry& entry = pair.fallback_entry;
  entry = pair.entry;
  const StandingPtr before = good ? standing_at(good->generation) : nullptr;
  pair.fallback = fallback_for(pair.made, before, pair.entry.generation + 1, entry).standing;
  if (pair.fallback == nullptr) return false;
  entry.policy = pair.fallback->rules.compiled->policy.name();
  entry.diff.clear();
  entry.bound.clear();
  entry.signed_by.clear();
  entry.signed_generation = 0;
  entry.before = pair.entry.generation;
  return true;
}

Published Publisher::apply(const Proposal& change) {
  const auto fail = [](int status, std::string sentence) {
    return std::unexpected(PublishFault{status, std::move(sentence)});
  };
  if (const auto fault = bundle_fault(change.bundle)) return fail(422, *fault);
  const auto by = signed_by(change);
  if (!by) return std::unexpected(by.error());
  for (int tries = 0; tries < tries_max; ++tries) {
    const auto told = ask_status();
    if (!told) return std::unexpected(told.error());
    // An edit that is only watched takes the place of a trial, and never ends what somebody has opened by hand.
    const bool may_replace = change.replaces_trial && (change.kind != "watch" || told->breakglass[0] == '\0');
    if (told->awaited_generation != 0 && !may_replace) return fail(409, why_not_now(*told));
    if (change.base && *change.base != told->generation)
      return fail(
          409, fmt::format("generation {} is in force, and this was planned over {}", told->generation, *change.base));
    std::uint64_t generation = 0;
    std::optional<HistoryEntry> good;
    {
      const Turn turn(*this);
      note(*told);
      generation = std::max(next_generation(*told), by->generation);
      if (const HistoryEntry* const found = newest(EntryState::confirmed)) good = *found;
    }
    const StandingPtr before = standing_at(told->generation);
    const Judged judged = judge(change.bundle, generation);
    if (judged.standing == nullptr)
      return std::unexpected(PublishFault{422, "the policy does not hold", {{"diagnostics", judged.text}}});
    const Comparison compared = compare(before, judged.standing);
    if (auto lack = lacks_signatures(*by, compared)) return std::unexpected(std::move(*lack));
    Pair pair{{}, judged.standing};
    pair.entry = {.generation = generation,
                  .state = EntryState::installing,
                  .kind = change.kind,
                  .of = change.of,
                  .policy = std::string(judged.standing->rules.compiled->policy.name()),
                  .uid = change.uid,
                  .user = change.user,
                  .when = time_text(std::time(nullptr)),
                  .diff = compared.diff,
                  .bound = compared.bound,
                  .before = told->generation,
                  .confirm_within_ms = change.confirm_within_ms,
                  .signed_by = by->keys,
                  .signed_generation = by->generation};
    if (change.confirm_within_ms != 0 && !add_fallback(pair, good))
      return fail(422, "what it would fall back to does not hold");
    const Turn turn(*this);
    const auto again = ask_status();
    if (!again || again->generation != told->generation || next_generation(*again) > generation) continue;
    return put_in_force(pair, change.replaces_trial ? door::force_trial : 0);
  }
  return fail(409, "others change the policy at the same time");
}

void Publisher::is_under_way(std::string what) {
  under_way_ = std::move(what);
  tell();
}

Published Publisher::put_in_force(Pair& pair, std::uint32_t force) {
  HistoryEntry& entry = pair.entry;
  is_under_way(fmt::format("generation {} is being written to the history", entry.generation));
  Published made = write_and_install(pair, force);
  under_way_.clear();
  return made;
}

Published Publisher::write_and_install(Pair& pair, std::uint32_t force) {
  HistoryEntry& entry = pair.entry;
  const bool is_trial = pair.fallback != nullptr;
  const auto kept = history_.add(entry, pair.made->bundle, pair.made->rules.image());
  if (!kept) return std::unexpected(PublishFault{507, "nothing was changed: " + kept.error()});
  if (is_trial) {
    if (const auto also = history_.add(pair.fallback_entry, pair.fallback->bundle, pair.fallback->rules.image());
        !also) {
      history_.remove(entry.generation);
      return std::unexpected(PublishFault{507, "nothing was changed: " + also.error()});
    }
  }
  auto request = *door_request(door::Act::install, entry.opens);
  request.force = force;
  request.confirm_within_ms = static_cast<u32>(is_trial ? entry.confirm_within_ms : 0);
  std::vector<std::span<const std::byte>> images{pair.made->rules.image()};
  if (is_trial) images.push_back(pair.fallback->rules.image());
  is_under_way(fmt::format("generation {} is being put in force", entry.generation));
  const auto done = ask(request, images);
  const auto now = done ? done : ask_status();
  // Who does not answer may have taken it all the same: look_after() will see.
  if (!now) return std::unexpected(PublishFault{502, "not known whether it came into force: " + now.error().sentence});
  const bool gave_way = is_trial && now->generation == pair.fallback_entry.generation;
  if (now->generation != entry.generation && !gave_way) {
    history_.remove(entry.generation);
    if (is_trial) history_.remove(pair.fallback_entry.generation);
    return std::unexpected(done.error());
  }
  if (entry.signed_generation != 0)
    if (const auto accepted = history_.accept_signed(entry.signed_generation); !accepted) problem(accepted.error());
  HistoryEntry* const stored = history_.find(entry.generation);
  stored->blocked_us = done ? done->blocked_us : 0;
  stored->began_s = boot_seconds();
  if (HistoryEntry* const older = newest(EntryState::on_trial); older != nullptr) {
    const std::uint64_t its = older->generation;
    end_trial(older, fmt::format("generation {} ({} by {}) took its place", entry.generation, entry.kind, entry.user));
    history_.remove(its + 1);
  }
  is_trial ? move_to(stored, EntryState::on_trial) : settle(entry.generation);
  in_force_ = pair.made;
  note_status();
  config_.say(fmt::format("generation {} (`{}`, {} by {}) is in force{}", entry.generation, entry.policy, entry.kind,
                          entry.user, is_trial ? ", on trial" : ""));
  Json made = {{"generation", entry.generation},
               {"policy", entry.policy},
               {"state", name_of(stored->state)},
               {"blocked_us", stored->blocked_us},
               {"diff", entry.diff}};
  if (!done) made["warning"] = done.error().sentence;
  else if (const std::string warning = door_text(done->sentence); !warning.empty()) made["warning"] = warning;
  if (is_trial)
    made["trial"] = {{"confirm_within_ms", entry.confirm_within_ms},
                     {"fallback", pair.fallback_entry.generation},
                     {"fallback_is", pair.fallback_entry.kind == "lockdown" ? "lockdown" : "what was confirmed last"}};
  return made;
}

}  // namespace weir::control
