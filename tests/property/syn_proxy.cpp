// The SYN proxy between ideal ends: both streams arrive whole over clean and bad wires, whatever each side offers; and
// what it keeps and answers under a flood. A longer run: WEIR_PROXY_CONNECTIONS=N.
#include "tests/property/proxied_world.hpp"

#include <catch2/catch.hpp>
#include <cstdlib>
#include <random>

using namespace weir;

namespace {

std::function<u32(u32)> random_below(u32 seed) {
  auto random = std::make_shared<std::mt19937>(seed);
  return [random](u32 bound) { return static_cast<u32>((*random)() % bound); };
}

ideal::Traits random_traits(std::mt19937& random, bool opens) {
  const auto one_of = [&](std::initializer_list<u32> all) { return all.begin()[random() % all.size()]; };
  ideal::Traits traits;
  traits.opens = opens;
  traits.isn = one_of({0, 1, ~0u, 0xffffff00, 0x7fffffff, static_cast<u32>(random())});
  traits.mss = static_cast<u16>(one_of({536, 1220, 1400, 1460, 4036, 8960}));
  if (random() % 4 != 0) traits.scale = static_cast<u8>(one_of({0, 1, 2, 7, 8, 10, 14}));
  traits.sack = random() % 2;
  traits.probes_with_data = random() % 2;
  traits.capacity = one_of({2'000, 65'535, 200'000, 4'000'000});
  // A window in units wider than itself would never open.
  while (traits.scale && traits.capacity >> *traits.scale < 8) --*traits.scale;
  traits.to_send = one_of({0, 1, 100, 5'000, 100'000});
  return traits;
}

u32 connections() {
  const char* const asked = std::getenv("WEIR_PROXY_CONNECTIONS");
  return asked == nullptr ? 400 : static_cast<u32>(std::atoi(asked));
}

std::string told(const ideal::Traits& traits) {
  return (traits.scale ? "scale " + std::to_string(*traits.scale) : "no scale") + ", capacity " +
         std::to_string(traits.capacity) + ", sends " + std::to_string(traits.to_send) + ", size " +
         std::to_string(traits.mss) + (traits.sack ? ", sack" : "") + (traits.probes_with_data ? ", data probes" : "");
}

std::string told(const OneByOne& engine) {
  std::string text;
  for (std::size_t i = 0; i < reasons_count; ++i)
    if (const u64 count = engine.ended_as(static_cast<Reason>(i)); count != 0)
      text += std::string(reason_rows[i].name) + ' ' + std::to_string(count) + ' ';
  return text;
}

}  // namespace

TEST_CASE("over clean wires nothing of a proxied connection is dropped") {
  const InstalledPolicy& policy = proxying().policy();
  for (u32 seed = 1; seed <= connections(); ++seed) {
    std::mt19937 random(seed);
    const Conditions conditions{random() % 2 == 0, random() % 4 == 0, random() % 2 == 0,
                                static_cast<u32>(random() % 4) * 4, 0};
    const ideal::Traits client = random_traits(random, true), server = random_traits(random, false);
    ProxiedWorld world(policy, conditions, client, server, random_below(seed));
    INFO("seed " << seed << "; client " << told(client) << "; server " << told(server));
    bool arrived = false;
    REQUIRE_NOTHROW(arrived = world.run(100'000));
    INFO(told(world.engine()));
    CHECK(arrived);
    CHECK(world.engine().dropped() == world.engine().ended_as(Reason::syn_proxy_pending));
    CHECK(world.engine().ended_as(Reason::syn_proxy_answered) >= 1);
    CHECK(world.engine().ended_as(Reason::flow_established) == 0);
  }
}

TEST_CASE("over bad wires both streams arrive whole") {
  const InstalledPolicy& policy = proxying().policy();
  u64 translated = 0;
  for (u32 seed = 1; seed <= connections(); ++seed) {
    std::mt19937 random(seed * 7919);
    const Conditions conditions{random() % 2 == 0, random() % 4 == 0, random() % 2 == 0, 64, 12};
    ideal::Traits client = random_traits(random, true);
    client.to_send += client.to_send == 0;  // a client that only listens cannot ask again
    const ideal::Traits server = random_traits(random, false);
    ProxiedWorld world(policy, conditions, client, server, random_below(seed));
    INFO("seed " << seed << "; client " << told(client) << "; server " << told(server));
    bool arrived = false;
    REQUIRE_NOTHROW(arrived = world.run(100'000));
    INFO(told(world.engine()));
    CHECK(arrived);
    translated += world.engine().ended_as(Reason::flow_translated);
  }
  CHECK(translated > 10 * connections());
}

TEST_CASE("a proxied connection goes on over restarts, from its handshake on") {
  const InstalledPolicy& policy = proxying().policy();
  for (u32 seed = 1; seed <= connections(); ++seed) {
    std::mt19937 random(seed * 104'729);
    const Conditions conditions{random() % 2 == 0, random() % 4 == 0, random() % 2 == 0, 64, 0, 32};
    const ideal::Traits client = random_traits(random, true), server = random_traits(random, false);
    ProxiedWorld world(policy, conditions, client, server, random_below(seed));
    INFO("seed " << seed << "; client " << told(client) << "; server " << told(server));
    bool arrived = false;
    REQUIRE_NOTHROW(arrived = world.run(100'000));
    INFO(told(world.engine()));
    CHECK(arrived);
    CHECK(world.engine().dropped() == world.engine().ended_as(Reason::syn_proxy_pending));
    CHECK(world.engine().ended_as(Reason::flow_established) == 0);
  }
}
