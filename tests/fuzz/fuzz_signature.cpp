// Fuzzes key files and signatures in minisign's format: whatever stands in them, only what was signed by the pinned key
// counts; a key that is read has an id that can be shown.
#include "control/publish/signature.hpp"

#include <sodium.h>

#include <cstdlib>
#include <cstring>

using namespace weir::control;

namespace {

void must(bool holds) {
  if (!holds) std::abort();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string text(reinterpret_cast<const char*>(data), size);
  if (const auto key = read_public_key(text)) must(key->name().size() == 16);
  // A key of which nobody has the secret half: the public half is a hash.
  static const PublicKey pinned = [] {
    PublicKey key{};
    std::memcpy(key.id.data(), "weirweir", key.id.size());
    crypto_generichash(key.key.data(), key.key.size(), key.id.data(), key.id.size(), nullptr, 0);
    return key;
  }();
  const auto by = verify_signature({&pinned, 1}, "message", text);
  must(!by && !by.error().empty());
  const std::string both[] = {text, text};
  must(!verify_signatures({&pinned, 1}, "message", both));
  return 0;
}
