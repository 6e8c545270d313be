// A small world around a ledger, driven by random choices: three classes of traffic, workers with purses, policies that
// budget the classes together, apart or not at all, clocks that step, programs that end at any step, disks that lose,
// tear and fill up, and older ledgers put back. It keeps a naive list of every byte that left and when, and looks after
// each packet whether any limit in force was exceeded. Some worlds make a mistake on purpose: they must be found out.
#pragma once
#include "dataplane/budget/lease_size.hpp"
#include "dataplane/budget/purse.hpp"
#include "dataplane/ledger/ledger.hpp"
#include "tests/property/crash_disk.hpp"

#include <deque>

namespace weir::test {

enum class Mistake {
  none,
  debit_after_forward,  // a burst is looked at, forwarded and then debited
  no_write_ahead,  // workers get leases before the ledger has written them
  early_slot,  // a slot expires when its beginning is older than the window
  sync_lies,  // what was synced is not on the disk
  early_settlement,  // spent bytes count when their lease was granted
  wall_clock,  // budget time is the wall clock's
  no_inheritance,  // a changed budget begins empty
  no_anchor,  // an older ledger is taken for the newest
};
inline constexpr const char* mistake_names[] = {"none",
                                                "debit after forward",
                                                "no write-ahead",
                                                "slot expires early",
                                                "the disk lies about sync",
                                                "settled when granted",
                                                "the wall clock counts",
                                                "no inheritance",
                                                "no anchor"};

struct Overshoot {
  std::string what;
};

class LedgerWorld {
 public:
  LedgerWorld(u64 seed, Mistake mistake);
  // Throws Overshoot. `steps`: how many choices.
  void run(u32 steps);

  u64 forwarded() const { return forwarded_; }
  u64 crashes() const { return crashes_; }
  u64 openings() const { return openings_; }
  u64 closings() const { return closings_; }
  u64 refusals_of_old() const { return refusals_of_old_; }

 private:
  static constexpr u32 classes = 3, workers = 3, all_classes = (1u << classes) - 1;
  using ClassSet = u32;  // bit per class
  using BudgetSet = u32;  // bit per ClassSet: what a budget covers is its name

  // One budget of a policy: what it covers and under which terms.
  struct Budget {
    ClassSet covers;
    std::shared_ptr<const ledger::Statement> told;  // to the ledger
    AccountRule promised;
  };
  using Policy = std::vector<Budget>;

  struct Live {  // a budget in force
    Budget budget;
    ledger::Number number;
    Purse purses[workers], throttled[workers];
  };
  struct Left {
    u64 at, bytes, policy;
    BudgetSet counted;  // in force for it
    BudgetSet throttled;  // of these, by whose throttle it left
  };
  struct Message {
    std::size_t live;
    u32 worker;
    u64 spent, returned, wanted;
    bool is_throttled;
  };

  u64 below(u64 bound) { return random_() % bound; }
  bool chance(u32 percent) { return below(100) < percent; }

  // ledger_world_policies.cpp
  AccountRule random_rule();
  Budget random_budget(ClassSet covers);
  Policy random_policy();
  void change_limits(Policy& policy);
  bool install(const Policy& policy);
  ledger::Opening opening_of(const Budget& budget, const ledger::Identity& identity) const;
  static ledger::Identity identity_of(ClassSet covers);

  // ledger_world.cpp
  void step();
  void traffic();
  void send(u32 worker, u32 packet_class, u64 bytes);
  void forward_then_debit(u32 worker, u32 packet_class, u64 bytes);
  void leave(u32 packet_class, u64 bytes, BudgetSet throttled);
  void check(const Budget& budget, bool throttled) const;
  void report(u32 worker, bool all);
  void keeper_cycle();
  void give(Live& live, u32 worker, u64 bytes, bool is_throttled);
  void pass_time();
  void step_clocks();
  void program_ends(bool power_fails);
  void start();
  void begin(bool is_first);
  void put_older_back();
  ledger::Reading reading() const;
  ledger::Settings settings();

  std::mt19937_64 random_;
  Mistake mistake_;
  CrashDisk disk_, anchor_disk_;
  bool has_anchor_, steady_lies_;
  std::optional<CrashDisk::Copy> older_;
  std::optional<ledger::Ledger> ledger_;
  Policy policy_;  // what ought to be in force
  std::vector<Live> live_;
  std::vector<Message> messages_;
  std::deque<Left> left_[classes];

  u64 real_us_ = 1'000'000, policy_since_us_ = 0, policy_number_ = 0, boot_began_us_ = 0, boot_ = 1;
  std::int64_t boottime_step_us_ = 0, steady_step_us_ = 0, wall_step_us_ = 0;
  u64 window_us_ = 0;  // the shortest of all budgets: the measure of time
  bool has_lifetimes_, throttles_, opens_empty_;
  u64 forwarded_ = 0, crashes_ = 0, openings_ = 0, closings_ = 0, refusals_of_old_ = 0;
};

}  // namespace weir::test
