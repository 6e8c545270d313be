// The accounts of a ledger in memory: found by what they cover, changed by items in the order of the file, and written
// as items again. The same code replays a file and verifies it offline. It touches no disk.
//
// Memory: about 200 bytes an account, and 32 + 2 * slots for each of its windows. Threads: one, the account keeper's.
#pragma once
#include "dataplane/budget/account.hpp"
#include "dataplane/ledger/record.hpp"

#include <map>
#include <memory>
#include <unordered_map>

namespace weir::ledger {

// What an account covers, as a digest: of budget, (source, target, service) and cell, made by whoever compiles
// policies. A rename changes it not; whatever changes it opens another account.
struct Identity {
  std::array<u8, 16> bytes{};
  // What the accounts of one plan have in common, such as all hosts of a segment.
  u64 plan() const { return load<u64>(bytes.data() + 8); }
  auto operator<=>(const Identity&) const = default;
  struct Hash {
    std::size_t operator()(const Identity& identity) const { return load<std::size_t>(identity.bytes.data()); }
  };
};

// What all accounts of one statement share.
struct Statement {
  std::string name;  // a label for people
  AccountRule rule;
  bool operator==(const Statement&) const = default;
};

struct Book {
  Identity identity;
  std::shared_ptr<const Statement> statement;  // none: the number is free
  std::unique_ptr<u64[]> memory;
  AccountState state{};
  BudgetTime retired_at = 0;
  bool is_retired = false;
  // Its last beginning and end as numbers of frames, and the total that it began with: who comes back at once after
  // others took over, as after a rollback, adds what they counted since, and not again what they had of it.
  u64 began_in = 0, retired_in = 0, began_with = 0;
  Account account() { return {statement->rule, state, memory.get()}; }
};

// Whose history an account takes over. Parents are all live accounts that cover some of its traffic, and the retired
// ones that cover some of it which no live one covers; then by induction no byte that was counted is missed.
struct Opening {
  std::vector<Identity> parents;
  bool is_covered = false;  // the live ones cover all of it, so that no byte left uncounted
  bool is_empty = false;  // `opening = "empty"`: bytes that nobody counted are none
};

using Number = u32;

// What an operator did, and why; the last notes_kept of them stay in the file.
struct Note {
  BudgetTime at = 0;
  u64 wall_us = 0;
  std::string text;
};
inline constexpr std::size_t notes_kept = 64, note_bytes_max = 1024;

class Books {
 public:
  // Of a ledger that began after another was lost: what no account counted may all have left before this time.
  // The number of the frame that will hold what is done next.
  void set_frame(u64 number) { frame_ = number; }
  void set_lost_before(BudgetTime at) { lost_before_ = at; }
  BudgetTime lost_before() const { return lost_before_; }

  const std::vector<Book>& all() const { return books_; }
  Book& operator[](Number number) { return books_[number]; }
  const Book* find(const Identity& identity) const;
  std::optional<Number> number_of(const Identity& identity) const;
  u64 count() const { return numbers_.size(); }

  // The account of this identity under this statement: the one there is, brought to the statement's windows and out of
  // retirement, or a new one. Its state changes as Account::inherit says.
  Number open(BudgetTime now, const Identity& identity, std::shared_ptr<const Statement> statement,
              const Opening& opening);
  // No leases are out.
  void retire(BudgetTime now, Number number);
  void forgive(Number number);
  void note(Note note);
  // What the accounts of a plan cover, in their keeper's words; kept as long as one of them is known.
  void describe(u64 plan, Bytes words) { descriptions_[plan] = std::move(words); }
  const std::map<u64, Bytes>& descriptions() const { return descriptions_; }
  const std::vector<Note>& notes() const { return notes_; }
  // All that is leased has left: nobody knows better after a crash.
  void lose_leases(BudgetTime now);
  // Forgets the retired whose windows are all over; lifetimes never are.
  void forget_retired(BudgetTime now);

  // What the items of a frame say. An authentic file says nothing that is refused here.
  Done apply(const Frame& frame);
  // `sheet` remembers which statements a file has.
  using Sheet = std::map<std::shared_ptr<const Statement>, u32>;
  void write(ItemWriter& to, Number number, Sheet& sheet) const;
  void write_begin(ItemWriter& to) const;  // and the notes
  static void write_note(ItemWriter& to, const Note& note);
  static void write_description(ItemWriter& to, u64 plan, const Bytes& words);

 private:
  void take_over(BudgetTime now, Book& book, const Opening& opening, bool is_new);
  Book& take_number(const Identity& identity, Number& number);
  void change_statement(BudgetTime now, Book& book, std::shared_ptr<const Statement> statement);
  const char* apply_rule(ItemReader& item);
  const char* apply_account(ItemReader& item);
  const char* apply_entry(const Entry& entry, BudgetTime at);
  const char* apply_note(ItemReader& item);
  const char* apply_description(ItemReader& item);
  const char* apply_item(ItemKind kind, ItemReader& item, BudgetTime at);

  std::vector<Book> books_;
  std::vector<Number> free_;
  std::vector<Note> notes_;
  std::map<u64, Bytes> descriptions_;
  std::unordered_map<Identity, Number, Identity::Hash> numbers_;
  // Of the file that is being read: its own numbers.
  std::unordered_map<u32, std::shared_ptr<const Statement>> statements_;
  std::unordered_map<u32, Number> file_numbers_;
  std::vector<u64> scratch_ = std::vector<u64>(window_slots_max + 1);
  BudgetTime lost_before_ = 0;
  u64 frame_ = 0;
};

}  // namespace weir::ledger
