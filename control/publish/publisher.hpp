// Brings policies into force and remembers them: checks, tests, compiles, asks for signatures, installs through the
// dataplane's door, with a fallback where the change is on trial; and sees to it that the dataplane has what was
// confirmed last. A policy with an error, a failed test or invariant goes nowhere. The dataplane never waits for it.
//
// Threads: any; what compiles does so without the lock, what installs holds it. status() waits for neither.
#pragma once
#include "control/door/door.hpp"
#include "control/front/rules.hpp"
#include "control/publish/history.hpp"
#include "control/publish/signature.hpp"

#include <nlohmann/json.hpp>

#include <chrono>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>

namespace weir::control {

struct PublisherConfig {
  std::string door;
  std::string state;                 // where breakglass.log is
  std::vector<PublicKey> keys;       // some: changes are signed
  std::optional<Bundle> management;  // what lockdown leaves open; none: nothing
  std::function<void(const std::string&)> say;
};

// What somebody asks for.
struct Proposal {
  Bundle bundle;
  std::vector<std::string> signatures = {};
  std::string kind = "apply";
  std::uint64_t of = 0;                    // rollback, staged: whose texts these are
  std::uint32_t confirm_within_ms = 0;     // 0: for good
  bool replaces_trial = false;
  std::optional<std::uint64_t> base = {};  // what was in force when it was planned; something else now refuses it
  std::uint32_t uid = 0;
  std::string user = {};
};

// One breakglass allow of the policy in force, for so long.
struct BreakglassOrder {
  std::string allow, why;
  std::uint32_t for_ms = 0;
  std::uint32_t uid = 0;
  std::string user = {};
};

// `status` as HTTP has it: 409 something else is in force or waits, 422 the policy or its signatures, 502 the
// dataplane, 507 the state directory.
struct PublishFault {
  int status;
  std::string sentence;
  nlohmann::ordered_json details = nullptr;
};
using Published = std::expected<nlohmann::ordered_json, PublishFault>;

class Publisher {
 public:
  Publisher(PublisherConfig config, History history);
  ~Publisher();

  // What a change would do: diff, bound, signatures, how long packets would wait; and whether it may come into force.
  nlohmann::ordered_json plan(const Proposal& change);
  Published apply(const Proposal& change);
  // Kept, to be applied by somebody; nothing comes into force.
  Published stage(const Proposal& change);
  Published confirm(std::uint64_t generation);
  // The texts of an entry, as a change; 0: of what was in force before.
  std::expected<Proposal, PublishFault> take_back(std::uint64_t generation);
  std::expected<Proposal, PublishFault> staged(std::uint64_t generation);
  Published lockdown(std::uint32_t uid, const std::string& user);
  // Asked beside what is in force, and not obeyed, in place of another that was. It takes no signature.
  Published shadow(const Proposal& change);
  Published end_shadow(const std::string& user);
  // breakglass.cpp: what is open ends in the dataplane, whoever is dead by then.
  Published breakglass(const BreakglassOrder& order);
  Published end_breakglass(const std::string& user);
  // The breakglass allows of the policy in force, and who answers for them.
  Published breakglass_allows();

  // Compares the dataplane with the history, and puts in force what was confirmed last where it has none, an older one,
  // or lost a trial. Every second or so.
  void look_after();

  // As it was told last, also while something else is under way.
  nlohmann::ordered_json status() const;
  nlohmann::ordered_json history(std::size_t count);
  std::optional<nlohmann::ordered_json> entry(std::uint64_t generation);
  bool is_locked_down();
  bool is_open();  // a breakglass allow is
  // Whether these texts are in force, staged, or were tried and rolled back last: nothing new about them.
  bool has_texts(const std::string& digest);
  bool asks_signatures() const { return !config_.keys.empty(); }

 private:
  struct Standing;  // a policy with its texts and model
  struct Judged;  // one that was judged
  struct Comparison;  // of two
  struct Pair;  // what comes into force, and its fallback
  using StandingPtr = std::shared_ptr<const Standing>;
  using Lock = std::unique_lock<std::mutex>;
  // The lock of who changes something: what status tells is made anew before it is let go.
  class Turn {
   public:
    explicit Turn(Publisher& publisher) : publisher_(publisher), lock_(publisher.mutex_) {}
    ~Turn() { publisher_.tell(); }
    Turn(const Turn&) = delete;

   private:
    Publisher& publisher_;
    const Lock lock_;
  };

  Judged judge(const Bundle& bundle, std::uint64_t generation) const;
  Comparison compare(const StandingPtr& before, const StandingPtr& after) const;
  std::expected<SignedBy, PublishFault> signed_by(const Proposal& change) const;
  std::optional<PublishFault> lacks_signatures(const SignedBy& by, const Comparison& compared) const;
  Judged fallback_for(const StandingPtr& made, const StandingPtr& good, std::uint64_t generation,
                      HistoryEntry& entry) const;
  std::expected<door::Answer, PublishFault> ask(const door::Request& request,
                                                std::span<const std::span<const std::byte>> images = {}) const;
  std::expected<door::Answer, PublishFault> ask_status() const;
  StandingPtr standing_of(const HistoryEntry& entry);
  StandingPtr standing_at(std::uint64_t generation);  // null where the history cannot tell
  StandingPtr nothing() const;  // where everything is denied
  std::expected<Pair, PublishFault> opening(const BreakglassOrder& order, const door::Answer& told,
                                            std::uint64_t generation);
  std::expected<StandingPtr, PublishFault> again(const StandingPtr& before, std::uint64_t generation,
                                                 const Opening* opening) const;
  nlohmann::ordered_json plan_json(const Judged& judged, const Comparison& compared, const SignedBy& by) const;

  // With the lock.
  std::uint64_t next_generation(const door::Answer& told) const;
  bool add_fallback(Pair& pair, const std::optional<HistoryEntry>& good);
  Published put_in_force(Pair& pair, std::uint32_t force);
  Published write_and_install(Pair& pair, std::uint32_t force);
  void is_under_way(std::string what);
  Published lock_without_history(const Pair& pair, const std::string& why);
  void keep_lockdown(const door::Answer& told);
  std::uint64_t usual_blocked_us() const;
  HistoryEntry* newest(EntryState state);
  void move_to(HistoryEntry* entry, EntryState state);
  void settle(std::uint64_t confirmed);
  std::optional<PublishFault> cannot_open(const door::Answer& told);
  void end_trial(HistoryEntry* trial, const std::string& how);
  bool write_down(const HistoryEntry& entry, std::string_view act, const std::string& how);
  bool follow_trial(const door::Answer& told);
  void follow_installing(const door::Answer& told);
  void restore(const door::Answer& told);
  Published put_beside(const HistoryEntry& entry, const StandingPtr& made);
  void end_shadows(std::uint64_t but);
  void follow_shadow(const door::Answer& told);
  bool reinstall(HistoryEntry& entry, std::uint32_t force);
  void problem(const std::string& sentence);
  void note_status();
  void note(const door::Answer& told);
  void tell();

  const PublisherConfig config_;
  mutable std::mutex mutex_;  // over all below
  History history_;
  StandingPtr in_force_;  // what diffs are made against; null: not known yet
  std::optional<door::Answer> told_;  // by the dataplane, last
  std::string unreachable_;  // why, if so
  std::string problem_;  // what people should know, last
  std::int64_t restore_again_s_ = 0;
  std::unique_ptr<const Pair> unkept_;  // a lockdown that is in force, and that the disk did not take
  std::string under_way_;  // what somebody waits for now
  std::chrono::steady_clock::time_point told_at_;
  struct Told {
    nlohmann::ordered_json status;
    std::chrono::steady_clock::time_point as_of;  // what the dataplane told
  };
  mutable std::mutex told_mutex_;  // over what follows, and never held for long
  std::shared_ptr<const Told> told_status_;
};

std::int64_t boot_seconds();

}  // namespace weir::control
