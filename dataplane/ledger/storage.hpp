// What a ledger asks of a disk: seven verbs on names in one folder. The functions are data, so that a test may lend a
// disk that loses what was not synced, tears writes and fills up. Whoever gets an error trusts the disk no more.
//
// What is promised by files_in(): after sync(name) returns, what was appended is on the disk; after sync_folder()
// returns, so are renames and new names; a rename happens wholly or not at all. Nothing else is promised.
#pragma once
#include "dataplane/base/bytes.hpp"
#include "dataplane/ledger/error.hpp"

#include <expected>
#include <functional>
#include <optional>
#include <vector>

namespace weir::ledger {

using Bytes = std::vector<std::byte>;
using Done = std::expected<void, Error>;

// Steps one after another, up to the first that fails.
template <class... Steps>
Done in_turn(Steps&&... steps) {
  Done done;
  ((done = steps(), done.has_value()) && ...);
  return done;
}

struct Storage {
  std::function<std::expected<std::optional<Bytes>, Error>(const std::string& name)> read;  // nothing: no such file
  std::function<Done(const std::string& name)> create;                                      // empty; replaces
  std::function<Done(const std::string& name, std::span<const std::byte> bytes)> append;    // to a created file
  std::function<Done(const std::string& name)> sync;
  std::function<Done(const std::string& from, const std::string& to)> rename;
  std::function<Done()> sync_folder;
  std::string folder;  // for sentences
};

// Files of the operating system. An opened ledger keeps a lock on the folder, so that no two processes write it.
std::expected<Storage, Error> files_in(const std::string& folder);

}  // namespace weir::ledger
