// Hosts and flows in quarantine, put there and let go at random between packets: what they hold is dropped by its own
// reason, whoever opened it, and nothing else changes; flows go on when they are let go. Against a list and a set.
// WEIR_PROPERTY_SCALE multiplies how many histories are drawn (default 1).
#include "dataplane/inspect/quarantine.hpp"
#include "tests/property/sequence.hpp"

#include <catch2/catch.hpp>
#include <cstdlib>
#include <map>
#include <random>
#include <set>

using namespace weir;

namespace {

constexpr Tick start = 1'700'000'000 * tick_second;
constexpr HashKey secret{{0x9e37, 0x79b9'7f4a'7c15'f39c, 3, 0xbf58'476d'1ce4'e5b9}};
constexpr u32 allowing = 1;  // of the sequence's policies: lets 10.0.0.1 and .2 ask 10.1.0.1 and .2 by UDP, port 99

naive::MeantPacket query(u32 client) {
  naive::MeantPacket packet;
  packet.protocol = 17;
  packet.source = 0x0a000001 + client % 2, packet.target = 0x0a010001 + client / 2 % 2;
  packet.source_port = static_cast<u16>(1024 + client / 4), packet.target_port = 99;
  return packet;
}

naive::MeantPacket answer_to(u32 client) {
  naive::MeantPacket packet = query(client);
  std::swap(packet.source, packet.target), std::swap(packet.source_port, packet.target_port);
  packet.from_inside = false;
  return packet;
}

Address address_of(control::Ipv6Number number) { return Address::ipv4(swap(static_cast<u32>(number))); }

Held flow_of(u32 client, Tick until) {
  const naive::MeantPacket packet = query(client);
  bool swapped;
  return Held::flow(make_key(address_of(packet.source), swap(packet.source_port), address_of(packet.target),
                             swap(packet.target_port), FlowKey::scope_of(FlowClass::udp, 0, 0), swapped),
                    until);
}

struct Engine {
  explicit Engine(u32 capacity)
      : memory(FlowTable::bytes_needed(capacity) / sizeof(FlowRecord) + 1),
        table(std::as_writable_bytes(std::span(memory)), capacity),
        pipeline({.secret = secret, .events = events.get(), .quarantine = &quarantine}, table, counters) {}

  Reason decide(const naive::MeantPacket& meant) {
    auto frame = FrameWriter::write(meant);
    const Packet packet{frame.data(), static_cast<u32>(frame.size()), u16{!meant.from_inside}, now, 0, {}};
    Outcome outcomes[outcomes_max];
    pipeline.process({&packet, 1}, policies[allowing].installed.get(), outcomes, {});
    while (pipeline.drain(policies[allowing].installed.get(), outcomes) == 0) {
    }
    return outcomes[0].reason;
  }
  void idle() { pipeline.age(now, policies[allowing].installed.get()); }

  static const Policies policies;
  std::vector<FlowRecord> memory;
  FlowTable table;
  WorkerCounters counters;
  std::unique_ptr<EventRing> events = std::make_unique<EventRing>();
  Quarantine quarantine;
  Pipeline pipeline;
  Tick now = start;
};
const Policies Engine::policies;

constexpr u32 clients = 24;

// What is held, in the plainest way.
struct Naive {
  std::set<u32> hosts;             // IPv4, host order
  std::map<u32, Tick> flows;       // by client: until when, 0: for good
  bool holds(u32 client, Tick now) const {
    const naive::MeantPacket packet = query(client);
    const auto flow = flows.find(client);
    return hosts.contains(static_cast<u32>(packet.source)) || hosts.contains(static_cast<u32>(packet.target)) ||
           (flow != flows.end() && (flow->second == 0 || now < flow->second));
  }
};

}  // namespace

TEST_CASE("what is in quarantine is dropped by its reason, and all else goes on") {
  const char* scale = std::getenv("WEIR_PROPERTY_SCALE");
  const u32 histories = 60 * (scale != nullptr ? static_cast<u32>(std::atoi(scale)) : 1);
  std::mt19937_64 random(20261122);
  u64 held = 0, passed = 0, opened = 0;
  for (u32 history = 0; history < histories; ++history) {
    Engine engine(512);
    Naive naive;
    std::set<u32> known;
    QuarantineList& list = engine.quarantine.list();
    for (u32 step = 0; step < 600; ++step) {
      engine.now += random() % 2000;
      const u32 client = static_cast<u32>(random() % clients);
      const u32 host = (random() % 2 ? 0x0a000001 : 0x0a010001) + static_cast<u32>(random() % 2);
      const Tick until = random() % 2 ? 0 : engine.now + 1 + random() % 30'000;
      switch (random() % 40) {
        case 0: {
          REQUIRE(list.put(Held::host(address_of(host)), engine.now));
          naive.hosts.insert(host);
          break;
        }
        case 1: REQUIRE(list.let_go(Held::host(address_of(host))) == (naive.hosts.erase(host) == 1)); break;
        case 2: {
          REQUIRE(list.put(flow_of(client, until), engine.now));
          naive.flows[client] = until;
          break;
        }
        case 3: list.let_go(flow_of(client, 0)), naive.flows.erase(client); break;
        case 4: engine.idle(); break;
        default: {
          const bool answers = known.contains(client) && random() % 2;
          const Reason reason = engine.decide(answers ? answer_to(client) : query(client));
          INFO("history " << history << ", step " << step << ", " << row(reason).name);
          const bool is_held = naive.holds(client, engine.now);
          REQUIRE((reason == Reason::quarantined_host) == is_held);
          if (is_held) {
            ++held;
          } else {
            REQUIRE(reason == (known.contains(client) ? Reason::flow_established : Reason::flow_new));
            ++(known.contains(client) ? passed : opened);
            known.insert(client);
          }
        }
      }
    }
  }
  CHECK(held > 1000);
  CHECK(passed > 1000);
  CHECK(opened > 100);
}

TEST_CASE("flows of a host that is put into quarantine are taken back without a packet of theirs, and told") {
  Engine engine(512);
  for (u32 client = 0; client < clients; ++client) REQUIRE(engine.decide(query(client)) == Reason::flow_new);
  REQUIRE(engine.quarantine.list().put(Held::host(address_of(0x0a000001)), engine.now));
  for (u32 i = 0; i < 600; ++i) engine.now += 10'000, engine.idle();
  CHECK(engine.counters.flows_revoked.read() == clients / 2);
  u32 told = 0;
  for (Event event; engine.events->pop(event);) told += event.reason == Reason::quarantined_host;
  CHECK(told == clients / 2);
  REQUIRE(engine.quarantine.list().let_go(Held::host(address_of(0x0a000001))));
  CHECK(engine.decide(answer_to(0)) == Reason::flow_established);
}

TEST_CASE("a full list takes no more until one is let go or its time is over") {
  QuarantineList list;
  for (u32 i = 0; i < QuarantineList::places; ++i) REQUIRE(list.put(Held::host(address_of(0x0b000000 + i)), start));
  CHECK_FALSE(list.put(Held::host(address_of(0x0c000000)), start));
  CHECK(list.put(Held::host(address_of(0x0b000007)), start));
  CHECK(list.let_go(Held::host(address_of(0x0b000007))));
  CHECK(list.put(flow_of(0, start + 5), start));
  CHECK_FALSE(list.put(flow_of(1, 0), start + 4));
  CHECK(list.put(flow_of(1, 0), start + 5));
  u32 told = 0;
  list.each(start + 5, [&](const Held&) { ++told; });
  CHECK(told == QuarantineList::places);
}
