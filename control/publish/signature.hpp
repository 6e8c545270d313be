// Signatures in minisign's format (jedisct1.github.io/minisign): Ed25519 over a message or its BLAKE2b-512, and over
// the trusted comment. Only keys that were pinned count; what does not verify is a sentence. It makes no signatures.
#pragma once
#include <array>
#include <cstdint>
#include <expected>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace weir::control {

struct PublicKey {
  std::array<unsigned char, 8> id;
  std::array<unsigned char, 32> key;
  std::string name() const;  // the id, as minisign shows it
};

// The text of a key file: an untrusted comment and a line of base64.
std::expected<PublicKey, std::string> read_public_key(std::string_view text);

struct Signed {
  std::string key;           // its name
  std::uint64_t generation;  // "generation N" in the trusted comment
};

// By which of `keys`, and for which generation.
std::expected<Signed, std::string> verify_signature(std::span<const PublicKey> keys, std::string_view message,
                                                    std::string_view signature);

// All of them, by keys that differ, for one generation. Without any: generation 0.
struct SignedBy {
  std::vector<std::string> keys;
  std::uint64_t generation = 0;
};
std::expected<SignedBy, std::string> verify_signatures(std::span<const PublicKey> keys, std::string_view message,
                                                       std::span<const std::string> signatures);

}  // namespace weir::control
