// The ledger: what may leave is written down before it leaves. Leases come from here only, and only after they are on
// the disk; a crash counts those that were out as spent. It closes, for all that it covers and until it is opened anew,
// when its file is missing, damaged, older than its anchor, or cannot be written. docs/ledger.md has format and proof.
//
// Time: whoever calls reads the clocks, after it has taken the workers' reports and before it settles them.
// Threads: one, the account keeper's; commit() waits for the disk.
#pragma once
#include "dataplane/ledger/anchor.hpp"
#include "dataplane/ledger/books.hpp"

namespace weir::ledger {

struct Settings {
  Storage storage;
  std::string file = "ledger";
  Key key;
  std::optional<Anchor> anchor;
  u32 anchor_every = 1;  // commits: more than one leaves so many that an older copy could hide
  u64 compact_over_bytes = u64{64} << 20;
};

struct Reading {
  ClockReading clock;
  u64 wall_us = 0;  // a label
};

struct Granted {
  u64 cookie;
  Number account;
  u64 bytes;  // 0: not now
  bool is_throttled;
};

class Ledger {
 public:
  // The ledger that is there. Leases that were out are counted as spent now; the file is written anew.
  static std::expected<Ledger, Error> open(Settings settings, const Reading& reading);
  // An operator's explicit command: a new one. What is there of an older one is set aside under another name. Unless
  // nothing can have been lost (`is_first`), every account opens as spent: nobody knows what left.
  static std::expected<Ledger, Error> begin(Settings settings, const Reading& reading, bool is_first,
                                            const std::string& why);

  // Budget time. Of the readings so far: a clock that goes back or jumps adds nothing.
  BudgetTime advance(const Reading& reading);
  BudgetTime now() const { return clock_.now(); }

  // At install: opens accounts, retires those that no policy names, forgives by an operator's command. All of it holds
  // after commit(). Before an account is retired, and before its limits fall, workers have given its leases back.
  Number account(const Identity& identity, const std::shared_ptr<const Statement>& statement, const Opening& opening);
  void describe(u64 plan, const Bytes& words);
  void retire(Number number);
  void forgive(Number number, const std::string& why);
  Account view(Number number) { return books_[number].account(); }
  const Books& books() const { return books_; }

  // What workers report and want. A want is answered by commit() alone: at most `most`, or nothing if `least` is not
  // there; beyond the windows through the throttle where there is one.
  void settle(Number number, u64 spent, u64 returned);
  void settle_throttled(Number number, u64 spent, u64 returned);
  void want(u64 cookie, Number number, u64 least, u64 most);

  // Writes what was asked, in one append and one sync, and gives the leases, valid until the next call. An error: the
  // ledger is closed, and so is everything that it covers; leases that were wanted are not given. Settlements alone
  // wait for `with_settlements`.
  std::expected<std::span<const Granted>, Error> commit(bool with_settlements = false);

  const Error* closed() const { return closed_ ? &*closed_ : nullptr; }
  u64 file_bytes() const { return file_bytes_; }
  Head head() const { return {last_number_, last_tag_}; }

 private:
  Ledger(Settings settings, BudgetClock clock) : settings_(std::move(settings)), clock_(clock) {}

  Done recover(std::span<const std::byte> bytes);
  Done check_anchor(const Walk& walk, const std::optional<Tag>& tag_at_anchor,
                    const std::optional<Head>& anchored) const;
  Done write_file();
  Done write_frame(const std::string& file, FrameKind kind, std::span<const std::byte> payload);
  Done write_pending();
  Done anchor_head();
  void put_entry(Number number, What what, u64 bytes);
  void seal_entries();
  void write_if_much();
  Error close(Error error);

  Settings settings_;
  BudgetClock clock_;
  Stamp stamp_;
  Books books_;
  Books::Sheet sheet_;
  ItemWriter pending_;
  std::vector<Entry> entries_;
  std::vector<Granted> granted_, answers_;
  bool must_write_ = false, is_begun_ = false;
  std::optional<Error> closed_;
  u64 last_number_ = 0;
  Tag last_tag_{};
  u64 file_bytes_ = 0, snapshot_bytes_ = 0;
  u32 commits_since_anchor_ = 0;
};

}  // namespace weir::ledger
