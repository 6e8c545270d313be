// The desk of the account keeper: purse numbers, and which accounts of the ledger stand behind them. It opens the
// accounts of a policy, takes what workers tell and answers what they want. It decides no limit (Account::grant does),
// reads no clock and knows no ring: docs/ledger.md, "The keeper", has the order of calls.
//
// Each round: take the workers' news from their rings; then read the clocks and Ledger::advance(); hear() each news;
// lend(). At an install, during which nothing is lent: ask every worker for the purses to_come_back(); hear() until
// are_back(); prepare(); flip; when every worker has announced the policy, ask for those leaving(); hear() until
// are_back(); retire_leaving(); float_all(). At a start: prepare(), flip, retire_leaving(), float_all().
//
// Invariants: an account that a new policy keeps keeps its purses; a purse has no lease that the ledger has not
// recorded. Threads: one, the account keeper's. An error is the ledger's: it is closed, and nothing is lent any more.
#pragma once
#include "dataplane/budget/lease_size.hpp"
#include "dataplane/budget/till.hpp"
#include "dataplane/ledger/account_plan.hpp"
#include "dataplane/ledger/ledger.hpp"

#include <unordered_set>

namespace weir::ledger {

struct DeskTerms {
  u32 workers = 1;
  bool is_exact = false;      // lend what is wanted and no more (replay)
  bool begins_empty = false;  // whatever opens without history begins with none (replay)
};

// For people, once each.
struct Notice {
  enum class Kind : u8 { alert, host_refused } kind;
  std::string budget;    // and which part of it
  std::string sentence;
};

class Desk {
 public:
  using Give = std::function<void(u32 worker, const PurseGift& gift)>;

  Desk(Ledger& ledger, const DeskTerms& terms);  // the ledger outlives it
  Desk(const Desk&) = delete;

  // Purses of accounts whose limits fall, or from which another account is about to inherit.
  std::vector<u32> to_come_back(const Policy& policy, Tick wall_now) const;
  bool are_back(std::span<const u32> purses) const;
  // Opens the accounts of a policy that is about to come into force, and retires those that are replaced; committed
  // when it returns. Its seats, by account of the image, hold until the next prepare() but one. An install that fails
  // afterwards goes back by preparing the old policy again.
  std::expected<std::span<const AccountSeat>, Error> prepare(const Policy& policy,
                                                             std::span<const std::string> port_names, Tick wall_now);
  // Every worker uses the prepared policy: purses that it does not name; and once they are back, the accounts' end.
  std::vector<u32> leaving() const;
  Done retire_leaving();

  // The next tick of the wall clock at which a budget begins to refuse that only counted; and what is done then. For
  // a second nothing is lent on it, until workers have told what they let pass before.
  Tick next_change() const;
  Done change(Tick wall_now);

  // Settles what was spent and returned; keeps what is wanted until lend().
  void hear(u32 worker, const PurseNews& news);
  bool has_wants() const { return !wants_.empty() || !greetings_.empty(); }
  // All numbers of purses so far are below this.
  u32 purses_end() const { return static_cast<u32>(purses_.size()); }
  // Commits, and answers all that is wanted: 0 bytes where there is nothing now, also when the ledger is closed.
  Done lend(const Give& give);
  // First small leases, for every worker, of purses that have had none: so that who begins to speak is not held up.
  Done float_all(const Give& give);

  // Accounts in force, by name; of hosts those that have spoken.
  struct Line {
    const std::string& name;      // of the budget, and which part of it
    std::optional<Address> host;  // as PurseNews has it
    Number number;                // Ledger::view() has windows, sums and limits
  };
  void each(const std::function<void(const Line&)>& visit) const;
  // Thresholds crossed and hosts refused since the last call.
  std::vector<Notice> notices();

 private:
  struct Run {  // of one cell: its purses are first, first + 1, ...: reserves, the rest, the bucket
    u32 first = no_purse;
    std::vector<Number> numbers;  // by part
  };
  struct Seat {
    AccountPlan plan, after;  // as it is stated; and once it refuses what it only counts now
    u32 number = 0;           // of accounts by host
    bool is_leaving = false, is_full = false;
    BudgetTime opened_at = 0;  // by this prepare(): nothing was counted between that and the flip
    Run run;                   // by host: the account that stands for hosts who have not spoken
    std::map<Address, Run, AddressOrder> hosts;
    BudgetTime lends_from = 0;
    u64 hosts_known = 0;       // to the ledger: those included that have not spoken since the start
  };
  struct PurseEntry {
    Seat* seat = nullptr;
    Number number = 0;
    u32 first = 0;  // of its cell
    bool is_bucket = false, was_lent = false;
    LeaseSize size;
  };
  struct Want {
    u32 worker, purse;
    u64 least, most;  // most 0: as LeaseSize says
  };
  struct Greeting {  // of a host
    u32 worker, seat, first;
    Address host;
  };

  struct Known {  // to the ledger, of a plan
    AccountCover cover;
    bool is_live = false;
    std::vector<Number> numbers;
  };

  // desk.cpp
  void hear_host(u32 worker, const PurseNews& news);
  u32 first_of_host(Seat& seat, const Address& host);
  void count_over(const PurseEntry& entry, u64 bytes);
  void count_for_heirs(const PurseNews& news);
  void count_open(Number number, u64 bytes);
  u64 most_of(PurseEntry& entry, const Want& want);
  HostKey key_of(const Address& host) const;
  // desk_install.cpp
  void look_around();
  bool is_open(u64 id) const;
  bool is_replaced(const Seat& seat, std::span<const AccountPlan> plans) const;
  void purses_of(const Seat& seat, std::vector<u32>& to) const;
  void add_parents(Opening& opening, AccountPlan& plan, u64 id, const Known& parent) const;
  Opening opening_of(AccountPlan& plan) const;
  Opening opening_of_host(const Seat& seat, const HostKey& host) const;
  std::vector<Number> open_parts(const AccountPlan& plan, const HostKey& host, const Opening& opening);
  Done open(AccountPlan plan, AccountPlan after, const Opening& opening);
  void keep(Seat& seat, AccountPlan plan, AccountPlan after);
  void restate_run(const Run& run, const AccountPlan& plan);
  void restate(Number number, const std::shared_ptr<const Statement>& statement);
  void retire(u64 id);
  void end_or_leave(const std::unordered_set<u64>& named, std::span<const u64> replaced);
  u32 take_run(const Seat& seat);
  void name_purses(Seat& seat, const Run& run);
  void leave_run(const Run& run, u32 purses);

  Ledger& ledger_;
  DeskTerms terms_;
  std::vector<std::string> port_names_;
  std::map<u64, Known> known_;      // by plan
  std::map<u64, Seat> seats_;       // live, by plan
  std::map<u32, Seat*> by_number_;  // those by host
  std::vector<PurseEntry> purses_ = std::vector<PurseEntry>(1);     // by number
  std::map<u32, std::vector<u32>> resting_, free_;  // runs by purses: nobody's since this install, or for longer
  std::map<u32, std::vector<u64>> heirs_;  // by purses of accounts retired at this install: who inherited from them
  std::vector<AccountSeat> image_seats_[2];
  u32 newest_seats_ = 0, last_seat_ = 0;
  std::vector<Want> wants_;
  std::vector<Greeting> greetings_;
  std::vector<Number> settled_;  // since notices()
  std::vector<Notice> notices_;
};

}  // namespace weir::ledger
