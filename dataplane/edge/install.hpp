// Putting a policy in force: the image is copied into memory of our own, verified completely, bound to the ports by
// name, and flipped in with one store. A bad image, or one that is not newer, changes nothing. The spare slot is not
// touched before every worker, and in a capture run the writer of decisions, is done with what it holds.
//
// Threads: one installer at a time.
#pragma once
#include "dataplane/edge/error.hpp"
#include "dataplane/edge/memory.hpp"
#include "dataplane/edge/rule_tally.hpp"
#include "dataplane/edge/stats_segment.hpp"
#include "dataplane/inspect/quarantine.hpp"
#include "dataplane/pipeline/slot.hpp"
#include "dataplane/scan/installed_scan.hpp"
#include "dataplane/share/door.hpp"

#include <array>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <vector>

namespace weir::edge {

struct Installed {
  u64 generation;
  u64 blocked_us;       // from the flip to the last announcement
  std::string warning;  // or empty
};

// An image in memory of our own that was found good: it can come into force later, and fail only for what this process
// lacks by then (memory, a ledger that can be written, workers that announce).
struct ReadyImage {
  Mapping memory;
  u64 generation = 0;
};

struct Refusal {
  door::Result result;
  std::string section, sentence;
};

struct InstallConfig {
  std::vector<std::string> port_names;  // by port index
  u32 workers;
  Quarantine* quarantine;
  u32 inspect_reading;  // connections whose first bytes a worker reads at once
  bool strict_ports;  // refuse a policy that attaches to a port that is not there
  RuleTally* tally = nullptr;  // null: hits of rules are not counted
};

class Installer {
 public:
  Installer(InstallConfig config, PolicySlot& slot, StatsHeader& header)
      : config_(std::move(config)), slot_(slot), header_(header) {}

  // Before any worker runs: nobody is waited for.
  std::expected<Installed, Refusal> start_with(const std::string& path);
  std::expected<Installed, Refusal> start_with(std::span<const std::byte> image);
  // While workers run. `force` also takes a lower generation, never the current one, by which flows notice a change.
  std::expected<Installed, Refusal> install(int image, bool force);
  // Examined as an install would, to be installed later. Changes nothing.
  std::expected<ReadyImage, Refusal> examine(int image) const;
  std::expected<ReadyImage, Refusal> examine(std::span<const std::byte> image) const;
  // An image that was examined; it stays whole where this fails.
  std::expected<Installed, Refusal> install(ReadyImage& image, bool force);

  // From now on no queue pair of a job of the policy in force opens, or they do for a new start-up window. False where
  // it has no such job.
  bool seal_job(std::string_view name, bool seals);

  // By its name, of every job that was ever in force, and of those that are asked for here.
  using Gates = std::map<std::string, JobGate, std::less<>>;
  const Gates& gates() const { return gates_; }
  JobGate& gate(std::string_view job) { return gates_.try_emplace(std::string(job)).first->second; }

  // Asked beside the policy in force from now on, in place of another that was: an image that an install would take,
  // but for its generation, which may be any that events can tell from the one in force. Every open flow is judged
  // again once. The warning is that of an install, or empty. What is refused changes nothing. `begins` is called when
  // no worker asks another one any more, and none asks this one yet.
  std::expected<std::string, Refusal> shadow(int image, const std::function<void()>& begins);
  // None is asked any more, or none was.
  std::expected<void, Refusal> end_shadow();
  // The one that is asked, or null.
  const Policy* shadow_policy() const {
    const InstalledPolicy* const live = slot_.current();
    return live == nullptr || live->shadow == nullptr ? nullptr : &live->shadow->policy;
  }

  // The policy in force, or null; for who installs, until it installs the next.
  const InstalledPolicy* current() const { return slot_.current(); }
  // Nothing comes in by the port any more, and nothing leaves by it, whatever policy says. False where there is none.
  bool cut_port(std::string_view name);
  // The port carries frames again. False where it was not cut off, or is none.
  bool release_port(std::string_view name);
  // The ports that are cut off, by name, with a comma between.
  std::string quarantined() const;

  // Name of the policy in force, or empty.
  std::string policy_name() const;

  // Asked before a slot is used again, besides the workers' announcements: true when nobody still reads names out of
  // the policy that was in force before. Set before workers run; unset means nobody does.
  std::function<bool()> readers_done;
  // Called when every worker has left the policy before, and before readers_done is asked about it.
  std::function<void()> replaced;
  // Asked last before a policy comes into force, which it then does: its budgets' accounts, open and on the disk. None:
  // all that a budget covers is closed. An error refuses the policy. Unset: no ledger, none.
  std::function<std::expected<std::span<const AccountSeat>, Error>(const Policy&)> open_accounts;
  // Called when it has come into force, before workers have announced it.
  std::function<void(const InstalledPolicy*)> flipped;
  // Called when the policy in force goes on as another object of the same image, likewise: the one before is left.
  std::function<void(const InstalledPolicy*)> goes_on_as;

 private:
  struct Slot {
    Mapping memory;
    std::vector<AccountSeat> seats;
    std::vector<LimitRate> limit_rates;
    std::vector<JobGate*> job_gates;
    InstalledScan scan;
    // One is read by workers. The other is for the same policy with another shadow: what workers read never changes.
    std::array<std::optional<InstalledPolicy>, 2> faces;
    u32 face = 0;
    InstalledPolicy& installed() { return *faces[face]; }
  };
  struct Shadow {
    Mapping memory;
    std::optional<InstalledPolicy> installed;
  };

  std::optional<u32> port_named(std::string_view name) const;
  bool spare_is_free();
  std::expected<Installed, Refusal> start(Mapping& image);
  std::expected<ReadyImage, Refusal> examine(Mapping image) const;
  std::expected<const InstalledPolicy*, Refusal> prepare(Mapping& memory, bool force);
  void flip(const InstalledPolicy* next);
  std::expected<void, Refusal> flip_face(const InstalledPolicy* shadow);
  void settle();
  const InstalledPolicy* shadow_beside(const Policy& next) const;
  std::expected<std::string, Refusal> compare_ports(const Policy& policy) const;
  InstalledPolicy bind(const Policy& policy) const;

  InstallConfig config_;
  PolicySlot& slot_;
  StatsHeader& header_;
  std::array<Slot, 2> slots_;
  std::optional<Shadow> shadow_;  // stands until no worker has a policy that names it
  Gates gates_;  // a job that a new policy has by the same name stays sealed
  u32 current_ = 1;  // slot in force, once one is
  u64 installations_ = 0;
  bool awaiting_ = false;  // workers have been too slow to announce the last flip
  std::string warning_;
};

}  // namespace weir::edge
