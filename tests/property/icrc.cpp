// RoCEv2's ICRC against its definition, a bit at a time over the masked bytes: any payload, both families, options and
// extension headers; what routers change may change, and any other bit is seen.
#include "dataplane/packet/icrc.hpp"

#include "dataplane/base/machine.hpp"
#include "tests/unit/parse_frame.hpp"

#include <catch2/catch.hpp>
#include <random>
#include <string>
#include <vector>

using namespace weir;
using namespace weir::test;

namespace {

using Bytes = std::vector<u8>;
const ParseContext context{{{1, 2, 3, 4}}, 0};

u32 naive_crc(const Bytes& bytes) {
  u32 crc = ~u32{0};
  for (const u8 byte : bytes)
    for (u32 bit = 0; bit < 8; ++bit) {
      const u32 out = (crc ^ byte >> bit) & 1;
      crc = crc >> 1 ^ (out != 0 ? 0xedb88320 : 0);
    }
  return ~crc;
}

// Offsets from the start of the frame whose bytes count as ones, by family: `l3` and `udp` are where headers stand.
u32 naive_icrc(const Bytes& frame, std::size_t l3, std::size_t udp, std::size_t end) {
  Bytes all(8, 0xff);
  for (std::size_t at = l3; at < end - 4; ++at) {
    const bool v4 = frame[l3] >> 4 == 4;
    const std::size_t ip = at - l3;
    u8 byte = frame[at];
    if (v4 && (ip == 1 || ip == 8 || ip == 10 || ip == 11)) byte = 0xff;
    if (!v4 && ip == 0) byte = static_cast<u8>(byte | 0x0f);
    if (!v4 && (ip == 1 || ip == 2 || ip == 3 || ip == 7)) byte = 0xff;
    if (at == udp + 6 || at == udp + 7 || at == udp + 12) byte = 0xff;
    all.push_back(byte);
  }
  return naive_crc(all);
}

Headers parse_bytes(const Bytes& bytes) { return parse(std::as_bytes(std::span(bytes)), context); }
const std::byte* at(const Bytes& bytes) { return reinterpret_cast<const std::byte*>(bytes.data()); }

struct Around {
  const char* text;
  std::size_t l3, udp;
};
const Around arounds[] = {
    {"ip4 10.0.0.1 10.0.0.2 / ", 14, 34},
    {"vlan 9 / ip4 10.0.0.1 10.0.0.2 / ", 18, 38},
    {"ip4 10.0.0.1 10.0.0.2 options=94040000 / ", 14, 38},
    {"ip6 2001:db8::1 2001:db8::2 / ", 14, 54},
    {"ip6 2001:db8::1 2001:db8::2 / hop 010400000000 / ", 14, 62},
};

// A send of `payload` random bytes, a multiple of four, with its ICRC.
Bytes made(const Around& around, u32 payload, std::mt19937& random) {
  Bytes frame = frame_of(std::string(around.text) + "udp 49152 4791 / bth 04 17 congestion=80 / zero " +
                         std::to_string(payload + 4) + " / pad 3 byte=5a");
  const std::size_t begin = around.udp + 8 + 12, end = begin + payload + 4;
  for (std::size_t i = begin; i < end - 4; ++i) frame[i] = static_cast<u8>(random());
  const u32 crc = naive_icrc(frame, around.l3, around.udp, end);
  for (u32 i = 0; i < 4; ++i) frame[end - 4 + i] = static_cast<u8>(crc >> 8 * i);
  return frame;
}

}  // namespace

TEST_CASE("the CRC is 802.3's, whatever the length, alignment and machine") {
  std::mt19937 random(20261121);
  const Bytes digits{'1', '2', '3', '4', '5', '6', '7', '8', '9'};
  CHECK(~crc32(digits.data(), 9, crc32_begin) == 0xcbf43926);  // the catalogued check value of CRC-32
  for (u32 round = 0; round < 4000; ++round) {
    Bytes bytes(random() % (round % 8 == 0 ? 5000 : 300));
    for (u8& byte : bytes) byte = static_cast<u8>(random());
    const u32 skip = bytes.empty() ? 0 : static_cast<u32>(random() % std::min<std::size_t>(bytes.size(), 17));
    const Bytes part(bytes.begin() + skip, bytes.end());
    const u32 count = static_cast<u32>(part.size());
    const u32 cut = count == 0 ? 0 : static_cast<u32>(random() % count);
    INFO(count << " bytes");
    for (const bool carryless : {false, machine_has_carryless()}) {
      REQUIRE(~crc32(bytes.data() + skip, count, crc32_begin, carryless) == naive_crc(part));
      const u32 first = crc32(bytes.data() + skip, cut, crc32_begin, carryless);
      REQUIRE(~crc32(bytes.data() + skip + cut, count - cut, first, carryless) == naive_crc(part));
    }
  }
}

TEST_CASE("the ICRC is its definition's over both families, tags, options and extension headers") {
  std::mt19937 random(20261122);
  for (const Around& around : arounds)
    for (u32 round = 0; round < 60; ++round) {
      const u32 payload = static_cast<u32>(random() % (round < 40 ? 60 : 1025)) * 4;
      const Bytes frame = made(around, payload, random);
      const Headers headers = parse_bytes(frame);
      INFO(around.text << payload);
      REQUIRE(headers.well_formed());
      REQUIRE(headers.payload_bytes == payload);
      REQUIRE(icrc_holds(headers, at(frame)));
      REQUIRE(icrc_holds(headers, at(frame), machine_has_carryless()));
    }
}

TEST_CASE("what routers change does not matter, and every other bit does") {
  std::mt19937 random(20261123);
  for (const Around& around : arounds) {
    const Bytes frame = made(around, 64, random);
    const Headers headers = parse_bytes(frame);
    const std::size_t end = around.udp + 8 + 12 + 64 + 4;
    const bool v4 = headers.is_ipv4;
    for (std::size_t bit = around.l3 * 8; bit < end * 8; ++bit) {
      Bytes turned = frame;
      turned[bit / 8] = static_cast<u8>(turned[bit / 8] ^ 1u << bit % 8);
      const std::size_t ip = bit / 8 - around.l3, udp = bit / 8 - around.udp;
      const bool changes = (v4 && (ip == 1 || ip == 8 || ip == 10 || ip == 11)) ||
                           (!v4 && (ip == 1 || ip == 2 || ip == 3 || ip == 7 || (ip == 0 && bit % 8 < 4))) ||
                           udp == 6 || udp == 7 || udp == 12;
      if (udp == 4 || udp == 5) continue;  // the length says where the ICRC is
      INFO(around.text << "bit " << bit);
      REQUIRE(icrc_holds(headers, at(turned)) == changes);
    }
  }
}
