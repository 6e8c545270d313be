// Reassembly against its naive twin: all orders of all small sets of pieces, true, overlapping and differing; random
// mixes of datagrams with lies and time. Then its bounds. WEIR_PROPERTY_SCALE multiplies the random runs (default 1).
#include "tests/property/fragment_run.hpp"

#include <catch2/catch.hpp>
#include <cstdlib>
#include <random>

using namespace weir;

namespace {

const Policies& policies() {
  static const Policies made;
  return made;
}

Headers piece_headers(u32 source, u16 identification, u32 offset, u32 bytes, bool more) {
  Headers headers{};
  headers.is_ipv4 = true;
  headers.protocol = 17;
  headers.source = Address::ipv4(source);
  headers.target = Address::ipv4(0x0100010a);
  headers.key = {headers.source, headers.target, identification, 0, 0};
  headers.hash = source * u64{0x9e3779b97f4a7c15};
  headers.fragment = static_cast<u16>(offset | more);
  headers.payload_bytes = bytes;
  return headers;
}

constexpr HashKey secret{{1, 2, 3, 4}};
std::byte some_frame[2048];

Reassembly::Step add(Reassembly& table, const Headers& headers, u16 port, Tick now = 0) {
  static u64 token = 0;
  Piece piece;
  piece.frame = some_frame, piece.token = token++, piece.frame_bytes = headers.payload_bytes;
  return table.add(headers, port, piece, now);
}

}  // namespace

TEST_CASE("all orders of all small sets of pieces end as in the twin") {
  std::vector<FragmentRun::Choice> choices;
  constexpr u32 cuts[] = {0, 1, 2, FragmentRun::units};
  for (u32 first = 0; first < 3; ++first)
    for (u32 end = first + 1; end <= 3; ++end)
      for (const bool other : {false, true})
        if (end - first < 3) choices.push_back({cuts[first], cuts[end], end == 3, other});
  const u32 count = static_cast<u32>(choices.size());
  auto run = std::make_unique<FragmentRun>(*policies()[0].installed);
  u32 datagram = 0;
  for (u32 length = 1, sets = count; length <= 4; ++length, sets *= count) {
    for (u32 set = 0; set < sets; ++set) {
      for (u32 at = 0, left = set; at < length; ++at, left /= count) {
        FragmentRun::Choice choice = choices[left % count];
        choice.datagram = datagram;
        run->take(choice, at == 0 ? 2'000'000 : 1);
      }
      datagram = (datagram + 1) % 60000;
    }
  }
  REQUIRE_NOTHROW(run->finish());
  using enum Reason;
  for (const Reason reason : {fragment_overlap, fragment_differs, fragment_duplicate, fragment_timeout,
                              fragment_no_first, l4_checksum_bad}) {
    INFO(row(reason).name);
    CHECK(run->ended_as(reason) > 100);
  }
  CHECK(run->ended_as(flow_new) + run->ended_as(flow_established) > 100);
}

TEST_CASE("random mixes of datagrams end as in the twin") {
  const char* scale = std::getenv("WEIR_PROPERTY_SCALE");
  const u32 runs = 500 * (scale != nullptr ? static_cast<u32>(std::atoi(scale)) : 1);
  std::mt19937_64 random(20261121);
  std::map<Reason, u64> ended;
  for (u32 i = 0; i < runs; ++i) {
    INFO("run " << i);
    std::vector<u8> bytes(1500);
    for (u8& byte : bytes) byte = static_cast<u8>(random());
    auto run = std::make_unique<FragmentRun>(*policies()[0].installed);
    REQUIRE_NOTHROW(run_fragments(*run, Choices(bytes)));
    for (u32 reason = 0; reason < reasons_count; ++reason)
      ended[static_cast<Reason>(reason)] += run->ended_as(static_cast<Reason>(reason));
  }
  using enum Reason;
  for (const Reason reason : {fragment_overlap, fragment_differs, fragment_duplicate, fragment_mixed, fragment_timeout,
                              fragment_no_first, flow_established}) {
    INFO(row(reason).name);
    CHECK(ended[reason] > 50);
  }
}

TEST_CASE("a source has its share of datagrams, a port its own, and others still have room") {
  auto table = std::make_unique<Reassembly>(secret);
  u32 held = 0;
  for (u16 id = 0; id < 1000; ++id)
    held += add(*table, piece_headers(7, id, 0, 256, true), 0).datagram != Reassembly::none;
  CHECK(held == held_datagrams_max / 4);
  CHECK(add(*table, piece_headers(7, 1000, 0, 256, true), 0).reason == Reason::fragment_table_full);
  CHECK(add(*table, piece_headers(8, 1000, 0, 256, true), 0).reason == Reason::fragment_held);
  for (u32 source = 9; source < 1000; ++source) add(*table, piece_headers(source, 1, 0, 256, true), 0);
  CHECK(table->held() == held_datagrams_max / 2);
  CHECK(add(*table, piece_headers(5000, 1, 0, 256, true), 0).reason == Reason::fragment_table_full);
  CHECK(add(*table, piece_headers(5000, 1, 0, 256, true), 1).reason == Reason::fragment_held);
  u32 over = 0;
  while (table->next_end() <= 2 * tick_second) over += static_cast<u32>(table->take_over().pieces.size());
  CHECK(over == held_datagrams_max / 2 + 1);
  CHECK(table->held() == 0);
  CHECK(add(*table, piece_headers(7, 1000, 0, 256, true), 0).reason == Reason::fragment_held);
}

TEST_CASE("pieces are bounded by source and by datagram, and a refused one gives its datagram's room back") {
  auto table = std::make_unique<Reassembly>(secret);
  for (u16 id = 0; id < 4; ++id)
    for (u32 piece = 0; piece < datagram_pieces_max; ++piece)
      REQUIRE(add(*table, piece_headers(7, id, piece * 256, 256, true), 0).reason == Reason::fragment_held);
  CHECK(table->held() == held_frames_max / 4);
  const auto many = add(*table, piece_headers(7, 3, datagram_pieces_max * 256, 256, true), 0);
  CHECK(many.reason == Reason::fragment_many);
  REQUIRE(many.datagram != Reassembly::none);
  CHECK(table->take(many.datagram).size() == datagram_pieces_max);
  CHECK(add(*table, piece_headers(7, 3, 0, 256, true), 0).reason == Reason::fragment_many);
  CHECK(add(*table, piece_headers(7, 9, 0, 256, true), 0).reason == Reason::fragment_held);
}

TEST_CASE("the longest datagram at IPv6's least MTU becomes whole") {
  auto table = std::make_unique<Reassembly>(secret);
  constexpr u32 bytes = 65'515, step = 1232;
  for (u32 offset = 0; offset < bytes; offset += step) {
    const bool more = offset + step < bytes;
    const auto result = add(*table, piece_headers(7, 1, offset, more ? step : bytes - offset, more), 0);
    REQUIRE(result.reason == (more ? Reason::fragment_held : Reason::undecided));
    if (!more) CHECK(table->take(result.datagram).size() == (bytes + step - 1) / step);
  }
  CHECK(table->held() == 0);
}
