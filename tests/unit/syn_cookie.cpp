// The parts of the SYN proxy on their own: SipHash by its published outputs, what a cookie tells and how long it holds,
// and segments of our own against a checksum written down here once more.
#include "dataplane/flow/cookie.hpp"

#include <algorithm>
#include <catch2/catch.hpp>
#include <numeric>
#include <set>
#include <vector>

namespace weir {
namespace {

constexpr SipKey vector_key{{0x0706050403020100, 0x0f0e0d0c0b0a0908}};
constexpr Tick start = Tick{1'700'000'000} * tick_second;

CookieSubject subject() {
  return {Address::ipv4(0x0100000a), Address::ipv4(0x0200010a), 40000, 443, 7, 0x12345678};
}

using Bytes = std::vector<std::byte>;

void put(Bytes& to, std::initializer_list<unsigned> bytes) {
  for (const unsigned byte : bytes) to.push_back(static_cast<std::byte>(byte));
}

// RFC 1071 as written there, over 16-bit numbers in network order.
unsigned internet_checksum(const Bytes& bytes) {
  unsigned sum = 0;
  for (std::size_t i = 0; i < bytes.size(); ++i)
    sum += static_cast<unsigned>(bytes[i]) << (i % 2 == 0 ? 8 : 0);
  while (sum > 0xffff) sum = (sum >> 16) + (sum & 0xffff);
  return ~sum & 0xffff;
}

// A SYN from fd00::1:40000 (10.0.0.1) to fd00::2:443 (10.0.0.2), with or without a tag.
Bytes syn(bool ipv6, bool tagged, std::initializer_list<unsigned> options) {
  Bytes frame;
  put(frame, {2, 0, 0, 0, 0, 2, 2, 0, 0, 0, 0, 1});
  if (tagged) put(frame, {0x81, 0, 0, 5});
  const unsigned tcp_bytes = 20 + static_cast<unsigned>(options.size());
  if (ipv6) {
    put(frame, {0x86, 0xdd, 0x60, 0, 0, 0, 0, tcp_bytes, 6, 63});
    for (const unsigned last : {1u, 2u}) put(frame, {0xfd, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, last});
  } else {
    put(frame, {8, 0, 0x45, 0x28, 0, 20 + tcp_bytes, 0, 9, 0x40, 0, 63, 6, 0, 0, 10, 0, 0, 1, 10, 0, 0, 2});
    const std::size_t ip = frame.size() - 20;
    const unsigned sum = internet_checksum({frame.begin() + static_cast<std::ptrdiff_t>(ip), frame.end()});
    frame[ip + 10] = static_cast<std::byte>(sum >> 8), frame[ip + 11] = static_cast<std::byte>(sum);
  }
  put(frame, {0x9c, 0x40, 1, 0xbb, 0x12, 0x34, 0x56, 0x78, 0, 0, 0, 0, tcp_bytes << 2, 2, 0xfa, 0xf0, 0, 0, 0, 0});
  put(frame, options);
  return frame;
}

Headers parsed(const Bytes& frame) {
  const Headers headers = parse(frame, {HashKey{{1, 2, 3, 4}}, 0});
  REQUIRE(row(headers.drop).name == row(Reason::undecided).name);
  return headers;
}

// Both checksums of a frame that parses hold: zero over what they cover, pseudo-header included (RFC 9293 3.1).
void check_sums(const Bytes& frame) {
  const Headers headers = parsed(frame);
  const auto at = [&](u32 offset) { return frame.begin() + offset; };
  const u32 tcp_bytes = headers.payload_offset - headers.l4_offset + headers.payload_bytes;
  const u32 addresses = headers.l3_offset + (headers.is_ipv4 ? 12u : 8u);
  Bytes summed(at(addresses), at(addresses + (headers.is_ipv4 ? 8u : 32u)));
  put(summed, {0, 6, tcp_bytes >> 8, tcp_bytes & 255});
  summed.insert(summed.end(), at(headers.l4_offset), at(headers.l4_offset + tcp_bytes));
  CHECK(internet_checksum(summed) == 0);
  if (headers.is_ipv4) CHECK(internet_checksum({at(headers.l3_offset), at(headers.l4_offset)}) == 0);
}

const auto all_options = {2u, 4u, 0x05u, 0xb4u, 1u, 3u, 3u, 7u, 1u, 1u, 4u, 2u};

}  // namespace

// The reference outputs for messages 00 01 02 … of whole words.
TEST_CASE("SipHash-2-4 is the published one") {
  const u64 words[] = {0x0706050403020100, 0x0f0e0d0c0b0a0908, 0x1716151413121110,
                       0x1f1e1d1c1b1a1918, 0x2726252423222120, 0x2f2e2d2c2b2a2928};
  SipHash hash(vector_key);
  CHECK(hash.finish() == 0x726fdb47dd0e0e31);
  CHECK(hash.add(words[0]).finish() == 0x93f5f5799a932462);
  CHECK(hash.add(words[1]).finish() == 0x3f2acc7f57c29bdb);
  CHECK(hash.add(words[2]).finish() == 0xb8ad50c6f649af94);
  for (int i = 3; i < 6; ++i) hash.add(words[i]);
  CHECK(hash.finish() == 0xe612a3cb9ecba951);
}

TEST_CASE("a cookie remembers the options, its size rounded down") {
  struct {
    u16 mss, kept;
  } const sizes[] = {{0, 256},     {100, 256},   {255, 256},   {536, 536},   {1219, 536},  {1220, 1220}, {1400, 1360},
                     {1452, 1440}, {1459, 1440}, {1460, 1460}, {3999, 1460}, {8960, 8940}, {65535, 8940}};
  for (const auto& size : sizes)
    for (u8 scale = 0; scale <= no_scale; ++scale)
      for (const bool sack : {false, true}) {
        const u32 cookie = cookie_of(vector_key, subject(), {size.mss, scale, sack}, start);
        CHECK(options_of_cookie(cookie) == TcpOptions{size.kept, scale, sack});
        CHECK(cookie_holds(vector_key, subject(), cookie, start));
      }
}

TEST_CASE("a cookie holds to the end of the next slot") {
  const Tick slot = Tick{1} << cookie_slot_shift, begin = start / slot * slot;
  for (const Tick made : {begin, begin + slot / 2, begin + slot - 1}) {
    const u32 cookie = cookie_of(vector_key, subject(), {}, made);
    CHECK(cookie_holds(vector_key, subject(), cookie, begin + 2 * slot - 1));
    CHECK_FALSE(cookie_holds(vector_key, subject(), cookie, begin + 2 * slot));
    CHECK_FALSE(cookie_holds(vector_key, subject(), cookie, begin - 1));
    CHECK_FALSE(cookie_holds(vector_key, subject(), cookie, made + cookie_life_max));
  }
}

TEST_CASE("a cookie is for one subject, one key and its own options") {
  const u32 cookie = cookie_of(vector_key, subject(), {1460, 7, true}, start);
  const auto other = [](auto change) {
    CookieSubject changed = subject();
    change(changed);
    return changed;
  };
  const CookieSubject others[] = {
      other([](CookieSubject& s) { s.client.low ^= 1 << 24; }),
      other([](CookieSubject& s) { s.target.low ^= 1 << 24; }),
      other([](CookieSubject& s) { s.client.high ^= 1; }),
      other([](CookieSubject& s) { s.target.high ^= 1; }),
      other([](CookieSubject& s) { std::swap(s.client, s.target); }),
      other([](CookieSubject& s) { std::swap(s.client_port, s.target_port); }),
      other([](CookieSubject& s) { s.client_port ^= 1; }),
      other([](CookieSubject& s) { s.target_port ^= 1; }),
      other([](CookieSubject& s) { s.scope ^= 1; }),
      other([](CookieSubject& s) { s.sequence ^= 1; }),
  };
  for (const CookieSubject& one : others) CHECK_FALSE(cookie_holds(vector_key, one, cookie, start));
  CHECK_FALSE(cookie_holds({{vector_key.words[0], vector_key.words[1] ^ 1}}, subject(), cookie, start));
  for (u32 bit = 0; bit < 32; ++bit) CHECK_FALSE(cookie_holds(vector_key, subject(), cookie ^ u32{1} << bit, start));
}

// 2^20 guesses meet 2^-23 each: none or one is to be expected, and this key and start meet none.
TEST_CASE("guessing a cookie is rare") {
  u32 held = 0;
  for (u32 guess = 0; guess < 1 << 20; ++guess) held += cookie_holds(vector_key, subject(), guess * 4099, start);
  CHECK(held <= 1);
}

TEST_CASE("options are read as they stand, whatever their order") {
  const Bytes none = syn(false, false, {});
  const Bytes usual = syn(false, false, {2, 4, 5, 0xb4, 4, 2, 8, 10, 0, 0, 0, 1, 0, 0, 0, 0, 1, 3, 3, 7});
  const Bytes ended = syn(false, false, {1, 1, 0, 0, 2, 4, 5, 0xb4});
  const Bytes large = syn(false, false, {3, 3, 200, 0});
  const auto read = [](const Bytes& frame) {
    const Headers headers = parsed(frame);
    return read_options(reinterpret_cast<const u8*>(frame.data()) + headers.l4_offset,
                        headers.payload_offset - u32{headers.l4_offset});
  };
  CHECK(read(none) == TcpOptions{});
  CHECK(read(usual) == TcpOptions{1460, 7, true});
  CHECK(read(ended) == TcpOptions{});
  CHECK(read(large) == TcpOptions{0, 14, false});
}

TEST_CASE("an answer goes back by the way its SYN came, is whole, and no longer") {
  for (const bool ipv6 : {false, true})
    for (const bool tagged : {false, true})
      for (const auto& options : {all_options, std::initializer_list<unsigned>{}}) {
        const Bytes frame = syn(ipv6, tagged, options);
        const Headers headers = parsed(frame);
        Bytes room(frame.size());
        BareSegment segment{0xcafe0001, 0x12345679, 0x12, 0, {1460, 8, true}};
        const u32 bytes = answer_segment(room, frame, headers, segment);
        REQUIRE(bytes == frame.size());
        const Headers answer = parsed(room);
        CHECK(answer.key == headers.key);
        CHECK((answer.source == headers.target && answer.target_port == headers.source_port));
        CHECK(answer.tcp_flags == 0x12);
        CHECK(std::equal(room.begin(), room.begin() + 6, frame.begin() + 6));
        CHECK(std::equal(room.begin() + 6, room.begin() + 12, frame.begin()));
        CHECK(load_be32(&room[answer.l4_offset + 4u]) == 0xcafe0001);
        CHECK(load_be32(&room[answer.l4_offset + 8u]) == 0x12345679);
        CHECK(segment.options == (options.size() == 0 ? TcpOptions{} : TcpOptions{1460, 8, true}));
        CHECK(read_options(reinterpret_cast<const u8*>(&room[answer.l4_offset]),
                           answer.payload_offset - u32{answer.l4_offset}) == segment.options);
        check_sums(room);
        Bytes small(answer.l4_offset + 19u);
        CHECK(answer_segment(small, frame, headers, segment) == 0);
      }
}

TEST_CASE("a segment replaces another within its room") {
  for (const bool ipv6 : {false, true})
    for (const u32 more : {0u, 3u, 4u, 8u, 12u, 40u}) {
      Bytes frame = syn(ipv6, false, {});
      const u32 bytes = static_cast<u32>(frame.size());
      const Headers headers = parsed(frame);
      frame.resize(bytes + more, std::byte{0x77});
      BareSegment segment{1, 2, 2, 64240, {1460, 7, true}};
      const u32 fitted = std::min(more / 4 * 4, 12u);
      CHECK(replace_segment(frame.data(), bytes, bytes + more, headers, segment) == bytes + fitted);
      CHECK(options_bytes(segment.options) == fitted);
      CHECK(std::all_of(frame.begin() + bytes + fitted, frame.end(), [](std::byte b) { return b == std::byte{0x77}; }));
      check_sums({frame.begin(), frame.begin() + bytes + fitted});
    }
}

TEST_CASE("what a segment leaves over is padding") {
  Bytes frame = syn(false, false, all_options);
  const Headers headers = parsed(frame);
  BareSegment segment{1, 2, 0x10, 500, {}};
  CHECK(replace_segment(frame.data(), static_cast<u32>(frame.size()), 0, headers, segment) == frame.size());
  CHECK(std::all_of(frame.end() - 12, frame.end(), [](std::byte b) { return b == std::byte{0}; }));
  CHECK(parsed(frame).payload_bytes == 0);
  check_sums(frame);
}

TEST_CASE("a changed field leaves its checksum right") {
  Bytes frame = syn(false, false, all_options);
  const Headers headers = parsed(frame);
  BareSegment segment{0, 0, 2, 64240, {1460, 7, true}};
  replace_segment(frame.data(), static_cast<u32>(frame.size()), 0, headers, segment);
  u32 value = 0x9e3779b9;
  for (u32 i = 0; i < 4096; ++i) {
    std::byte* const field = &frame[headers.l4_offset + 4u + (i & 1) * 4];
    const u32 from = load<u32>(field), to = i % 16 == 0 ? 0 : i % 16 == 1 ? ~u32{0} : value;
    std::memcpy(field, &to, sizeof to);
    update_sum(reinterpret_cast<u8*>(&frame[headers.l4_offset + 16u]), from, to);
    value = value * 1664525 + 1013904223;
    check_sums(frame);
  }
}

}  // namespace weir
