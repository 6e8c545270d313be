// The linear program and its certificate against the answer known by other means: a maximum flow by augmenting paths
// where every way has an account of its own, and small networks counted by hand.
#include "control/bound/solve.hpp"

#include <algorithm>
#include <catch2/catch.hpp>
#include <cstdlib>
#include <random>

namespace weir::control {
namespace {

u64 scale() {
  const char* const text = std::getenv("WEIR_PROPERTY_SCALE");
  return text == nullptr ? 1 : std::max(1L, std::atol(text));
}

Network network_of(u32 nodes) {
  Network made;
  made.nodes = nodes;
  return made;
}
u32 lifetime(Network& network, u64 bytes) {
  network.accounts.push_back({Account::Kind::budget, 0, {}, {{{bytes, 0}}, false, 0, 0}, 1});
  return static_cast<u32>(network.accounts.size() - 1);
}
void way(Network& network, u32 from, u32 to, std::vector<u32> accounts) {
  network.ways.push_back({from, to, std::move(accounts)});
}
Ends ends_of(u32 nodes, const std::vector<u32>& from, const std::vector<u32>& to) {
  Ends ends{std::vector<bool>(nodes), std::vector<bool>(nodes)};
  for (const u32 node : from) ends.from[node] = true;
  for (const u32 node : to) ends.to[node] = true;
  return ends;
}

// Ford and Fulkerson on a matrix of capacities.
u64 maximum_flow(std::vector<std::vector<u64>> left, u32 from, u32 to) {
  u64 total = 0;
  for (;;) {
    std::vector<u32> came(left.size(), ~0u);
    std::vector<u32> open{from};
    came[from] = from;
    for (std::size_t at = 0; at < open.size(); ++at)
      for (u32 next = 0; next < left.size(); ++next)
        if (left[open[at]][next] > 0 && came[next] == ~0u) {
          came[next] = open[at];
          open.push_back(next);
        }
    if (came[to] == ~0u) return total;
    u64 least = ~u64{0};
    for (u32 node = to; node != from; node = came[node]) least = std::min(least, left[came[node]][node]);
    for (u32 node = to; node != from; node = came[node]) {
      left[came[node]][node] -= least;
      left[node][came[node]] += least;
    }
    total += least;
  }
}

}  // namespace

TEST_CASE("with an account for every way the bound is the maximum flow") {
  std::mt19937_64 draw(99);
  for (u64 round = 0; round < 400 * scale(); ++round) {
    const u32 nodes = static_cast<u32>(2 + draw() % 7);
    Network network = network_of(nodes);
    std::vector<std::vector<u64>> capacity(nodes, std::vector<u64>(nodes, 0));
    const u64 large = round % 3 == 0 ? 10 : round % 3 == 1 ? 1'000'000'000'000'000'000 : 1'000'000;
    for (u32 a = 0; a < nodes; ++a)
      for (u32 b = 0; b < nodes; ++b) {
        if (a == b || draw() % 2 == 0) continue;
        capacity[a][b] = draw() % (draw() % 2 == 0 ? large : 1'000);
        way(network, a, b, {lifetime(network, capacity[a][b])});
      }
    const u64 flow = maximum_flow(capacity, 0, nodes - 1);
    const Most most = most_between(network, ends_of(nodes, {0}, {nodes - 1}), ever);
    // The solver cannot see kilobytes beside exabytes: then the bound may be above, never below.
    REQUIRE(most.bytes >= flow);
    REQUIRE(most.bytes <= flow + (large > 1'000'000 ? flow / 1'000'000'000 + 10'000 : 0));
    Bytes parts = 0;
    for (const Part& part : most.parts) parts += part.bytes;
    REQUIRE(parts <= most.bytes);
    REQUIRE(parts + most.parts.size() >= most.bytes);
  }
}

TEST_CASE("an account that two ways share is spent once") {
  Network network = network_of(4);
  const u32 shared = lifetime(network, 100), tight = lifetime(network, 30);
  way(network, 0, 1, {shared});
  way(network, 0, 2, {shared, tight});
  way(network, 1, 3, {});
  way(network, 2, 3, {});
  CHECK(most_between(network, ends_of(4, {0}, {3}), ever).bytes == 100);
  CHECK(most_between(network, ends_of(4, {0}, {2}), ever).bytes == 30);
  CHECK(most_between(network, ends_of(4, {0}, {1, 2}), ever).bytes == 100);
}

TEST_CASE("an account that a way passes twice is spent twice") {
  Network network = network_of(3);
  const u32 twice = lifetime(network, 101);
  way(network, 0, 1, {twice});
  way(network, 1, 2, {twice});
  const Most most = most_between(network, ends_of(3, {0}, {2}), ever);
  CHECK(most.bytes == 50);  // 50.5 bytes by the program; half a byte tells nothing
  REQUIRE(most.parts.size() == 1);
  CHECK(most.parts[0].account == twice);
}

TEST_CASE("thirds and odd weights are proven, not believed") {
  // Three ways out of which every two share an account: half of all three accounts.
  Network network = network_of(2);
  const u32 a = lifetime(network, 1'000'001), b = lifetime(network, 1'000'003), c = lifetime(network, 1'000'007);
  way(network, 0, 1, {a, b});
  way(network, 0, 1, {b, c});
  way(network, 0, 1, {a, c});
  CHECK(most_between(network, ends_of(2, {0}, {1}), ever).bytes == 1'500'005);
}

TEST_CASE("unlimited only by a way that nothing bounds, and then it is shown") {
  Network network = network_of(4);
  const u32 some = lifetime(network, 5);
  way(network, 0, 1, {});
  way(network, 1, 2, {some});
  way(network, 1, 3, {});
  way(network, 3, 2, {});
  const Most most = most_between(network, ends_of(4, {0}, {2}), ever);
  CHECK(most.bytes == unlimited);
  REQUIRE(most.open.size() == 3);
  CHECK(network.ways[most.open[0]].to == 1);
  CHECK(network.ways[most.open[2]].to == 2);
  network.ways.pop_back();
  CHECK(most_between(network, ends_of(4, {0}, {2}), ever).bytes == 5);
  network.too_large = true;
  CHECK(most_between(network, ends_of(4, {0}, {2}), ever).bytes == unlimited);
}

TEST_CASE("nothing, where nothing leads") {
  Network network = network_of(3);
  way(network, 1, 2, {});
  CHECK(most_between(network, ends_of(3, {0}, {2}), ever).bytes == 0);
  CHECK(shortest_time(network, ends_of(3, {0}, {2}), 1).never);
  // What leads out of an exit leads nowhere: the bytes have left.
  way(network, 0, 1, {lifetime(network, 7)});
  CHECK(most_between(network, ends_of(3, {0}, {1, 2}), ever).bytes == 7);
  const u32 closed = lifetime(network, 0);
  network.ways[1].accounts.push_back(closed);
  CHECK(most_between(network, ends_of(3, {0}, {1, 2}), ever).bytes == 0);
}

TEST_CASE("the shortest time is the last second that is surely too short") {
  Network network = network_of(2);
  network.accounts.push_back({Account::Kind::budget, 0, {}, {{{150, 86'400}}, false, 0, 0}, 1});
  way(network, 0, 1, {0});
  const Ends ends = ends_of(2, {0}, {1});
  CHECK(shortest_time(network, ends, 1).seconds == 0);
  CHECK(shortest_time(network, ends, 150).seconds == 0);
  CHECK(shortest_time(network, ends, 151).seconds == 86'400);
  CHECK(shortest_time(network, ends, 1'600).seconds == 10 * 86'400);
  CHECK(shortest_time(network, ends, u64{150} * 365 * 200).beyond);
  network.accounts[0].curve.windows.push_back({1'000, 0});
  CHECK(shortest_time(network, ends, 1'000).seconds == 6 * 86'400);
  CHECK(shortest_time(network, ends, 1'001).never);
}

}  // namespace weir::control
