// Transport checksums against their definitions, a word or a bit at a time: random bytes, lengths, alignments and cuts
// into pieces; and whole packets of every protocol, right and with one bit turned.
#include "dataplane/base/machine.hpp"
#include "dataplane/packet/block_sum.hpp"
#include "dataplane/packet/checksum.hpp"

#include <catch2/catch.hpp>
#include <random>
#include <vector>

using namespace weir;

namespace {

// RFC 1071, section 1: big-endian words, carries added at the end.
u16 naive_sum(const std::vector<u8>& bytes) {
  u64 sum = 0;
  for (std::size_t i = 0; i < bytes.size(); i += 2) sum += bytes[i] * 256u + (i + 1 < bytes.size() ? bytes[i + 1] : 0u);
  while (sum >> 16) sum = (sum & 0xffff) + (sum >> 16);
  return static_cast<u16>(sum);
}

// RFC 9260, appendix A: a bit at a time.
u32 naive_crc(const std::vector<u8>& bytes) {
  u32 crc = ~u32{0};
  for (const u8 byte : bytes) {
    crc ^= byte;
    for (int bit = 0; bit < 8; ++bit) crc = (crc & 1) != 0 ? crc >> 1 ^ 0x82f63b78 : crc >> 1;
  }
  return ~crc;
}

std::vector<u8> random_bytes(std::mt19937_64& random, std::size_t count) {
  std::vector<u8> bytes(count);
  const u64 kind = random() % 4;  // the edges of carrying: all ones, all zero
  for (u8& byte : bytes) byte = static_cast<u8>(kind == 0 ? 0xff : kind == 1 ? 0 : random());
  return bytes;
}

void put(std::vector<u8>& bytes, u64 value, u32 width) {
  while (width-- != 0) bytes.push_back(static_cast<u8>(value >> 8 * width));
}

struct Sample {
  Headers headers{};
  std::vector<u8> transport;
  std::vector<u8> pseudo;  // what the sum begins with: RFC 9293 3.1, RFC 8200 8.1; nothing for ICMP
  u32 field = 2;
};

Sample sample(std::mt19937_64& random, u8 protocol, bool is_ipv4, u32 payload_bytes) {
  Sample made;
  made.headers.protocol = protocol;
  made.headers.is_ipv4 = is_ipv4;
  const auto addresses = random_bytes(random, 32);
  made.headers.source = is_ipv4 ? Address::ipv4(load<u32>(&addresses[0])) : Address::ipv6(&addresses[0]);
  made.headers.target = is_ipv4 ? Address::ipv4(load<u32>(&addresses[16])) : Address::ipv6(&addresses[16]);
  made.transport = random_bytes(random, (protocol == 6 ? 20 : protocol == 132 ? 12 : 8) + payload_bytes);
  made.field = protocol == 6 ? 16 : protocol == 17 ? 6 : protocol == 132 ? 8 : 2;
  if (protocol != 1) {
    const u32 width = is_ipv4 ? 4 : 16;
    for (u32 at : {0u, 16u}) made.pseudo.insert(made.pseudo.end(), &addresses[at], &addresses[at] + width);
    put(made.pseudo, made.transport.size(), 4), put(made.pseudo, protocol, 4);
  }
  for (u32 i = 0; i < (protocol == 132 ? 4 : 2); ++i) made.transport[made.field + i] = 0;
  std::vector<u8> all = protocol == 132 ? std::vector<u8>{} : made.pseudo;
  all.insert(all.end(), made.transport.begin(), made.transport.end());
  if (protocol == 132) {
    const u32 crc = naive_crc(all);
    std::memcpy(&made.transport[8], &crc, 4);
  } else {
    const u16 sum = static_cast<u16>(~naive_sum(all)), written = sum == 0 ? 0xffff : sum;
    made.transport[made.field] = static_cast<u8>(written >> 8);
    made.transport[made.field + 1] = static_cast<u8>(written);
  }
  return made;
}

// Cuts the transport into random pieces, each but the last of whole units of eight bytes.
bool holds(std::mt19937_64& random, const Sample& sample) {
  std::vector<ByteRun> runs;
  const auto bytes = static_cast<u32>(sample.transport.size());
  for (u32 at = 0; at < bytes;) {
    u32 take = (3 + static_cast<u32>(random() % 30)) * 8;
    if (random() % 3 == 0 || at + take > bytes) take = bytes - at;
    runs.push_back({&sample.transport[at], take});
    at += take;
  }
  const bool plain = checksum_holds(sample.headers, runs);
  CHECK(checksum_holds(sample.headers, runs, machine_has_vectors_256()) == plain);
  return plain;
}

}  // namespace

TEST_CASE("the sum is RFC 1071's, whatever the length and alignment") {
  std::mt19937_64 random(20260401);
  for (u32 round = 0; round < 20000; ++round) {
    const u32 count = static_cast<u32>(random() % (round % 10 == 0 ? 3000 : 80));
    const u32 shift = static_cast<u32>(random() % 9);
    const auto bytes = random_bytes(random, count + shift);
    const std::vector<u8> part(bytes.begin() + shift, bytes.end());
    const u32 sum = ones_sum(bytes.data() + shift, count);
    INFO(count << " bytes");
    REQUIRE(sum <= 0xffff);
    REQUIRE(swap(static_cast<u16>(sum)) == naive_sum(part));
  }
}

TEST_CASE("blocks add up the same in all widths") {
  std::mt19937_64 random(20261121);
  for (u32 round = 0; round < 400; ++round) {
    const u32 blocks = static_cast<u32>(random() % (round % 10 == 0 ? blocks_max + 1 : 40));
    const u32 shift = static_cast<u32>(random() % 3);
    auto bytes = random_bytes(random, blocks * block_bytes + shift);
    if (round % 7 == 0) std::fill(bytes.begin(), bytes.end(), u8{0xff});
    u64 sum = 0;
    for (u32 at = shift; at < bytes.size(); at += 2) sum += load<u16>(&bytes[at]);
    INFO(blocks << " blocks");
    CHECK(block_sum_plain(bytes.data() + shift, blocks) == sum);
    if (machine_has_vectors_256()) CHECK(block_sum_wide(bytes.data() + shift, blocks) == sum);
  }
}

TEST_CASE("the CRC is RFC 9260's") {
  std::mt19937_64 random(20260402);
  const std::vector<u8> digits{'1', '2', '3', '4', '5', '6', '7', '8', '9'};
  CHECK(~crc32c(digits.data(), 9, ~u32{0}) == 0xe3069283);  // the catalogued check value of CRC-32C
  for (u32 round = 0; round < 3000; ++round) {
    const auto bytes = random_bytes(random, random() % 200);
    REQUIRE(~crc32c(bytes.data(), static_cast<u32>(bytes.size()), ~u32{0}) == naive_crc(bytes));
  }
}

TEST_CASE("right packets hold, whole and in pieces, and one turned bit is seen") {
  std::mt19937_64 random(20260403);
  for (u32 round = 0; round < 20000; ++round) {
    constexpr u8 protocols[] = {6, 17, 1, 58, 132};
    const u8 protocol = protocols[random() % 5];
    Sample right = sample(random, protocol, random() % 2 == 0, static_cast<u32>(random() % 600));
    INFO("round " << round << ", protocol " << u32{protocol});
    REQUIRE(holds(random, right));
    const u32 bit = static_cast<u32>(random() % (right.transport.size() * 8));
    right.transport[bit / 8] = static_cast<u8>(right.transport[bit / 8] ^ 1u << bit % 8);
    const bool says_none = protocol == 17 && right.transport[6] == 0 && right.transport[7] == 0;
    REQUIRE(holds(random, right) == (says_none && right.headers.is_ipv4));
  }
}

TEST_CASE("no checksum is UDP's on IPv4 alone") {
  std::mt19937_64 random(20260404);
  for (const bool is_ipv4 : {true, false})
    for (const u8 protocol : std::initializer_list<u8>{6, 17, 1, 58, 132}) {
      Sample none = sample(random, protocol, is_ipv4, 101);
      none.transport.assign(none.transport.size(), 0x11);
      for (u32 i = 0; i < (protocol == 132 ? 4 : 2); ++i) none.transport[none.field + i] = 0;
      CHECK(holds(random, none) == (protocol == 17 && is_ipv4));
    }
}

TEST_CASE("RoCEv2 may go without one on IPv6 too, and one it has covers pad and ICRC") {
  std::mt19937_64 random(20260406);
  for (const bool is_ipv4 : {true, false})
    for (u32 round = 0; round < 100; ++round) {
      Sample made = sample(random, 17, is_ipv4, 12 + 4 * (1 + static_cast<u32>(random() % 40)));
      const auto bytes = static_cast<u32>(made.transport.size());
      made.headers.rdma_opcode = 0x04;
      made.headers.payload_offset = 20;
      made.headers.payload_bytes = bytes - 20 - 4 - static_cast<u32>(random() % 4);
      std::vector<u8> right = made.transport;
      right[4] = static_cast<u8>(bytes >> 8), right[5] = static_cast<u8>(bytes);
      right[6] = right[7] = 0;
      CHECK(checksum_holds(made.headers, reinterpret_cast<const std::byte*>(right.data())));
      std::vector<u8> all = made.pseudo;
      all.insert(all.end(), right.begin(), right.end());
      const u16 sum = static_cast<u16>(~naive_sum(all)), written = sum == 0 ? 0xffff : sum;
      right[6] = static_cast<u8>(written >> 8), right[7] = static_cast<u8>(written);
      CHECK(checksum_holds(made.headers, reinterpret_cast<const std::byte*>(right.data())));
      right.back() ^= 1;
      CHECK(!checksum_holds(made.headers, reinterpret_cast<const std::byte*>(right.data())));
    }
}

TEST_CASE("what has no checksum that is known here is not held against it") {
  std::mt19937_64 random(20260405);
  for (const u8 protocol : std::initializer_list<u8>{2, 47, 50, 51, 136}) {
    Sample other = sample(random, protocol, true, 40);
    other.transport[3] ^= 0x55;
    CHECK(holds(random, other));
  }
}
