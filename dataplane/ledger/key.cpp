#include "dataplane/ledger/key.hpp"

#include "dataplane/base/check.hpp"

#include <sodium.h>
#include <sys/stat.h>
#include <fstream>
#include <iterator>

namespace weir::ledger {
namespace {

const unsigned char* plain(std::span<const std::byte> bytes) {
  return reinterpret_cast<const unsigned char*>(bytes.data());
}

}  // namespace

Tag Key::tag_of(std::initializer_list<std::span<const std::byte>> parts) const {
  crypto_generichash_state state;
  Tag tag;
  WEIR_CHECK(crypto_generichash_init(&state, bytes.data(), bytes.size(), tag.size()) == 0);
  for (const auto part : parts) crypto_generichash_update(&state, plain(part), part.size());
  crypto_generichash_final(&state, tag.data(), tag.size());
  return tag;
}

std::expected<Key, Error> load_key(const std::string& path) {
  struct stat about{};
  if (::stat(path.c_str(), &about) != 0) return std::unexpected(system_error("cannot read the ledger's key " + path));
  if ((about.st_mode & 077) != 0)
    return std::unexpected(
        Error{"the ledger's key " + path + " may be read or written by others than its owner: chmod 600 it"});
  std::ifstream file(path, std::ios::binary);
  const std::string text((std::istreambuf_iterator<char>(file)), {});
  if (!file) return std::unexpected(system_error("cannot read the ledger's key " + path));
  if (text.size() < 32)
    return std::unexpected(Error{"the ledger's key " + path + " has " + std::to_string(text.size()) +
                                 " bytes; 32 are the least: head -c 32 /dev/urandom"});
  Key key;
  crypto_generichash(key.bytes.data(), key.bytes.size(), reinterpret_cast<const unsigned char*>(text.data()),
                     text.size(), nullptr, 0);
  return key;
}

}  // namespace weir::ledger
