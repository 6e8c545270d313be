// Accounts as items of a ledger's frames, and back. What is read is checked as if anybody had written it.
#include "dataplane/ledger/books.hpp"

namespace weir::ledger {
namespace {

constexpr u64 time_max = u64{1} << 62;

struct AccountHead {
  u32 number, statement;
  Identity identity;
  u64 total, outstanding, known_since, bucket_total, lifetime_alerted, retired_at;
  u64 is_retired, began_in, retired_in, began_with;
};

void write_statement(ItemWriter& to, const Statement& statement, u32 number) {
  const AccountRule& rule = statement.rule;
  to.begin(ItemKind::rule);
  to.put(number);
  to.put(rule.windows_count);
  for (u32 i = 0; i < rule.windows_count; ++i) {
    to.put(rule.windows[i].limit_bytes);
    to.put(rule.windows[i].length_us);
    to.put(u64{rule.windows[i].slots});
  }
  to.put(static_cast<u64>(rule.on_exceed));
  to.put(rule.throttle_bits_per_s);
  to.put(u64{rule.burst_bytes});
  to.put(u64{rule.alerts_count});
  to.put(rule.alert_percent);
  to.put_text(statement.name);
  to.end();
}

}  // namespace

void Books::write(ItemWriter& to, Number number, Sheet& sheet) const {
  const Book& book = books_[number];
  const auto [known, is_new] = sheet.try_emplace(book.statement, static_cast<u32>(sheet.size()));
  if (is_new) write_statement(to, *book.statement, known->second);
  const AccountState& state = book.state;
  to.begin(ItemKind::account);
  to.put(AccountHead{number, known->second, book.identity, state.total, state.outstanding, state.known_since,
                     state.bucket_total, state.lifetime_alerted, book.retired_at, book.is_retired, book.began_in,
                     book.retired_in, book.began_with});
  AccountState view = state;
  const Account account(book.statement->rule, view, book.memory.get());
  for (u32 i = 0; i < account.rule().windows_count; ++i) {
    if (account.rule().windows[i].is_lifetime()) continue;
    const Window window = account.window(i);
    to.put(window.newest());
    to.put(window.alerted_at());
    to.put(u64{window.alerted()});
    u64 filled = 0;
    for (u64 slot = window.oldest(); slot <= window.newest(); ++slot) filled += window.bytes_in(slot) != 0;
    to.put(filled);
    for (u64 slot = window.oldest(); slot <= window.newest(); ++slot)
      if (const u64 bytes = window.bytes_in(slot); bytes != 0) {
        to.put(static_cast<u32>(window.newest() - slot));
        to.put(bytes);
      }
  }
  to.end();
}

void Books::write_begin(ItemWriter& to) const {
  to.begin(ItemKind::begin);
  to.put(lost_before_);
  to.end();
  for (const Note& note : notes_) write_note(to, note);
}

void Books::write_note(ItemWriter& to, const Note& note) {
  to.begin(ItemKind::note);
  to.put(note.at);
  to.put(note.wall_us);
  to.put_text(note.text);
  to.end();
}

void Books::write_description(ItemWriter& to, u64 plan, const Bytes& words) {
  to.begin(ItemKind::description);
  to.put(plan);
  to.put_text(std::string(reinterpret_cast<const char*>(words.data()), words.size()));
  to.end();
}

const char* Books::apply_rule(ItemReader& item) {
  Statement statement;
  AccountRule& rule = statement.rule;
  const u32 number = item.get<u32>();
  rule.windows_count = item.get<u32>();
  if (rule.windows_count > account_windows_max) return "a statement with too many windows";
  for (u32 i = 0; i < rule.windows_count; ++i) {
    rule.windows[i].limit_bytes = item.get<u64>();
    rule.windows[i].length_us = item.get<u64>();
    rule.windows[i].slots = static_cast<u32>(item.get<u64>());
  }
  const u64 exceed = item.get<u64>();
  rule.on_exceed = static_cast<Exceed>(exceed);
  rule.throttle_bits_per_s = item.get<u64>();
  rule.burst_bytes = static_cast<u32>(item.get<u64>());
  rule.alerts_count = static_cast<u32>(item.get<u64>());
  rule.alert_percent = item.get<std::array<u8, account_alerts_max>>();
  statement.name = item.get_text();
  if (!item.is_sound() || exceed > static_cast<u64>(Exceed::alert) || !rule.is_sound()) return "an unsound statement";
  statements_[number] = std::make_shared<const Statement>(std::move(statement));
  return nullptr;
}

const char* Books::apply_account(ItemReader& item) {
  const auto head = item.get<AccountHead>();
  const auto statement = statements_.find(head.statement);
  const bool sound = item.is_sound() && statement != statements_.end() &&
                     std::max(head.total, head.bucket_total) <= budget_bytes_max &&
                     head.outstanding <= budget_bytes_max && std::max(head.known_since, head.retired_at) < time_max &&
                     head.is_retired <= 1 && head.began_with <= head.total;
  if (!sound) return "an unsound account";
  // An account that is told again has changed; a number that is told again names another account only in another file.
  const auto of_file = file_numbers_.find(head.number);
  const bool is_again = of_file != file_numbers_.end();
  if (is_again != (find(head.identity) != nullptr)) return "an account with two numbers";
  if (is_again && books_[of_file->second].identity != head.identity) return "a number with two accounts";
  Number number = 0;
  Book& book = take_number(head.identity, number);
  file_numbers_[head.number] = number;
  book = Book{
      head.identity,
      statement->second,
      std::make_unique<u64[]>(statement->second->rule.memory_words()),
      AccountState{head.total, head.outstanding, head.known_since, 0, 0, 0, head.bucket_total, head.lifetime_alerted},
      head.retired_at,
      head.is_retired != 0};
  const Account account = book.account();
  for (u32 i = 0; i < account.rule().windows_count; ++i) {
    if (account.rule().windows[i].is_lifetime()) continue;
    Window window = account.window(i);
    const u64 newest = item.get<u64>(), alerted_at = item.get<u64>(), alerted = item.get<u64>(),
              filled = item.get<u64>();
    if (newest > time_max / account.rule().windows[i].slot_us() || filled > u64{account.rule().windows[i].slots} + 1)
      return "an unsound window";
    window.advance(window.end_of(newest) - 1);
    window.set_alerted(alerted_at, static_cast<u8>(alerted));
    for (u64 j = 0; j < filled; ++j) {
      const u64 back = item.get<u32>(), bytes = item.get<u64>();
      if (back > newest - window.oldest() || bytes > budget_bytes_max) return "an unsound slot";
      window.raise(newest - back, bytes);
    }
  }
  return item.is_sound() ? nullptr : "an account that is cut short";
}

const char* Books::apply_entry(const Entry& entry, BudgetTime at) {
  const auto number = file_numbers_.find(entry.account);
  if (number == file_numbers_.end()) return "an entry of no account";
  Book& book = books_[number->second];
  const bool settles = entry.what == What::spent || entry.what == What::returned;
  if (entry.bytes > (settles ? book.state.outstanding : budget_bytes_max)) return "more was settled than leased";
  switch (entry.what) {
    case What::grant: book.state.outstanding = add_bytes(book.state.outstanding, entry.bytes); return nullptr;
    case What::spent: book.account().settle(at, entry.bytes, 0); return nullptr;
    case What::returned: book.account().settle(at, 0, entry.bytes); return nullptr;
    case What::throttled: book.state.bucket_total = add_bytes(book.state.bucket_total, entry.bytes); return nullptr;
    case What::retire:
      if (book.state.outstanding != 0) return "an account retired with leases";
      retire(at, number->second);
      return nullptr;
    case What::forgive: forgive(number->second); return nullptr;
  }
  return "an unknown entry";
}

const char* Books::apply_note(ItemReader& item) {
  Note read{item.get<u64>(), item.get<u64>(), item.get_text()};
  if (!item.is_sound()) return "an unsound note";
  note(std::move(read));
  return nullptr;
}

const char* Books::apply_description(ItemReader& item) {
  const u64 plan = item.get<u64>();
  const std::string words = item.get_text();
  if (!item.is_sound()) return "an unsound description";
  const auto* bytes = reinterpret_cast<const std::byte*>(words.data());
  describe(plan, Bytes(bytes, bytes + words.size()));
  return nullptr;
}

const char* Books::apply_item(ItemKind kind, ItemReader& item, BudgetTime at) {
  switch (kind) {
    case ItemKind::begin:
      lost_before_ = item.get<u64>();
      return item.is_sound() && lost_before_ < time_max ? nullptr : "an unsound beginning";
    case ItemKind::rule: return apply_rule(item);
    case ItemKind::account: return apply_account(item);
    case ItemKind::entries:
      while (item.has_more())
        if (const auto entry = item.get<Entry>();
            const char* wrong = item.is_sound() ? apply_entry(entry, at) : "a cut entry")
          return wrong;
      return nullptr;
    case ItemKind::note: return apply_note(item);
    case ItemKind::description: return apply_description(item);
  }
  return "an unknown item";
}

Done Books::apply(const Frame& frame) {
  if (frame.header.stamp.budget_us >= time_max) return std::unexpected(Error{"an impossible time"});
  frame_ = frame.header.number;
  ItemReader items(frame.payload);
  while (items.has_more()) {
    ItemKind kind{};
    ItemReader item = items.item(kind);
    const char* wrong =
        items.is_sound() ? apply_item(kind, item, frame.header.stamp.budget_us) : "an item that is cut short";
    if (wrong != nullptr) return std::unexpected(Error{wrong});
  }
  return {};
}

}  // namespace weir::ledger
