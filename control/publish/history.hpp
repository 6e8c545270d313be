// What was published: each policy's texts, image, and what was known of it, in a folder of its own below the state
// directory. An entry is written beside, made durable, and renamed; one that is torn or was changed is named and left
// alone, never fatal. It decides nothing.
//
// Invariants: numbers grow and are the images' generations. Threads: one at a time.
#pragma once
#include "control/publish/bundle.hpp"
#include "control/source/descriptor.hpp"

#include <cstddef>
#include <cstdint>
#include <expected>
#include <map>
#include <span>
#include <string>
#include <vector>

namespace weir::control {

enum class EntryState {
  staged,      // waits for somebody to apply it
  installing,  // on its way to the dataplane
  on_trial,    // in force, and waits for its confirmation
  confirmed,   // in force for good
  fallback,    // comes into force where the one on trial is not confirmed
  replaced,    // was in force for good, until another came
  rolled_back, // was on trial and gave way
  shadow,      // asked beside what is in force, and not obeyed
  was_shadow,
  ended,       // a breakglass allow was open in it, and is closed
};
std::string_view name_of(EntryState state);

struct HistoryEntry {
  std::uint64_t generation = 0;
  EntryState state = EntryState::staged;
  std::string kind = {};       // "apply", "watch", "rollback", "fallback", "lockdown", "shadow", "breakglass"
  std::uint64_t of = 0;        // rollback, fallback, breakglass: whose texts these are
  std::string policy = {}, root = {};
  std::string sources = {};    // digest of the bundle
  std::string image = {};      // digest
  std::uint32_t uid = 0;
  std::string user = {}, when = {};  // RFC 3339
  std::string diff = {}, bound = {};  // as text, to what was in force before
  std::uint64_t before = 0;    // generation that was in force
  std::uint64_t blocked_us = 0;
  std::uint64_t confirm_within_ms = 0;
  std::int64_t began_s = 0;    // on_trial, shadow: CLOCK_BOOTTIME of its install
  std::vector<std::string> signed_by = {};
  std::uint64_t signed_generation = 0;
  std::string opens = {}, why = {}, until = {};  // breakglass: the allow, why, and when it ends (RFC 3339)

  bool is_breakglass() const { return kind == "breakglass"; }
};

class History {
 public:
  // Makes the folder where there is none. An error when it cannot be used, or another process uses it.
  static std::expected<History, std::string> open(const std::string& state_directory, std::size_t keep);

  const std::map<std::uint64_t, HistoryEntry>& entries() const { return entries_; }
  HistoryEntry* find(std::uint64_t generation);
  // Entries that could not be read, by name, with why.
  const std::vector<std::string>& problems() const { return problems_; }
  // Above it, a number was never used.
  std::uint64_t highest() const { return highest_; }
  // The highest generation that a signature was accepted for.
  std::uint64_t signed_highest() const { return signed_highest_; }

  // The error is a sentence; then the entry is not there.
  std::expected<void, std::string> add(const HistoryEntry& entry, const Bundle& bundle,
                                       std::span<const std::byte> image);
  // Writes the entry as it is now.
  std::expected<void, std::string> keep(const HistoryEntry& entry);
  std::expected<void, std::string> accept_signed(std::uint64_t generation);
  void remove(std::uint64_t generation);

  // Read anew from the disk and compared with their digests.
  std::expected<Bundle, std::string> sources(const HistoryEntry& entry) const;
  std::expected<std::vector<std::byte>, std::string> image(const HistoryEntry& entry) const;

 private:
  History(std::string directory, Descriptor lock, std::size_t keep)
      : directory_(std::move(directory)), lock_(std::move(lock)), keep_(keep) {}
  void read_all();
  void prune();
  std::string folder(std::uint64_t generation) const;

  std::string directory_;
  Descriptor lock_;
  std::size_t keep_;
  std::map<std::uint64_t, HistoryEntry> entries_;
  std::vector<std::string> problems_;
  std::uint64_t highest_ = 0, signed_highest_ = 0;
};

}  // namespace weir::control
