#include "dataplane/ledger/books.hpp"

namespace weir::ledger {

Number Books::open(BudgetTime now, const Identity& identity, std::shared_ptr<const Statement> statement,
                   const Opening& opening) {
  const auto known = numbers_.find(identity);
  const bool is_new = known == numbers_.end();
  Number number = is_new ? 0 : known->second;
  if (!is_new && !books_[number].is_retired) {
    change_statement(now, books_[number], std::move(statement));
    return number;
  }
  Book& book = take_number(identity, number);
  change_statement(now, book, std::move(statement));
  std::vector<Account> parents;
  bool is_covered = opening.is_covered;
  BudgetTime known_since = book.state.known_since;
  for (const Identity& parent : opening.parents) {
    const auto found = numbers_.find(parent);
    if (found != numbers_.end() && found->second == number) continue;
    is_covered = is_covered && found != numbers_.end();
    if (found == numbers_.end()) continue;
    parents.push_back(books_[found->second].account());
    parents.back().advance(now);
    known_since = std::max(known_since, parents.back().state().known_since);
  }
  const bool all_counted = is_covered && (!is_new || !parents.empty());
  book.account().inherit(now, parents, is_new ? 0 : book.retired_at, scratch_);
  // Whoever had no budget begins spent; and of what a lost ledger counted nobody can say that it did not leave.
  if (!all_counted) {
    known_since = std::max(known_since, opening.is_empty ? lost_before_ : now);
    if (lost_before_ != 0 && is_new) book.state.total = budget_bytes_max;
  }
  book.state.known_since = known_since;
  book.is_retired = false;
  book.retired_at = 0;
  return number;
}

Book& Books::take_number(const Identity& identity, Number& number) {
  const auto [at, is_new] = numbers_.try_emplace(identity, number);
  if (is_new && free_.empty()) {
    books_.emplace_back();
    at->second = static_cast<Number>(books_.size() - 1);
  } else if (is_new) {
    at->second = free_.back();
    free_.pop_back();
  }
  number = at->second;
  books_[number].identity = identity;
  return books_[number];
}

void Books::change_statement(BudgetTime now, Book& book, std::shared_ptr<const Statement> statement) {
  if (book.statement != nullptr && *book.statement == *statement) {
    book.account().advance(now);
    return;
  }
  WEIR_CHECK(statement->rule.is_sound());
  auto memory = std::make_unique<u64[]>(statement->rule.memory_words());
  Account changed(statement->rule, book.state, memory.get());
  changed.advance(now);
  if (book.statement != nullptr) {
    AccountState settled = book.state;
    settled.outstanding = 0;  // leases stay leases
    const Account before(book.statement->rule, settled, book.memory.get());
    book.account().advance(now);
    changed.inherit(now, std::span(&before, 1), 0, scratch_);
  } else {
    book.state.bucket_at = now;
  }
  book.statement = std::move(statement);
  book.memory = std::move(memory);
}

const Book* Books::find(const Identity& identity) const {
  const auto found = numbers_.find(identity);
  return found == numbers_.end() ? nullptr : &books_[found->second];
}

void Books::retire(BudgetTime now, Number number) {
  Book& book = books_[number];
  WEIR_CHECK(book.state.outstanding == 0 && book.state.bucket_outstanding == 0);
  book.is_retired = true;
  book.retired_at = now;
}

void Books::forgive(Number number) {
  Book& book = books_[number];
  book.memory = std::make_unique<u64[]>(book.statement->rule.memory_words());
  book.state.total = book.state.known_since = book.state.lifetime_alerted = 0;  // leases stay leases
}

void Books::note(Note note) {
  if (note.text.size() > note_bytes_max) note.text.resize(note_bytes_max);
  if (notes_.size() == notes_kept) notes_.erase(notes_.begin());
  notes_.push_back(std::move(note));
}

void Books::lose_leases(BudgetTime now) {
  for (Book& book : books_)
    if (book.statement != nullptr) book.account().lose(now);
}

void Books::forget_retired(BudgetTime now) {
  for (Number number = 0; number < books_.size(); ++number) {
    Book& book = books_[number];
    if (book.statement == nullptr || !book.is_retired || book.statement->rule.has_lifetime()) continue;
    // Two slots beyond the longest window, so that the last slot is over as well.
    const u64 longest_us = book.statement->rule.longest_us();
    if (now <= book.retired_at + longest_us + 2 * (longest_us / window_slots_min + 1)) continue;
    numbers_.erase(book.identity);
    book = Book{};
    free_.push_back(number);
  }
}

}  // namespace weir::ledger
