// A policy that was put in force for a trial: it is confirmed in time, or what it brought along as its fallback comes
// into force by itself, with nobody but this process alive. Which image that is, is the affair of whoever installs.
//
// A trial that opens a breakglass allow has its name, and is never confirmed: its time always ends it.
//
// Invariants: a fallback that is armed was verified, and its generation is above that of the policy on trial.
// Threads: the door's. Time is CLOCK_BOOTTIME, which goes on while the machine sleeps and which nobody can set.
#pragma once
#include "dataplane/edge/install.hpp"

#include <chrono>
#include <optional>
#include <span>
#include <string>
#include <string_view>

namespace weir::edge {

// A policy that awaits its confirmation, as a planned restart keeps it.
struct AwaitedTrial {
  std::span<const std::byte> image;  // of the fallback
  u64 awaited_generation;
  std::chrono::nanoseconds ends;     // of CLOCK_BOOTTIME
  std::string_view breakglass;       // the allow that it opens; empty: it can be confirmed
};

class Fallback {
 public:
  explicit Fallback(Installer& installer) : installer_(installer) {}

  // An install as the door has it, for a trial or without. While a policy awaits its confirmation another is refused,
  // unless it says that it takes its place: then that trial is over as soon as the other is in force.
  std::expected<Installed, Refusal> install(const door::Request& request, std::span<const int> descriptors);
  // The policy on trial stays. `generation` is the one that is meant, 0 whichever it is.
  std::expected<void, Refusal> confirm(u64 generation);

  // The trial that is on, or none; its image and name are lent until the next call of anything here.
  std::optional<AwaitedTrial> awaited() const;
  // It goes on: its policy is in force, its fallback was examined.
  void await_again(ReadyImage fallback, const AwaitedTrial& trial) {
    trial_.emplace(std::move(fallback), trial.awaited_generation, trial.ends, trial.ends,
                   std::string(trial.breakglass), 0, std::string{});
  }

  // Puts the fallback in force when its time has come. Where that fails it says so, and tries again each second.
  void attend();

  // What a status tells of it.
  void describe(door::Answer& answer) const;

 private:
  using Time = std::chrono::nanoseconds;  // of CLOCK_BOOTTIME
  struct Trial {
    ReadyImage image;
    u64 awaited_generation;
    Time deadline, next_try;
    std::string breakglass;
    u64 failures = 0;
    std::string why;  // the last one
  };
  static Time now();
  std::expected<Installed, Refusal> begin(const door::Request& request, std::span<const int> descriptors);
  void arm(ReadyImage image, u64 awaited_generation, const door::Request& request);

  Installer& installer_;
  std::optional<Trial> trial_;
};

}  // namespace weir::edge
