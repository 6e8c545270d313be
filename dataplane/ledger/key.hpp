// The key that authenticates a ledger's frames, and the tags that it makes: keyed BLAKE2b (RFC 7693) of 256 bits. It is
// read from a file that the operator names, and that does not lie beside the ledger.
#pragma once
#include "dataplane/ledger/storage.hpp"

#include <array>
#include <initializer_list>

namespace weir::ledger {

using Tag = std::array<u8, 32>;

struct Key {
  std::array<u8, 32> bytes{};
  Tag tag_of(std::initializer_list<std::span<const std::byte>> parts) const;
};

// Any 32 bytes or more, such as `head -c 32 /dev/urandom` makes; only their digest is used. A file that others than its
// owner may read is refused, and so is a shorter one.
std::expected<Key, Error> load_key(const std::string& path);

}  // namespace weir::ledger
