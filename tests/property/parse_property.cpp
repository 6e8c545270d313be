// The parser on frames nobody wrote: every well-formed row cut at every length, with bits turned over, with headers of
// other rows spliced in, and pure noise, each in a buffer of exactly its size so that ASan sees a byte too far. Always
// against the naive twin. WEIR_TEST_LONG=1 runs fifty times as many random frames; a seed as WEIR_TEST_SEED.
#include "tests/property/parse_twin.hpp"
#include "tests/unit/parse_frame.hpp"
#include "tests/unit/parse_rows.hpp"

#include <fmt/format.h>
#include <catch2/catch.hpp>

#include <cstdlib>
#include <memory>
#include <random>
#include <set>

using namespace weir;
using namespace weir::test;

namespace {

using Bytes = std::vector<u8>;

const ParseContext context{{{0x1234, 0x5678, 0x9abc, 0xdef0}}, 6};
const u32 times = std::getenv("WEIR_TEST_LONG") ? 50 : 1;

std::mt19937 make_random() {
  const char* seed = std::getenv("WEIR_TEST_SEED");
  return std::mt19937(seed ? static_cast<u32>(std::strtoul(seed, nullptr, 10)) : 20240229u);
}

std::vector<ParseRow> all_rows() {
  std::vector<ParseRow> all;
  for (const auto& table : parse_tables)
    for (const ParseRow& row : table) all.push_back(row);
  return all;
}

std::string to_hex(const Bytes& bytes) {
  std::string text;
  for (const u8 byte : bytes) text += fmt::format("{:02x}", byte);
  return text;
}

// The frame alone in an allocation of its own size.
Headers parse_exact(const Bytes& bytes) {
  const std::unique_ptr<std::byte[]> room(new std::byte[bytes.size()]);
  std::copy_n(reinterpret_cast<const std::byte*>(bytes.data()), bytes.size(), room.get());
  return parse({room.get(), bytes.size()}, context);
}

void compare(const Bytes& bytes) {
  const std::unique_ptr<u8[]> room(new u8[bytes.size()]);
  std::copy(bytes.begin(), bytes.end(), room.get());
  const std::string found = differences({room.get(), bytes.size()}, context);
  if (found.empty()) return;
  INFO(to_hex(bytes));
  FAIL(found);
}

u32 below(std::mt19937& random, std::size_t bound) { return static_cast<u32>(random() % bound); }

void change(Bytes& bytes, std::mt19937& random, const std::vector<Bytes>& seeds) {
  static constexpr u8 telling[] = {0,  1,  4,  5,  6,   17,   41,   43,   44,   47, 50,
                                   51, 58, 59, 60, 132, 0x45, 0x46, 0x60, 0x7f, 255};
  const u32 at = below(random, bytes.size());
  switch (below(random, 6)) {
    case 0: bytes[at] = static_cast<u8>(bytes[at] ^ 1u << below(random, 8)); break;
    case 1: bytes[at] = telling[below(random, std::size(telling))]; break;
    case 2: bytes[at] = static_cast<u8>(random()); break;
    case 3: bytes.insert(bytes.begin() + at, 1 + below(random, 12), static_cast<u8>(random() % 2 * random())); break;
    case 4:
      bytes.erase(bytes.begin() + at, bytes.begin() + std::min<std::size_t>(bytes.size(), at + below(random, 9)));
      break;
    default: {
      const Bytes& other = seeds[below(random, seeds.size())];
      const u32 from = below(random, other.size());
      bytes.resize(at);
      bytes.insert(bytes.end(), other.begin() + from, other.end());
    }
  }
  if (bytes.empty()) bytes.push_back(0);
}

}  // namespace

TEST_CASE("every row is read alike by the twin") {
  for (const ParseRow& row : all_rows()) {
    INFO(row.frame);
    compare(frame_of(row.frame));
  }
}

TEST_CASE("a frame cut anywhere is a drop, but where only padding is cut") {
  for (const ParseRow& line : all_rows()) {
    const Bytes whole = frame_of(line.frame);
    const Headers headers = parse_exact(whole);
    if (!headers.well_formed()) continue;
    INFO(line.frame);
    // A tunnel's own packet ends with its inside, padding included. Behind the payload RoCEv2 has pad and ICRC.
    const bool is_rdma = headers.rdma_opcode != rdma_opcode_none;
    const std::size_t transport_bytes = is_rdma ? load_be16(&whole[headers.l4_offset + 4u])
                                                : headers.payload_offset - headers.l4_offset + headers.payload_bytes;
    const std::size_t needed = headers.tunnels != 0 ? whole.size() : headers.l4_offset + transport_bytes;
    for (std::size_t bytes = 0; bytes < whole.size(); ++bytes) {
      INFO(bytes);
      const Bytes cut(whole.begin(), whole.begin() + static_cast<std::ptrdiff_t>(bytes));
      const Headers there = parse_exact(cut);
      compare(cut);
      if (bytes >= needed) {
        REQUIRE(there.well_formed());
        REQUIRE(there.hash == headers.hash);
      } else {
        REQUIRE(there.drop == (bytes < 14 ? Reason::ethernet_short : Reason::truncated));
      }
    }
  }
}

TEST_CASE("a frame with any one bit turned over is read alike by the twin") {
  for (const ParseRow& row : all_rows()) {
    Bytes bytes = frame_of(row.frame);
    INFO(row.frame);
    for (std::size_t bit = 0; bit < bytes.size() * 8; ++bit) {
      bytes[bit / 8] = static_cast<u8>(bytes[bit / 8] ^ 1u << bit % 8);
      compare(bytes);
      bytes[bit / 8] = static_cast<u8>(bytes[bit / 8] ^ 1u << bit % 8);
    }
  }
}

TEST_CASE("frames made of rows by chance are read alike by the twin, and reach every reason") {
  std::mt19937 random = make_random();
  std::vector<Bytes> seeds;
  for (const ParseRow& row : all_rows()) seeds.push_back(frame_of(row.frame));
  std::set<Reason> reached;
  for (u32 count = 0; count < 300'000 * times; ++count) {
    Bytes bytes = seeds[below(random, seeds.size())];
    for (u32 changes = 1 + below(random, 4); changes > 0; --changes) change(bytes, random, seeds);
    if (below(random, 8) != 0) mend_ipv4(bytes);
    if (below(random, 8) != 0) mend_inside(bytes, context);
    compare(bytes);
    reached.insert(parse_exact(bytes).drop);
  }
  for (std::size_t index = 0; index < reasons_count; ++index) {
    INFO(reason_rows[index].name);
    if (reason_rows[index].stage == "parse") CHECK(reached.contains(static_cast<Reason>(index)));
  }
}

TEST_CASE("noise is read alike by the twin") {
  std::mt19937 random = make_random();
  const u16 types[] = {0x0800, 0x86dd, 0x0806, 0x8100};
  for (u32 count = 0; count < 100'000 * times; ++count) {
    Bytes bytes(below(random, 130));
    for (u8& byte : bytes) byte = static_cast<u8>(random());
    if (bytes.size() > 14) {
      bytes[6] &= 0xfe;
      const u16 type = types[below(random, 4)];
      bytes[12] = static_cast<u8>(type >> 8);
      bytes[13] = static_cast<u8>(type);
      bytes[14] = type == 0x800 ? 0x45 : type == 0x86dd ? 0x60 : bytes[14];
    }
    compare(bytes);
  }
}
