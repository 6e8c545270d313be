#include "control/see/community_id.hpp"

#include "dataplane/packet/numbers.hpp"

#include <algorithm>
#include <bit>
#include <optional>
#include <tuple>
#include <vector>

namespace weir::see {
namespace {

using State = std::array<u32, 5>;

void absorb(State& state, const std::byte* block) {
  std::array<u32, 80> words;
  for (std::size_t i = 0; i < 16; ++i) words[i] = std::byteswap(load<u32>(block + 4 * i));
  for (std::size_t i = 16; i < 80; ++i)
    words[i] = std::rotl(words[i - 3] ^ words[i - 8] ^ words[i - 14] ^ words[i - 16], 1);
  auto [a, b, c, d, e] = state;
  for (std::size_t i = 0; i < 80; ++i) {
    const u32 mixed = i < 20 ? (b & c) | (~b & d) : i < 40 || i >= 60 ? b ^ c ^ d : (b & c) | (b & d) | (c & d);
    constexpr u32 rounds[] = {0x5a827999, 0x6ed9eba1, 0x8f1bbcdc, 0xca62c1d6};
    const u32 next = std::rotl(a, 5) + mixed + e + words[i] + rounds[i / 20];
    e = d, d = c, c = std::rotl(b, 30), b = a, a = next;
  }
  const State added{a, b, c, d, e};
  for (std::size_t i = 0; i < 5; ++i) state[i] += added[i];
}

template <class Number>
void append(std::vector<std::byte>& bytes, Number number) {
  for (std::size_t byte = sizeof number; byte > 0; --byte)
    bytes.push_back(static_cast<std::byte>(number >> (8 * (byte - 1))));
}

// Addresses as they stand on the wire.
std::vector<std::byte> wire_of(const Address& address) {
  std::vector<std::byte> bytes(address.is_ipv4() ? 4 : 16);
  std::memcpy(bytes.data(), &address.low, address.is_ipv4() ? 4 : 0);
  if (address.is_ipv4()) return bytes;
  std::memcpy(bytes.data(), &address.high, 8);
  std::memcpy(bytes.data() + 8, &address.low, 8);
  return bytes;
}

// The message that answers this one, where there is one: the mapping of the specification, which is Zeek's.
std::optional<u16> answer_to(u8 protocol, u16 type) {
  constexpr std::pair<u16, u16> old[] = {{8, 0}, {13, 14}, {15, 16}, {10, 9}, {17, 18}};
  constexpr std::pair<u16, u16> young[] = {{128, 129}, {133, 134}, {135, 136}, {130, 131}, {139, 140}, {144, 145}};
  const auto search = [&](const auto& pairs) -> std::optional<u16> {
    for (const auto& [one, other] : pairs)
      if (type == one || type == other) return type == one ? other : one;
    return std::nullopt;
  };
  return protocol == protocol_icmp ? search(old) : search(young);
}

}  // namespace

std::array<std::byte, 20> sha1(std::span<const std::byte> message) {
  State state{0x67452301, 0xefcdab89, 0x98badcfe, 0x10325476, 0xc3d2e1f0};
  std::vector<std::byte> padded(message.begin(), message.end());
  padded.push_back(std::byte{0x80});
  while (padded.size() % 64 != 56) padded.push_back(std::byte{0});
  append(padded, u64{message.size()} * 8);
  for (std::size_t at = 0; at < padded.size(); at += 64) absorb(state, padded.data() + at);
  std::array<std::byte, 20> digest;
  for (std::size_t i = 0; i < 20; ++i) digest[i] = static_cast<std::byte>(state[i / 4] >> (24 - 8 * (i % 4)));
  return digest;
}

std::string base64(std::span<const std::byte> bytes) {
  constexpr char letters[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  std::string text;
  for (std::size_t at = 0; at < bytes.size(); at += 3) {
    const std::size_t count = std::min<std::size_t>(3, bytes.size() - at);
    u32 word = 0;
    for (std::size_t i = 0; i < 3; ++i) word = word << 8 | (i < count ? static_cast<u32>(bytes[at + i]) : 0);
    for (std::size_t i = 0; i < 4; ++i) text += i <= count ? letters[word >> (18 - 6 * i) & 63] : '=';
  }
  return text;
}

std::string community_id(const FlowTuple& flow, u16 seed) {
  const bool is_icmp = is_icmp_protocol(flow.protocol);
  const bool has_ports =
      is_icmp || flow.protocol == protocol_tcp || flow.protocol == protocol_udp || flow.protocol == protocol_sctp;
  u16 source_number = flow.source_port, target_number = flow.target_port;
  bool is_one_way = false;
  if (is_icmp) {
    source_number = flow.target_port >> 8;
    const auto answer = answer_to(flow.protocol, source_number);
    is_one_way = !answer;
    target_number = answer ? *answer : u16(flow.target_port & 0xff);
  }
  auto source = wire_of(flow.source), target = wire_of(flow.target);
  const bool swaps = !is_one_way && std::tie(target, target_number) < std::tie(source, source_number);
  if (swaps) std::swap(source, target), std::swap(source_number, target_number);
  std::vector<std::byte> message;
  append(message, seed);
  message.insert(message.end(), source.begin(), source.end());
  message.insert(message.end(), target.begin(), target.end());
  append(message, flow.protocol);
  append(message, u8{0});
  if (has_ports) append(message, source_number), append(message, target_number);
  return "1:" + base64(sha1(message));
}

}  // namespace weir::see
