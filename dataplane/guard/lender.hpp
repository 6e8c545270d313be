// The guard's keeper of accounts, where no dataplane holds the ledger: it lends what the ledger has recorded into
// leases that the programs spend, tells the ledger what they spent, and lets leases live only as long as it does, and a
// little longer. What it has not lent is closed. Budgets by host and with max_share it does not lend on.
//
// Invariants: a lease's bytes were on the disk before; what is given is what is left, what was spent, and what a frame
// is paying just now. Threads: one.
#pragma once
#include "dataplane/guard/image_file.hpp"
#include "dataplane/guard/kernel.hpp"
#include "dataplane/ledger/desk.hpp"
#include "dataplane/ledger/places.hpp"

#include <memory>

namespace weir::guard {

class Lender {
 public:
  // Takes back what an earlier one left in leases, before the ledger counts it as spent.
  static std::expected<std::unique_ptr<Lender>, Error> open(const Kernel& kernel, const ledger::Places& places,
                                                            u64 lease_ns);
  ~Lender();
  Lender(const Lender&) = delete;

  // `policy` is in force in the guard, by an installation of this serial; its accounts are opened and lent on. What it
  // cannot lend on, a line each.
  std::expected<std::vector<std::string>, Error> take_over(const Policy& policy, u64 serial);
  // To be called every few milliseconds. An error: the ledger is closed; what was lent ends with its time.
  std::expected<void, Error> round();
  // Everything back, and on the disk.
  void finish();
  std::vector<ledger::Notice> notices() { return desk_->notices(); }

 private:
  struct Book {  // of one lease
    u32 purse = no_purse;
    u64 given = 0;  // since it was opened
    u64 told = 0, seen = 0;  // spent: the ledger knows of; at the last look
    u64 low = 0;  // below so much left it asks for more
    u64 asks_from_ns = 0;
  };

  Lender(const Kernel& kernel, u64 lease_ns) : kernel_(kernel), lease_ns_(lease_ns) {}
  std::expected<void, Error> begin(const ledger::Places& places);
  void put(const PurseGift& gift);
  void close_all();
  void settle_all();
  void look(u64 now_ns);
  guard_lease& lease(u32 number) { return leases_[base_ + number]; }

  const Kernel& kernel_;
  const u64 lease_ns_;
  guard_lease* leases_ = nullptr;  // the programs' own
  u32 base_ = 0;  // the first of the policy in force
  std::optional<ledger::Clocks> clocks_;
  std::optional<ledger::Ledger> ledger_;
  std::unique_ptr<ledger::Desk> desk_;
  std::vector<Book> books_;
  std::map<u32, u32> lease_of_purse_;
  std::vector<PurseGift> refused_;  // of a throttle's bucket: goes back at once
  u64 looked_ns_ = 0;
};

}  // namespace weir::guard
