// A disk in memory that keeps only what it promised to keep: after a power failure, of what was appended and not synced
// any sectors may be there, in any order and torn, and of renames and new names not synced any number, in order. It
// can end the program between any two steps, and fill up. What dataplane/ledger/storage.hpp promises, and no more.
#pragma once
#include "dataplane/ledger/storage.hpp"

#include <map>
#include <memory>
#include <random>

namespace weir::test {

struct Crash {};  // thrown where the program ends

class CrashDisk {
 public:
  explicit CrashDisk(u64 seed) : random_(seed) {}
  CrashDisk(const CrashDisk&) = delete;

  // The next so many steps are done, then the program ends within the one after.
  void crash_after(u64 steps) { steps_left_ = steps; }
  void keep_running() { steps_left_ = ~u64{0}; }
  void fill_up(u64 bytes_left) { bytes_left_ = bytes_left; }
  void lie_about_sync(bool lies) { lies_about_sync_ = lies; }
  u64 steps() const { return steps_; }

  struct File {
    ledger::Bytes synced, unsynced;
  };
  using Names = std::map<std::string, std::shared_ptr<File>>;

  void power_failure() {
    const std::size_t kept = pending_.empty() ? 0 : random_() % (pending_.size() + 1);
    names_ = synced_;
    for (std::size_t i = 0; i < kept; ++i) apply(names_, pending_[i]);
    pending_.clear();
    for (auto& [name, file] : names_) tear(*file);
    synced_ = names_;
  }

  // A copy of the disk of now, to be put back by whoever wants an older ledger.
  struct Copy {
    std::map<std::string, ledger::Bytes> files;
  };
  Copy copy() const {
    Copy made;
    for (const auto& [name, file] : synced_) made.files[name] = file->synced;
    return made;
  }
  void restore(const Copy& copy) {
    names_.clear();
    for (const auto& [name, bytes] : copy.files) names_[name] = std::make_shared<File>(File{bytes, {}});
    synced_ = names_;
    pending_.clear();
  }
  ledger::Bytes contents(const std::string& name) const {
    const auto file = names_.find(name);
    return file == names_.end() ? ledger::Bytes{} : whole(*file->second);
  }
  void put(const std::string& name, const ledger::Bytes& bytes) {
    synced_[name] = names_[name] = std::make_shared<File>(File{bytes, {}});
  }

  ledger::Storage storage() {
    ledger::Storage made;
    made.folder = "disk";
    made.read = [this](const std::string& name) -> std::expected<std::optional<ledger::Bytes>, ledger::Error> {
      step();
      const auto file = names_.find(name);
      if (file == names_.end()) return std::nullopt;
      return whole(*file->second);
    };
    made.create = [this](const std::string& name) {
      step();
      change({name, "", std::make_shared<File>()});
      return ledger::Done{};
    };
    made.append = [this](const std::string& name, std::span<const std::byte> bytes) { return append(name, bytes); };
    made.sync = [this](const std::string& name) {
      step();
      File& file = *names_.at(name);
      if (!lies_about_sync_) {
        file.synced.insert(file.synced.end(), file.unsynced.begin(), file.unsynced.end());
        file.unsynced.clear();
      }
      step();
      return ledger::Done{};
    };
    made.rename = [this](const std::string& from, const std::string& to) {
      step();
      change({to, from, names_.at(from)});
      return ledger::Done{};
    };
    made.sync_folder = [this] {
      step();
      if (!lies_about_sync_) {
        synced_ = names_;
        pending_.clear();
      }
      step();
      return ledger::Done{};
    };
    return made;
  }

 private:
  struct Change {
    std::string name, removed;
    std::shared_ptr<File> file;
  };

  static void apply(Names& names, const Change& change) {
    names[change.name] = change.file;
    if (!change.removed.empty()) names.erase(change.removed);
  }
  void change(const Change& change) {
    apply(names_, change);
    pending_.push_back(change);
  }
  static ledger::Bytes whole(const File& file) {
    ledger::Bytes all = file.synced;
    all.insert(all.end(), file.unsynced.begin(), file.unsynced.end());
    return all;
  }

  void step() {
    ++steps_;
    if (steps_left_-- == 0) {
      steps_left_ = ~u64{0};
      throw Crash{};
    }
  }

  ledger::Done append(const std::string& name, std::span<const std::byte> bytes) {
    File& file = *names_.at(name);
    const bool ends_here = steps_left_ == 0, is_full = bytes.size() > bytes_left_;
    u64 written = ends_here ? random_() % (bytes.size() + 1) : bytes.size();
    written = std::min(written, bytes_left_);
    bytes_left_ -= bytes_left_ == ~u64{0} ? 0 : written;
    file.unsynced.insert(file.unsynced.end(), bytes.begin(), bytes.begin() + static_cast<std::ptrdiff_t>(written));
    step();
    if (is_full) return std::unexpected(ledger::Error{"cannot write disk/" + name + ": No space left on device"});
    return {};
  }

  // Sectors as small as they ever were, so that a frame has several.
  void tear(File& file) {
    constexpr std::size_t sector = 64;
    const u64 style = random_() % 4;
    ledger::Bytes& lost = file.unsynced;
    if (style == 0) lost.clear();
    if (style == 1) lost.resize(lost.empty() ? 0 : random_() % (lost.size() + 1));
    if (style == 2)
      for (std::size_t at = 0; at < lost.size(); at += sector)
        if (random_() % 2 != 0)
          for (std::size_t i = at; i < std::min(at + sector, lost.size()); ++i) lost[i] = std::byte{0};
    file.synced = whole(file);  // style 3: all of it was there
    lost.clear();
  }

  std::mt19937_64 random_;
  Names names_, synced_;
  std::vector<Change> pending_;
  u64 steps_left_ = ~u64{0}, bytes_left_ = ~u64{0}, steps_ = 0;
  bool lies_about_sync_ = false;
};

}  // namespace weir::test
