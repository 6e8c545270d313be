#include "dataplane/edge/fallback.hpp"

#include "dataplane/share/door_request.hpp"

#include <fmt/format.h>
#include <time.h>

#include <algorithm>
#include <cstdio>

namespace weir::edge {
namespace {

constexpr auto try_again = std::chrono::seconds(1);

template <std::size_t room>
void write_text(char (&into)[room], const std::string& text) {
  into[text.copy(into, room - 1)] = '\0';
}

}  // namespace

Fallback::Time Fallback::now() {
  timespec time{};
  clock_gettime(CLOCK_BOOTTIME, &time);
  return std::chrono::seconds(time.tv_sec) + std::chrono::nanoseconds(time.tv_nsec);
}

std::expected<Installed, Refusal> Fallback::install(const door::Request& request, std::span<const int> descriptors) {
  const auto refused = [](const char* sentence) {
    return std::unexpected(Refusal{door::Result::refused, "request", sentence});
  };
  const bool is_trial = request.confirm_within_ms != 0;
  if (descriptors.size() != (is_trial ? 2 : 1))
    return refused(is_trial ? "an install for a trial brings exactly two descriptors"
                            : "an install brings exactly one descriptor");
  if (request.force > (door::force_generation | door::force_trial)) return refused("what to force is not known");
  if (request.confirm_within_ms > door::confirm_within_ms_max) return refused("a trial has at most seven days");
  if (trial_ && (request.force & door::force_trial) == 0)
    return refused("a policy awaits its confirmation: confirm it, or say that this one takes its place");
  const InstalledPolicy* const before = installer_.current();
  auto installed = is_trial ? begin(request, descriptors)
                            : installer_.install(descriptors[0], (request.force & door::force_generation) != 0);
  // Whatever came into force, announced in time or not, ends the trial of another.
  if (!is_trial && installer_.current() != before) trial_.reset();
  return installed;
}

// The fallback is examined before anything changes: when its time comes it must not be found bad.
std::expected<Installed, Refusal> Fallback::begin(const door::Request& request, std::span<const int> descriptors) {
  auto fallback = installer_.examine(descriptors[1]);
  if (!fallback) return std::unexpected(Refusal{fallback.error().result, "fallback", fallback.error().sentence});
  auto image = installer_.examine(descriptors[0]);
  if (!image) return std::unexpected(image.error());
  const u64 generation = image->generation;
  if (fallback->generation <= generation)
    return std::unexpected(
        Refusal{door::Result::refused, "fallback", fmt::format("its generation is not above {}", generation)});
  const InstalledPolicy* const before = installer_.current();
  auto installed = installer_.install(*image, (request.force & door::force_generation) != 0);
  if (installer_.current() != before) arm(std::move(*fallback), generation, request);
  return installed;
}

void Fallback::arm(ReadyImage image, u64 awaited_generation, const door::Request& request) {
  const Time deadline = now() + std::chrono::milliseconds(request.confirm_within_ms);
  trial_.emplace(std::move(image), awaited_generation, deadline, deadline, std::string(door::name_in(request)), 0,
                 std::string{});
}

std::optional<AwaitedTrial> Fallback::awaited() const {
  if (!trial_) return std::nullopt;
  return AwaitedTrial{trial_->image.memory.bytes(), trial_->awaited_generation, trial_->deadline, trial_->breakglass};
}

std::expected<void, Refusal> Fallback::confirm(u64 generation) {
  if (!trial_) return std::unexpected(Refusal{door::Result::refused, "confirm", "no policy awaits its confirmation"});
  if (!trial_->breakglass.empty())
    return std::unexpected(
        Refusal{door::Result::refused, "confirm",
                fmt::format("`{}` is open as breakglass: it ends by itself and is never confirmed",
                            trial_->breakglass)});
  if (generation != 0 && generation != trial_->awaited_generation)
    return std::unexpected(
        Refusal{door::Result::refused, "confirm",
                fmt::format("it is generation {} that awaits its confirmation", trial_->awaited_generation)});
  trial_.reset();
  return {};
}

void Fallback::attend() {
  if (!trial_ || now() < trial_->next_try) return;
  Trial& trial = *trial_;
  const u64 generation = trial.image.generation;
  const auto installed = installer_.install(trial.image, false);
  const InstalledPolicy* const current = installer_.current();
  if (current != nullptr && current->policy.generation() == generation) {
    const std::string why = trial.breakglass.empty() ? "NOT CONFIRMED IN TIME"
                                                     : fmt::format("BREAKGLASS `{}` IS OVER", trial.breakglass);
    fmt::print(stderr, "weir-dataplane: {}: generation {} gave way to its fallback, `{}`, generation {}{}\n", why,
               trial.awaited_generation, installer_.policy_name(), generation,
               installed ? "" : ": " + installed.error().sentence);
    trial_.reset();
    return;
  }
  trial.why = installed.error().sentence;
  trial.next_try = now() + try_again;
  if (trial.failures++ % 10 == 0)
    fmt::print(stderr,
               "weir-dataplane: GENERATION {} {} AND ITS FALLBACK CANNOT BE INSTALLED: {}: {}; trying "
               "again each second\n",
               trial.awaited_generation, trial.breakglass.empty() ? "WAS NOT CONFIRMED" : "IS OVER",
               installed.error().section, trial.why);
}

void Fallback::describe(door::Answer& answer) const {
  if (!trial_) return;
  const auto left = std::chrono::duration_cast<std::chrono::milliseconds>(trial_->deadline - now()).count();
  answer.awaited_generation = trial_->awaited_generation;
  answer.fallback_generation = trial_->image.generation;
  answer.confirm_left_ms = static_cast<u64>(std::max<std::int64_t>(left, 0));
  write_text(answer.breakglass, trial_->breakglass);
  write_text(answer.fallback_sentence, trial_->why);
}

}  // namespace weir::edge
