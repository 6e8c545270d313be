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
  std::vector<u32> to_come_back(const Policy& policy, std::span<const std::string> port_names, Tick wall_now) const;
  bool are_back(std::span<const u32> purses) const;
  // Opens the accounts of a policy that is about to come into force, and retires those that are replaced; committed
  // when it returns. Its seats, by account of the image, hold until the next prepare() but one. An install that fails
  // afterwards goes back by preparing the old policy again.
  std::expected<std::span<const AccountSeat>, Error> prepare(const Policy& policy,
                                                             std::span<const std::string> port_names, Tick wall_now);
  // Every worker uses the prepared policy: purses that it does not name; and once they are back, the accounts' end.
  std::vector<u32> leaving() const;
  Done retire_leaving();

  // The next tick of the wall clock at which a budget begins to refuse that only counted; and what is done then.
  Tick next_change() const;
  Done change(Tick wall_now);

  // Settles what was spent and returned; keeps what is wanted until lend().
  void hear(u32 worker, const PurseNews& news);
  bool has_wants() const { return !wants_.empty() || !greetings_.empty(); }
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
  struct Run {  // of one cell: its purses are first, first + 1, ...; reserves, general, bucket
    u32 first = no_purse;
    std::vector<Number> numbers;  // by part
  };
  struct Seat {
    AccountPlan plan;
    u32 number = 0;            // of accounts by host
    bool is_leaving = false;
    BudgetTime opened_at = 0;  // by this prepare(): nothing was counted before the flip
    Run run;                   // not by host; or, by host, the account that stands for those who have not spoken
    std::map<Address, Run, AddressOrder> hosts;
    std::vector<u64> host_parents;  // seats by host whose accounts of a host this one's inherit from
    u32 hosts_known = 0;       // to the ledger, those included that have not spoken since the start
    bool told_full = false;
  };
  struct PurseEntry {
    Seat* seat = nullptr;
    Number number = 0;
    u8 part = 0;
    bool is_bucket = false, was_lent = false;
    LeaseSize size;
  };
  struct Want {
    u32 worker, purse;
    u64 least, most;  // most 0: as LeaseSize says
  };
  struct Greeting {  // of a host
    u32 worker, seat;
    Address host;
    u32 first;
  };

  bool replaces(const std::vector<AccountPlan>& plans, const Seat& old) const;
  bool is_new(const AccountPlan& plan) const;
  void add_purses(const Run& run, const AccountPlan& plan, std::vector<u32>& to) const;
  void each_run(const Seat& seat, const std::function<void(const Run&, const Address*)>& visit) const;
  Opening opening_of(const AccountPlan& plan, std::vector<u64>& host_parents) const;
  Opening opening_of_host(const Seat& seat, const HostKey& host) const;
  void state_again(Seat& seat, AccountPlan plan);
  std::expected<Run, Error> new_run(Seat& seat);
  std::expected<void, Error> open(AccountPlan plan);
  void retire(u64 id);
  AccountSeat seat_of(const AccountPlan& plan, const AccountPlan* share) const;
  void hear_host(u32 worker, const PurseNews& news);
  void count_over(const PurseEntry& entry, u64 bytes);
  HostKey key_of(const Address& host) const;

  Ledger& ledger_;
  DeskTerms terms_;
  std::vector<std::string> port_names_;
  std::map<u64, Seat> seats_;              // live, by AccountPlan::id
  std::map<u32, Seat*> by_number_;
  std::map<u64, AccountCover> retired_;    // what accounts covered that the ledger still knows
  std::vector<PurseEntry> purses_;         // by number
  std::map<u32, std::vector<u32>> resting_, free_;  // firsts of runs, by purses: nobody's since this install, since longer
  std::vector<AccountSeat> image_seats_[2];
  u32 newest_seats_ = 0, last_seat_ = 0;
  std::vector<Want> wants_;
  std::vector<Greeting> greetings_;
  std::vector<Number> settled_;            // since notices()
  std::vector<Notice> notices_;
};

}  // namespace weir::ledger
