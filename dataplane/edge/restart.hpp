// A planned restart: what the run before has kept is taken up before this one forwards anything, and what this one
// knows is kept when it has stopped cleanly. Where nothing can be taken up it says why, and the dataplane starts empty.
// What is in a state, and what of a flow, stand in dataplane/edge/kept_state.hpp and dataplane/pipeline/keeping.hpp.
//
// Threads: main's; worker_begins() is every worker's, describe() the door's.
#pragma once
#include "dataplane/edge/core.hpp"
#include "dataplane/edge/fallback.hpp"
#include "dataplane/edge/keep_folder.hpp"
#include "dataplane/edge/options.hpp"
#include "dataplane/edge/ports.hpp"

namespace weir::edge {

using Cores = std::vector<std::unique_ptr<Core>>;

// The machine's time since its start, which nobody can set, sleep included.
u64 boot_time_us();

class Restart {
 public:
  // Takes what was kept for these ports. Without --keep there is nothing to take, and nothing is kept.
  Restart(const Options& options, const Ports& ports);

  // What was kept, or null: this run starts empty.
  const KeptState* state() const { return state_ ? &*state_ : nullptr; }

  // The policy that was in force, and its trial, where one is still awaited and `can_confirm`: else the fallback comes
  // into force at once. No image: there was none, or --policy names another and newer one.
  struct Beginning {
    std::span<const std::byte> image;
    std::optional<AwaitedTrial> trial;
  };
  Beginning beginning(bool can_confirm) const;

  // Ports that were cut off stay so, hosts and flows in quarantine, and jobs that were sealed.
  void restore(Installer& installer, Quarantine& quarantine, Tick now) const;
  // Flows go to the workers that own them now.
  void put_in(const Cores& cores, const HashKey& secret, Tick now);
  // One of so many workers is about to look for frames. The last one says for how long nobody has.
  void worker_begins(u32 workers);

  struct Leaving {
    const Installer& installer;
    const Cores& cores;
    std::optional<AwaitedTrial> trial;
    SipKey cookie_secret;
    const Quarantine& quarantine;
    Tick now;
    u64 stopped_us;  // boot_time_us()
  };
  // After the last frame.
  void keep(const Leaving& leaving);

  // What a status tells of it.
  void describe(door::Answer& answer) const;

 private:
  void open(const std::string& path);
  void start_empty(const std::string& why);
  u64 write(const Leaving& leaving, std::span<std::byte> into) const;

  const Options& options_;
  u64 ports_mark_ = 0, given_checksum_ = 0, given_generation_ = 0;
  std::string boot_id_;
  RunId self_;
  std::optional<KeepFolder> folder_;
  Mapping memory_;  // of the state
  std::optional<KeptState> state_;
  std::string why_empty_;  // where there was something to take up
  u64 taken_ = 0, passed_ = 0, no_room_ = 0;
  std::atomic<u32> begun_{0};
  std::atomic<u64> blocked_us_{0};
};

}  // namespace weir::edge
