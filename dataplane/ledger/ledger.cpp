#include "dataplane/ledger/ledger.hpp"

namespace weir::ledger {
namespace {

constexpr BudgetTime time_begins_us = 1'000'000;  // 0 means "never" in places
constexpr std::size_t entries_at_once = 100'000, pending_bytes_most = 1u << 20;
constexpr u64 snapshots_in_a_file = 4;

std::string path_of(const Settings& settings) { return settings.storage.folder + "/" + settings.file; }

Stamp stamp_of(BudgetTime now, const Reading& reading) { return {now, reading.clock, reading.wall_us}; }

std::string closed_until(const std::string& what) {
  return what + "; all that the ledger covers stays closed until this is mended and Weir starts again";
}

}  // namespace

std::expected<Ledger, Error> Ledger::open(Settings settings, const Reading& reading) {
  const std::string path = path_of(settings);
  const auto bytes = settings.storage.read(settings.file);
  if (!bytes) return std::unexpected(Error{closed_until(bytes.error().sentence)});
  if (!*bytes)
    return std::unexpected(Error{"ledger " + path +
                                 " is missing: all that it covers stays closed; put it back, or start a new "
                                 "one, in which every account opens as spent (docs/ledger.md)"});
  Ledger made(std::move(settings), BudgetClock());
  made.is_begun_ = true;
  if (const Done done = made.recover(**bytes); !done) return std::unexpected(done.error());
  made.advance(reading);
  made.books_.lose_leases(made.now());
  if (const Done done = made.write_file(); !done) return std::unexpected(made.close(done.error()));
  return made;
}

std::expected<Ledger, Error> Ledger::begin(Settings settings, const Reading& reading, bool is_first,
                                           const std::string& why) {
  Ledger made(std::move(settings), BudgetClock(time_begins_us, reading.clock));
  made.stamp_ = stamp_of(time_begins_us, reading);
  const Settings& with = made.settings_;
  const auto older = with.storage.read(with.file);
  if (!older) return std::unexpected(older.error());
  if (is_first && *older)
    return std::unexpected(Error{"ledger " + path_of(with) +
                                 " is there: it is not the first one; open it, or begin one after "
                                 "a loss (docs/ledger.md)"});
  // Frames are counted on, so that the anchor never goes back.
  if (with.anchor) {
    const auto anchored = with.anchor->read();
    if (!anchored) return std::unexpected(anchored.error());
    if (is_first && *anchored)
      return std::unexpected(Error{"anchor " + with.anchor->name +
                                   " has seen a ledger: this is not the first one; bring that one "
                                   "back, or begin one after a loss (docs/ledger.md)"});
    if (*anchored) made.last_number_ = (*anchored)->number, made.last_tag_ = (*anchored)->tag.value_or(Tag{});
  }
  if (*older) {
    const auto last = walk(path_of(with), **older, with.key, [](const Frame&) { return Done{}; });
    if (last && last->last.number > made.last_number_)
      made.last_number_ = last->last.number, made.last_tag_ = last->last_tag;
    const std::string aside = with.file + ".before-" + std::to_string(reading.wall_us);
    if (const Done done = with.storage.rename(with.file, aside); !done) return std::unexpected(done.error());
  }
  if (!is_first) made.books_.set_lost_before(time_begins_us);
  made.books_.note({time_begins_us, reading.wall_us, "began: " + why});
  if (const Done done = in_turn([&] { return made.write_file(); }, [&] { return made.anchor_head(); }); !done)
    return std::unexpected(done.error());
  made.is_begun_ = true;
  return made;
}

Done Ledger::recover(std::span<const std::byte> bytes) {
  std::optional<Head> anchored;
  if (settings_.anchor) {
    const auto read = settings_.anchor->read();
    if (!read) return std::unexpected(Error{closed_until(read.error().sentence)});
    anchored = *read;
  }
  std::optional<Tag> tag_at_anchor;
  const auto walked = walk(path_of(settings_), bytes, settings_.key, [&](const Frame& frame) {
    if (anchored && frame.header.number == anchored->number) tag_at_anchor = frame.tag;
    return books_.apply(frame);
  });
  if (!walked) return std::unexpected(walked.error());
  if (anchored && anchored->number + 1 == walked->first_number) tag_at_anchor = walked->before_first;
  if (const Done done = check_anchor(*walked, tag_at_anchor, anchored); !done) return done;
  clock_ = BudgetClock(walked->last.stamp.budget_us, walked->last.stamp.clock);
  last_number_ = walked->last.number;
  last_tag_ = walked->last_tag;
  return {};
}

Done Ledger::check_anchor(const Walk& walk, const std::optional<Tag>& tag_at_anchor,
                          const std::optional<Head>& anchored) const {
  if (!settings_.anchor) return {};
  const std::string path = "ledger " + path_of(settings_), name = settings_.anchor->name;
  const char* what_to_do =
      "; all that it covers stays closed: bring the newest ledger back, or start a new one (docs/ledger.md)";
  if (!anchored) return std::unexpected(Error{path + ": its anchor " + name + " has no head of it" + what_to_do});
  if (anchored->number > walk.last.number)
    return std::unexpected(Error{path + " ends with frame " + std::to_string(walk.last.number) + " and its anchor " +
                                 name + " has seen frame " + std::to_string(anchored->number) +
                                 ": this is an older copy" + what_to_do});
  if (anchored->tag && tag_at_anchor != anchored->tag)
    return std::unexpected(Error{path + ": frame " + std::to_string(anchored->number) +
                                 " is not the one that its anchor " + name + " has seen: this is another ledger" +
                                 what_to_do});
  return {};
}

BudgetTime Ledger::advance(const Reading& reading) {
  stamp_ = stamp_of(clock_.advance(reading.clock), reading);
  return stamp_.budget_us;
}

Number Ledger::account(const Identity& identity, const std::shared_ptr<const Statement>& statement,
                       const Opening& opening) {
  books_.set_frame(last_number_ + 1);
  const Number number = books_.open(now(), identity, statement, opening);
  seal_entries();
  books_.write(pending_, number, sheet_);
  write_if_much();
  return number;
}

void Ledger::describe(u64 plan, const Bytes& words) {
  seal_entries();
  books_.describe(plan, words);
  Books::write_description(pending_, plan, words);
  write_if_much();
}

void Ledger::write_if_much() {
  must_write_ = true;
  if (pending_.bytes().size() > pending_bytes_most && !closed_)
    if (const Done done = write_pending(); !done) close(done.error());
}

void Ledger::retire(Number number) {
  books_.set_frame(last_number_ + 1);
  books_.retire(now(), number);
  put_entry(number, What::retire, 0);
  must_write_ = true;
}

void Ledger::forgive(Number number, const std::string& why) {
  books_.forgive(number);
  put_entry(number, What::forgive, 0);
  seal_entries();
  books_.note({now(), stamp_.wall_us, "forgave " + books_[number].statement->name + ": " + why});
  books_.write_note(pending_, books_.notes().back());
  must_write_ = true;
}

void Ledger::settle(Number number, u64 spent, u64 returned) {
  books_[number].account().settle(now(), spent, returned);
  if (spent != 0) put_entry(number, What::spent, spent);
  if (returned != 0) put_entry(number, What::returned, returned);
}

void Ledger::settle_throttled(Number number, u64 spent, u64 returned) {
  books_[number].account().settle_throttled(now(), spent, returned);
  if (spent != 0) put_entry(number, What::throttled, spent);
}

void Ledger::want(u64 cookie, Number number, u64 least, u64 most) {
  if (closed_) return;
  if (books_[number].is_retired) {
    granted_.push_back({cookie, number, 0, false});
    return;
  }
  Account account = books_[number].account();
  if (const u64 bytes = account.grant(now(), least, most); bytes != 0) {
    granted_.push_back({cookie, number, bytes, false});
    put_entry(number, What::grant, bytes);
    must_write_ = true;
    return;
  }
  const u64 throttled = account.grant_throttled(now(), least, most);
  granted_.push_back({cookie, number, throttled, throttled != 0});
}

std::expected<std::span<const Granted>, Error> Ledger::commit(bool with_settlements) {
  answers_.clear();
  if (!closed_ && (must_write_ || (with_settlements && !entries_.empty()) || entries_.size() >= entries_at_once)) {
    const auto is_large = [&] {
      return file_bytes_ > std::max(settings_.compact_over_bytes, snapshots_in_a_file * snapshot_bytes_);
    };
    const Done done = in_turn([&] { return write_pending(); }, [&] { return is_large() ? write_file() : Done{}; });
    if (!done) close(done.error());
  }
  if (closed_) return std::unexpected(*closed_);
  answers_.swap(granted_);
  return answers_;
}

void Ledger::put_entry(Number number, What what, u64 bytes) {
  entries_.push_back({number, what, bytes});
  if (entries_.size() < 2 * entries_at_once || closed_) return;
  if (const Done done = write_pending(); !done) close(done.error());
}

void Ledger::seal_entries() {
  if (entries_.empty()) return;
  pending_.begin(ItemKind::entries);
  for (const Entry& entry : entries_) pending_.put(entry);
  pending_.end();
  entries_.clear();
}

Done Ledger::write_pending() {
  seal_entries();
  must_write_ = false;
  if (pending_.is_empty()) return {};
  const Done done = in_turn([&] { return write_frame(settings_.file, FrameKind::commit, pending_.bytes()); },
                            [&] { return settings_.storage.sync(settings_.file); });
  pending_.clear();
  if (!done) return done;
  return ++commits_since_anchor_ >= settings_.anchor_every ? anchor_head() : Done{};
}

Done Ledger::write_frame(const std::string& file, FrameKind kind, std::span<const std::byte> payload) {
  FrameHeader header;
  header.kind = kind;
  header.payload_bytes = payload.size();
  header.number = last_number_ + 1;
  header.stamp = stamp_;
  header.previous = last_tag_;
  Bytes frame;
  append_frame(frame, header, payload, settings_.key, last_tag_);
  last_number_ = header.number;
  file_bytes_ += frame.size();
  return settings_.storage.append(file, frame);
}

// The anchor first knows the head of the old file, so that it knows what the new one follows; then the new file is on
// the disk before it takes the old one's name, and has the name before anything is appended to it.
Done Ledger::write_file() {
  const std::string fresh = settings_.file + ".new";
  const Storage& disk = settings_.storage;
  if (const Done done = is_begun_ ? anchor_head() : Done{}; !done) return done;
  books_.forget_retired(now());
  sheet_.clear();
  file_bytes_ = 0;
  if (const Done done = disk.create(fresh); !done) return done;
  ItemWriter items;
  const auto write_much = [&] {
    if (items.bytes().size() < pending_bytes_most) return Done{};
    const Done done = write_frame(fresh, FrameKind::snapshot, items.bytes());
    items.clear();
    return done;
  };
  books_.write_begin(items);
  for (const auto& [plan, words] : books_.descriptions()) {
    Books::write_description(items, plan, words);
    if (const Done done = write_much(); !done) return done;
  }
  for (Number number = 0; number < books_.all().size(); ++number) {
    if (books_.all()[number].statement == nullptr) continue;
    books_.write(items, number, sheet_);
    if (const Done done = write_much(); !done) return done;
  }
  const Done done =
      in_turn([&] { return write_frame(fresh, FrameKind::last_snapshot, items.bytes()); },
              [&] { return disk.sync(fresh); }, [&] { return disk.rename(fresh, settings_.file); }, disk.sync_folder);
  snapshot_bytes_ = file_bytes_;
  return done;
}

Done Ledger::anchor_head() {
  commits_since_anchor_ = 0;
  return settings_.anchor ? settings_.anchor->advance(head()) : Done{};
}

Error Ledger::close(Error error) {
  if (!closed_) closed_ = Error{closed_until(error.sentence)};
  granted_.clear();
  pending_.clear();
  entries_.clear();
  return *closed_;
}

}  // namespace weir::ledger
