// The short form of tests/bench/bench_flood.cpp: a flood fills a small table many times over, no established flow loses
// a packet, and every packet is accounted for.
#include "tests/property/flood.hpp"
#include "tests/property/flow_keys.hpp"

#include <catch2/catch.hpp>

#include <malloc.h>

using namespace weir;
using namespace weir::flood;

TEST_CASE("established flows outlive a flood that fills the table") {
  // 44 seconds, in which the flood would open eight times as many flows as there is room for.
  const Plan plan{.established = 5000, .attack = 200'000, .step_us = 200, .capacity = 16'384};
  LentMemory memory(FlowTable::bytes_needed(plan.capacity));
  Flood flood(plan, memory.span());
  flood.open();
  const Result& result = flood.result();
  REQUIRE(result.lost == 0);
  REQUIRE(flood.live() == plan.established);
  const std::size_t heap_bytes = mallinfo2().uordblks;
  flood.pour();
  CHECK(mallinfo2().uordblks == heap_bytes);
  CHECK(flood.live() > plan.capacity - 64);
  flood.finish();

  CHECK(result.lost == 0);
  CHECK(result.flows_lost == 0);
  CHECK(accounts_for_every_packet(flood));
  for (u32 kind = 0; kind < kinds_count; ++kind) {
    INFO(kind_names[kind]);
    CHECK(result.offered[kind] > 1000);
  }
  const auto forwarded = [&](Kind kind) { return result.kinds[static_cast<u8>(kind)].of[u32(Verdict::forward)]; };
  CHECK(forwarded(Kind::syn_random) > 1000);
  for (Kind kind : {Kind::syn_denied, Kind::mid_stream, Kind::syn_ack_stray, Kind::flags_bad, Kind::aimed_data,
                    Kind::aimed_reset, Kind::aimed_checksum, Kind::icmp_error, Kind::spoofed, Kind::garbage}) {
    INFO(kind_names[static_cast<u8>(kind)]);
    CHECK(forwarded(kind) == 0);
  }
}
