// The counts of the tensor tests against their definition, a byte at a time, for every width of vectors that this
// machine has: all short lengths at all alignments, and random lengths up to the longest payload. The vote and the
// windows against streams cut at other places: where a stream is cut says nothing about it.
#include "dataplane/inspect/quantised.hpp"
#include "dataplane/inspect/tensor.hpp"
#include "tests/property/tensor_corpus.hpp"

#include <catch2/catch.hpp>
#include <cmath>
#include <random>

using namespace weir;

namespace {

FloatCounts naive_counts(const u8* at, u32 bytes) {
  FloatCounts counts;
  counts.bytes = static_cast<u16>(bytes);
  for (u32 i = 0; i < bytes; ++i) {
    const int size = at[i] % 128, fraction = at[i] % 4;
    if (size >= 0x3a && size <= 0x3e) ++counts.weight[i % 4];
    if (size >= 0x10 && size <= 0x37) ++counts.half[i % 4];
    if (at[i] >= 128) ++counts.negative[i % 4];
    if (fraction == 2 || fraction == 3) ++counts.second[i % 4];
    if (fraction == 1 || fraction == 2) ++counts.uneven[i % 4];
  }
  return counts;
}

void all_lanes_agree(const u8* at, u32 bytes) {
  const FloatCounts expected = naive_counts(at, bytes);
  const Lanes widest = lanes_of_machine();
  for (const Lanes lanes : {Lanes::plain, Lanes::wide_256, Lanes::wide_512})
    if (lanes <= widest && count_floats(at, bytes, lanes) != expected) {
      CAPTURE(static_cast<int>(lanes), bytes);
      FAIL("counts differ from their definition");
    }
}

// Bytes that meet every test, or lie at its edges, more often than chance has it.
std::vector<u8> edgy_bytes(std::mt19937_64& random, std::size_t count) {
  static constexpr u8 edges[] = {0x39, 0x3a, 0x3e, 0x3f, 0xb9, 0xba, 0xbe, 0xbf, 0x0f, 0x10, 0x37, 0x38, 0, 0x7f, 0xff};
  std::vector<u8> bytes(count);
  const u64 kind = random() % 4;
  for (u8& byte : bytes)
    byte = kind == 0   ? 0xbe
           : kind == 1 ? 0xb7
           : kind == 2 ? edges[random() % std::size(edges)]
                       : static_cast<u8>(random());
  return bytes;
}

}  // namespace

TEST_CASE("every width of vectors counts what the definition says") {
  std::mt19937_64 random(5);
  for (u32 bytes = 0; bytes <= 300; ++bytes)
    for (u32 offset = 0; offset < 64; ++offset) {
      // Of its own length to the byte, so that a sanitizer sees a read beyond.
      const std::vector<u8> held = edgy_bytes(random, offset + bytes);
      all_lanes_agree(held.data() + offset, bytes);
    }
  for (int i = 0; i < 400; ++i) {
    const u32 bytes = i < 8 ? 65535 - static_cast<u32>(i) : static_cast<u32>(random() % 65536),
              offset = static_cast<u32>(random() % 64);
    const std::vector<u8> held = edgy_bytes(random, offset + bytes);
    all_lanes_agree(held.data() + offset, bytes);
  }
}

TEST_CASE("the logarithm is that of the library, and the entropy of a window that of the definition") {
  for (u32 count = 1; count <= 65535; ++count)
    REQUIRE(std::abs(static_cast<double>(log2_4096(count)) - std::log2(count) * 4096) < 8);
  for (const corpus::Kind& kind : corpus::all_kinds()) {
    corpus::Stream stream(kind, 3);
    const u8* at = stream.next(shape_window_bytes);
    ByteCounts counts{};
    for (u32 i = 0; i < shape_window_bytes; ++i) ++counts[at[i]];
    double expected = 0;
    for (const u16 count : counts)
      if (count != 0) expected -= count / 16384.0 * std::log2(count / 16384.0);
    INFO(kind.name);
    REQUIRE(window_shape(counts, 0).entropy == Approx(expected * 4096).margin(8));
  }
}

TEST_CASE("mirror images are told exactly") {
  ByteCounts sign{}, middle{}, halves{};
  for (u32 value = 0; value < 128; ++value) sign[value] = sign[value ^ 0x80] = 64;
  for (u32 value = 1; value < 128; ++value) middle[value] = middle[256 - value] = static_cast<u16>(128 - value);
  middle[0] = 16384 - 2 * 127 * 64;
  for (const u32 value : {0x33, 0x39, 0x93, 0x99}) halves[value] = value == 0x33 ? 9216 : value == 0x99 ? 1024 : 3072;
  CHECK(window_shape(sign, 0).sign_distance == 0);
  CHECK(window_shape(middle, 0).middle_distance == 0);
  CHECK(window_shape(middle, 0).sign_distance > 400);
  const WindowShape product = window_shape(halves, 0);
  CHECK(product.halves_distance == 0);
  CHECK(product.high_entropy + product.low_entropy < product.entropy + 8);
  CHECK(product.sign_distance > 400);
  CHECK(product.top_bits == 256);
}

TEST_CASE("where a stream is cut changes neither its votes nor its windows") {
  std::mt19937_64 random(7);
  for (const corpus::Kind& kind : corpus::all_kinds()) {
    corpus::Stream stream(kind, 4);
    constexpr u32 length = 3 << 20;
    const u8* at = stream.next(length);
    ByteWatch whole, cut;
    TensorVotes odd;
    whole.take(at, length);
    bool is_tensor = false;
    for (u32 done = 0; done < length;) {
      const u32 bytes = std::min(length - done, static_cast<u32>(random() % (random() % 8 == 0 ? 4 : 3000)));
      cut.take(at + done, bytes);
      odd.take(count_floats(at + done, bytes, Lanes::plain));
      is_tensor |= odd.is_tensor();
      done += bytes;
    }
    INFO(kind.name);
    CHECK(whole.is_quantised() == cut.is_quantised());
    CHECK(whole.is_opaque() == cut.is_opaque());
    if (kind.expect == corpus::Expect::either) continue;
    CHECK(cut.is_quantised() == (kind.expect == corpus::Expect::quantised));
    CHECK(cut.is_opaque() == (kind.expect == corpus::Expect::opaque));
    CHECK(is_tensor == (kind.expect == corpus::Expect::floats));
  }
}

TEST_CASE("a vote is three of the last sixteen samples") {
  corpus::Stream weights(corpus::tensor_kinds().front(), 8), text(corpus::other_kinds().front(), 8);
  const auto take = [](TensorVotes& votes, corpus::Stream& from) { votes.take(naive_counts(from.next(1448), 1448)); };
  TensorVotes votes;
  for (int i = 0; i < 2; ++i) take(votes, weights);
  CHECK_FALSE(votes.is_tensor());
  for (int i = 0; i < 13; ++i) take(votes, text);
  take(votes, weights);
  CHECK(votes.is_tensor());
  CHECK(votes.last_kind() == FloatKind::bf16);
  take(votes, text);
  CHECK_FALSE(votes.is_tensor());
  for (int i = 0; i < 60; ++i) votes.take(naive_counts(weights.next(29), 29));  // three samples of 512 bytes and more
  CHECK(votes.is_tensor());
}
