// Where a ledger's head is noted outside it, so that an older copy of the ledger, which is as authentic as it ever was,
// is told from the newest: one that ends before its anchor is closed. Two functions, as data: a file on another device
// is here; a TPM's NV counter keeps the number alone (read() then gives no digest), a remote append-only log both.
#pragma once
#include "dataplane/ledger/key.hpp"

namespace weir::ledger {

struct Head {
  u64 number = 0;  // of the frame
  std::optional<Tag> tag;
};

struct Anchor {
  // Nothing: there has been no ledger under this anchor.
  std::function<std::expected<std::optional<Head>, Error>()> read;
  // Never back. After it returns well, no crash makes read() give less.
  std::function<Done(const Head&)> advance;
  std::string name;  // for sentences
};

// A file in another Storage, authenticated by the ledger's key. One that is damaged is an error, not an absence.
Anchor anchor_in(Storage storage, const std::string& file, const Key& key);

}  // namespace weir::ledger
