// How long a port may go unlooked at, by its ring and its link.
#include "dataplane/edge/nap_bound.hpp"

#include <catch2/catch.hpp>

using namespace weir::edge;

TEST_CASE("a ring does not fill during a nap, nor during as long again") {
  struct Row {
    weir::u64 frames, megabits, bound_ns;
  };
  const Row rows[] = {
      {512, 10'000, 17'203},    // 34.4 us of the shortest frames
      {4096, 10'000, 137'625},  {1024, 100'000, 3'440}, {1024, 1'000, 344'064}, {256, 400'000, 215},
      {1u << 20, 10, nap_most_ns},  // whatever the ring holds
      {4096, 0, 0},                 // no speed is known: no nap
      {0, 10'000, 0},
  };
  for (const Row& row : rows) {
    CAPTURE(row.frames, row.megabits);
    CHECK(nap_bound_ns(row.frames, row.megabits) == row.bound_ns);
    // 84 bytes a frame: what comes in twice the nap has room.
    const weir::u64 bits = 2 * row.bound_ns * row.megabits / 1000;
    CHECK(bits / wire_bits_min <= row.frames);
  }
}

TEST_CASE("naps double up to their bound") {
  weir::u64 nap = nap_least_ns, naps = 0;
  for (; nap < 137'625; ++naps) nap = longer_nap_ns(nap, 137'625);
  CHECK(naps == 5);
  CHECK(longer_nap_ns(nap, 137'625) == 137'625);
}
