#include "control/publish/signature.hpp"

#include <fmt/format.h>
#include <sodium.h>

#include <algorithm>
#include <charconv>
#include <cstring>

namespace weir::control {
namespace {

using Bytes = std::vector<unsigned char>;

constexpr std::uint64_t generation_max = std::uint64_t{1} << 53;
constexpr std::string_view trusted_prefix = "trusted comment: ";

std::vector<std::string_view> lines_of(std::string_view text) {
  std::vector<std::string_view> lines;
  while (!text.empty() && lines.size() < 8) {
    const std::size_t end = text.find('\n');
    std::string_view line = text.substr(0, end);
    if (line.ends_with('\r')) line.remove_suffix(1);
    lines.push_back(line);
    text = end == std::string_view::npos ? "" : text.substr(end + 1);
  }
  return lines;
}

// Exactly `bytes` of them, or nothing.
Bytes from_base64(std::string_view text, std::size_t bytes) {
  Bytes out(bytes + 1);
  std::size_t length = 0;
  const char* end = nullptr;
  const bool is_read = sodium_base642bin(out.data(), out.size(), text.data(), text.size(), nullptr, &length, &end,
                                         sodium_base64_VARIANT_ORIGINAL) == 0;
  if (!is_read || length != bytes || end != text.data() + text.size()) return {};
  out.resize(bytes);
  return out;
}

const unsigned char* bytes_of(std::string_view text) { return reinterpret_cast<const unsigned char*>(text.data()); }

std::expected<std::uint64_t, std::string> generation_in(std::string_view comment) {
  constexpr std::string_view word = "generation";
  std::size_t at = comment.find(word);
  if (at == std::string_view::npos)
    return std::unexpected("the trusted comment of a signature does not say `generation N`");
  at += word.size();
  while (at < comment.size() && (comment[at] == ' ' || comment[at] == ':' || comment[at] == '=')) ++at;
  std::uint64_t number = 0;
  const auto [end, fault] = std::from_chars(comment.data() + at, comment.data() + comment.size(), number);
  const bool ends = end == comment.data() + comment.size() || std::string_view(" \t,;").contains(*end);
  if (fault != std::errc() || !ends || number == 0 || number > generation_max)
    return std::unexpected("the trusted comment of a signature does not say `generation N`");
  return number;
}

}  // namespace

std::string PublicKey::name() const {
  std::string text;
  for (std::size_t i = id.size(); i-- > 0;) text += fmt::format("{:02X}", id[i]);
  return text;
}

std::expected<PublicKey, std::string> read_public_key(std::string_view text) {
  const auto lines = lines_of(text);
  const std::size_t at = !lines.empty() && lines[0].starts_with("untrusted comment:") ? 1 : 0;
  const Bytes bytes = at < lines.size() ? from_base64(lines[at], 42) : Bytes{};
  if (bytes.empty() || bytes[0] != 'E' || bytes[1] != 'd') return std::unexpected("not a public key of minisign");
  PublicKey key{};
  std::copy_n(bytes.begin() + 2, key.id.size(), key.id.begin());
  std::copy_n(bytes.begin() + 10, key.key.size(), key.key.begin());
  return key;
}

std::expected<Signed, std::string> verify_signature(std::span<const PublicKey> keys, std::string_view message,
                                                    std::string_view signature) {
  const auto lines = lines_of(signature);
  const bool is_whole =
      lines.size() >= 4 && lines[0].starts_with("untrusted comment:") && lines[2].starts_with(trusted_prefix);
  const Bytes bytes = is_whole ? from_base64(lines[1], 74) : Bytes{};
  const Bytes global = is_whole ? from_base64(lines[3], 64) : Bytes{};
  if (bytes.empty() || global.empty() || bytes[0] != 'E' || (bytes[1] != 'D' && bytes[1] != 'd'))
    return std::unexpected("not a signature of minisign");
  const auto key = std::ranges::find_if(
      keys, [&](const PublicKey& one) { return std::equal(one.id.begin(), one.id.end(), bytes.begin() + 2); });
  if (key == keys.end()) return std::unexpected("a signature is by a key that is not pinned");
  unsigned char hash[64];
  crypto_generichash(hash, sizeof hash, bytes_of(message), message.size(), nullptr, 0);
  const std::string_view hashed(reinterpret_cast<const char*>(hash), sizeof hash);
  const std::string_view covered = bytes[1] == 'D' ? hashed : message;
  const std::string_view comment = lines[2].substr(trusted_prefix.size());
  Bytes with_comment(bytes.begin() + 10, bytes.end());
  with_comment.insert(with_comment.end(), comment.begin(), comment.end());
  if (crypto_sign_verify_detached(bytes.data() + 10, bytes_of(covered), covered.size(), key->key.data()) != 0 ||
      crypto_sign_verify_detached(global.data(), with_comment.data(), with_comment.size(), key->key.data()) != 0)
    return std::unexpected(fmt::format("a signature by {} is not of this policy", key->name()));
  const auto generation = generation_in(comment);
  if (!generation) return std::unexpected(generation.error());
  return Signed{key->name(), *generation};
}

std::expected<SignedBy, std::string> verify_signatures(std::span<const PublicKey> keys, std::string_view message,
                                                       std::span<const std::string> signatures) {
  SignedBy by;
  if (signatures.size() > 16) return std::unexpected("more than 16 signatures");
  for (const std::string& one : signatures) {
    const auto found = verify_signature(keys, message, one);
    if (!found) return std::unexpected(found.error());
    if (by.generation != 0 && found->generation != by.generation)
      return std::unexpected("the signatures are for different generations");
    by.generation = found->generation;
    if (std::ranges::find(by.keys, found->key) == by.keys.end()) by.keys.push_back(found->key);
  }
  return by;
}

}  // namespace weir::control
