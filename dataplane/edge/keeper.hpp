// The keeper of accounts on live ports: a thread beside the workers that lends them what the ledger has recorded, and
// nothing while a policy is being installed. It hears what left after it has left, and reads the clocks after it has
// heard. It decides no amount (dataplane/ledger/desk.hpp does) and no packet. Where there is no ledger, or it is
// closed, it lends nothing, and all that a budget covers stays closed.
//
// Threads: one of its own; prepare(), flipped() and status() belong to whoever installs and asks, under its lock; the
// lines to the workers.
#pragma once
#include "dataplane/edge/clock.hpp"
#include "dataplane/edge/error.hpp"
#include "dataplane/edge/keeper_line.hpp"
#include "dataplane/edge/launch.hpp"
#include "dataplane/ledger/desk.hpp"
#include "dataplane/ledger/places.hpp"
#include "dataplane/pipeline/slot.hpp"
#include "dataplane/share/door.hpp"

#include <chrono>
#include <condition_variable>
#include <expected>
#include <functional>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <vector>

namespace weir::edge {

// Of a budget's account, for people.
struct BudgetLine {
  std::string name;
  u64 length_s;  // of the window of which least is left; 0: a lifetime
  u64 limit, spent, leased;
};

struct LedgerStatus {
  door::LedgerState state = door::LedgerState::none;
  std::string sentence;             // closed: why
  std::vector<BudgetLine> budgets;  // of accounts in force, the first of them
  u64 budgets_count = 0;            // all of them
};

struct KeeperConfig {
  ledger::Places places;  // no folder: no ledger
  u32 workers;
  std::vector<std::string> port_names;
};

class Keeper {
 public:
  // Opens the ledger; where it does not open the keeper says so, and is closed. `slot` tells when workers have
  // announced a policy, `clock` is the workers'.
  Keeper(KeeperConfig config, const PolicySlot& slot, const LiveClock& clock, const OrdinaryCores& ordinary);
  ~Keeper();
  Keeper(const Keeper&) = delete;

  KeeperLine& line(u32 worker) { return *lines_[worker]; }

  // Before `policy` comes into force: purses whose accounts change come back, its accounts are opened, and that is on
  // the disk. Nothing is lent from here on until flipped() and every worker's announcement. Its seats, none where the
  // ledger is closed; they hold until the next call. An error: workers are too slow; nothing changed.
  std::expected<std::span<const AccountSeat>, Error> prepare(const Policy& policy);
  // It is in force now.
  void flipped(const InstalledPolicy* policy);
  // The policy in force is another object of the same image from here on: what was awaited of the one is of the other.
  void goes_on_as(const InstalledPolicy* policy);

  LedgerStatus status();

  // When no worker runs any more: what is in a worker's purses is nobody's. Nothing is lent from here on.
  void take_back(u32 worker, Till& till);

 private:
  using Lock = std::unique_lock<std::mutex>;
  // lending; an install prepares; workers have not all announced; what the new policy does not name comes back.
  enum class Phase { lending, preparing, flipped, leaving };

  void open();
  void run();
  bool round();
  bool hear();
  void install_step();
  void lend();
  void tell_people();
  bool wait_for(const std::function<bool()>& done);
  void ask_back(const std::vector<u32>& purses);
  ledger::Desk::Give giver();
  void close(const std::string& sentence);
  bool is_open() const { return desk_ != nullptr && closed_.empty(); }

  const KeeperConfig config_;
  const PolicySlot& slot_;
  LiveClock clock_;
  std::optional<ledger::Clocks> clocks_;
  std::optional<ledger::Ledger> ledger_;
  std::unique_ptr<ledger::Desk> desk_;
  std::string closed_;  // why, if so
  std::vector<std::unique_ptr<KeeperLine>> lines_;
  struct Heard {
    u32 worker;
    PurseNews news;
  };
  std::vector<Heard> heard_;
  Phase phase_ = Phase::lending;
  const InstalledPolicy* awaited_ = nullptr;
  std::vector<u32> leaving_;
  std::mutex mutex_;  // over all of the above but the lines' rings
  std::atomic<bool> stop_{false};
  std::mutex pause_mutex_;
  std::condition_variable over_;
  std::thread thread_;
};

}  // namespace weir::edge
