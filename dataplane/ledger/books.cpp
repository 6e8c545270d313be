#include "dataplane/ledger/books.hpp"

#include <unordered_set>

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
  take_over(now, book, opening, is_new);
  book.is_retired = false;
  book.retired_at = 0;
  book.began_in = frame_;
  book.began_with = book.state.total;
  return number;
}

void Books::take_over(BudgetTime now, Book& book, const Opening& opening, bool is_new) {
  AccountState& state = book.state;
  std::vector<Account> parents;
  bool all_counted = opening.is_covered;
  bool took_over_from_it = !is_new;  // all of them, when it retired
  u64 meanwhile = 0;
  for (const Identity& identity : opening.parents) {
    const auto found = numbers_.find(identity);
    all_counted = all_counted && found != numbers_.end();
    if (found == numbers_.end() || &books_[found->second] == &book) continue;
    Book& parent = books_[found->second];
    parents.push_back(parent.account());
    parents.back().advance(now);
    state.known_since = std::max(state.known_since, parent.state.known_since);
    // A total that is full, as after a loss, does not say what came to it.
    took_over_from_it = took_over_from_it && !parent.is_retired && parent.began_in == book.retired_in &&
                        parent.state.total < budget_bytes_max;
    meanwhile = add_bytes(meanwhile, parent.state.total - parent.began_with + parent.state.outstanding);
  }
  all_counted = all_counted && !parents.empty();
  const bool is_known = all_counted && took_over_from_it;
  const Account::Own own{is_new ? 0 : book.retired_at, !all_counted, is_known ? meanwhile : budget_bytes_max};
  book.account().inherit(now, parents, own, scratch_);
  if (all_counted) return;
  // Whoever had no budget begins spent; and of what a lost ledger counted nobody can say that it did not leave.
  state.known_since = std::max(state.known_since, opening.is_empty ? lost_before_ : now);
  if (lost_before_ != 0 && is_new) state.total = budget_bytes_max;
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
    changed.inherit(now, std::span(&before, 1), {}, scratch_);
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

std::optional<Number> Books::number_of(const Identity& identity) const {
  const auto found = numbers_.find(identity);
  return found == numbers_.end() ? std::nullopt : std::optional(found->second);
}

void Books::retire(BudgetTime now, Number number) {
  Book& book = books_[number];
  WEIR_CHECK(book.state.outstanding == 0 && book.state.bucket_outstanding == 0);
  book.is_retired = true;
  book.retired_at = now;
  book.retired_in = frame_;
}

void Books::forgive(Number number) {
  Book& book = books_[number];
  book.memory = std::make_unique<u64[]>(book.statement->rule.memory_words());
  book.state.total = book.state.known_since = book.state.lifetime_alerted = book.began_with = 0;  // leases stay leases
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
  std::unordered_set<u64> known;
  for (const auto& [identity, number] : numbers_) known.insert(identity.plan());
  std::erase_if(descriptions_, [&](const auto& one) { return !known.contains(one.first); });
}

}  // namespace weir::ledger
