// A policy that is asked beside the one in force: random sequences with one put there, changed and taken away are
// decided as the twin decides that knows of none, and what is told is what the naive policies disagree about; flows
// that were open before are compared once, established packets never, and a flood leaves half of the ring to others.
// WEIR_PROPERTY_SCALE multiplies how many sequences (default 1).
#include "tests/property/sequence.hpp"

#include <catch2/catch.hpp>
#include <cstdlib>
#include <random>

using namespace weir;

namespace {

constexpr Tick start = 1'700'000'000 * tick_second;
constexpr HashKey secret{{0x9e37, 0x79b9'7f4a'7c15'f39c, 3, 0xbf58'476d'1ce4'e5b9}};

// One worker under the sequence's second policy, which lets 10.0.0.1 ask 10.1.0.1 by any port of UDP; the first allows
// port 53 alone, and the forbids of none are met.
struct Engine {
  static constexpr u32 wide = 1, narrow = 0;
  explicit Engine(u32 capacity, u32 live, u32 other)
      : alone(*policies[live].installed),
        beside(alone),
        memory(FlowTable::bytes_needed(capacity) / sizeof(FlowRecord) + 1),
        table(std::as_writable_bytes(std::span(memory)), capacity),
        pipeline({.secret = secret, .events = events.get()}, table, counters) {
    beside.shadow = policies[other].installed.get();
    beside.installation = 100;
  }

  static naive::MeantPacket query(u32 client, u16 port) {
    naive::MeantPacket packet;
    packet.protocol = 17;
    packet.source = 0x0a000001 + client % 2, packet.target = 0x0a010001 + client / 2 % 2;
    packet.source_port = static_cast<u16>(1024 + client / 4), packet.target_port = port;
    return packet;
  }

  Reason decide(const naive::MeantPacket& meant, const InstalledPolicy& policy) {
    auto frame = FrameWriter::write(meant);
    const Packet packet{frame.data(), static_cast<u32>(frame.size()), u16{!meant.from_inside}, now, 0, {}};
    Outcome outcomes[outcomes_max];
    pipeline.process_at_once({&packet, 1}, &policy, outcomes, {});
    return outcomes[0].reason;
  }
  u64 compared() const { return counters.shadow_compared.read(); }
  u64 would_pass() const { return counters.shadow_would_pass.read(); }
  u64 would_deny() const { return counters.shadow_would_deny.read(); }

  static const Policies policies;
  InstalledPolicy alone, beside;
  std::vector<FlowRecord> memory;
  FlowTable table;
  WorkerCounters counters;
  std::unique_ptr<EventRing> events = std::make_unique<EventRing>();
  Pipeline pipeline;
  Tick now = start;
};
const Policies Engine::policies;

}  // namespace

TEST_CASE("a shadow changes no decision, and what it is said to disagree about is what the naive policies do") {
  const char* scale = std::getenv("WEIR_PROPERTY_SCALE");
  const u32 sequences = 400 * (scale != nullptr ? static_cast<u32>(std::atoi(scale)) : 1);
  const Policies with_ceilings(Policies::Ceilings::low), without;
  std::mt19937_64 random(20261122);
  u64 told = 0;
  for (u32 i = 0; i < sequences; ++i) {
    INFO("sequence " << i);
    std::vector<u8> bytes(3000);
    for (u8& byte : bytes) byte = static_cast<u8>(random());
    const bool is_alone = i % 2 == 0;
    const Sequence::Wish wish{.workers = is_alone ? 1 : 1 + i % 3, .restarts = !is_alone, .shadows = true};
    auto sequence = std::make_unique<Sequence>(is_alone ? with_ceilings : without, wish);
    REQUIRE_NOTHROW(sequence->run(Choices(bytes)));
    told += sequence->disagreements();
  }
  CHECK(told > 10 * sequences);
}

TEST_CASE("flows that were open are compared once when a shadow comes, by packets or without") {
  const bool packets = GENERATE(false, true);
  constexpr u32 flows = 3000;
  Engine engine(flows + 64, Engine::wide, Engine::narrow);
  u64 denied = 0;
  for (u32 i = 0; i < flows; ++i) {
    const u16 port = i % 3 == 0 ? 53 : 99;
    denied += port == 99;
    REQUIRE(engine.decide(Engine::query(i, port), engine.alone) == Reason::flow_new);
  }
  CHECK(engine.compared() == 0);
  if (packets)
    for (u32 i = 0; i < flows; ++i)
      REQUIRE(engine.decide(Engine::query(i, i % 3 == 0 ? 53 : 99), engine.beside) == Reason::flow_established);
  for (u32 i = 0; i < 600; ++i) engine.now += 10'000, engine.pipeline.age(engine.now, &engine.beside);
  CHECK(engine.compared() == flows);
  CHECK(engine.would_deny() == denied);
  CHECK(engine.would_pass() == 0);
  CHECK(engine.counters.flows_revoked.read() == 0);
  u64 told = 0;
  for (Event event; engine.events->pop(event);) told += event.kind == EventKind::shadow_would_deny;
  CHECK(told + engine.counters.shadow_untold.read() == denied);
  CHECK(told == 4);  // of each pair of hosts: the service and the rules are the same
}

TEST_CASE("packets of established flows are not compared") {
  Engine engine(64, Engine::wide, Engine::narrow);
  REQUIRE(engine.decide(Engine::query(0, 99), engine.beside) == Reason::flow_new);
  for (u32 i = 0; i < 1000; ++i)
    REQUIRE(engine.decide(Engine::query(0, 99), engine.beside) == Reason::flow_established);
  CHECK(engine.compared() == 1);
  CHECK(engine.would_deny() == 1);
}

TEST_CASE("what a flood of denied packets is told of a shadow leaves half of the ring") {
  Engine engine(64, Engine::narrow, Engine::wide);
  for (u32 i = 0; i < 3 * events_per_ring; ++i)
    REQUIRE(engine.decide(Engine::query(i, static_cast<u16>(10'000 + i)), engine.beside) == Reason::no_allow);
  CHECK(engine.would_pass() == 3 * events_per_ring);
  u64 told = 0, dropped = 0;
  for (Event event; engine.events->pop(event);)
    ++(event.kind == EventKind::shadow_would_pass ? told : dropped);
  CHECK(told + dropped == events_per_ring);
  CHECK(told <= events_per_ring / 4 + 1);  // each stands beside a drop, until half of it is full
  CHECK(told + engine.counters.shadow_untold.read() == 3 * events_per_ring);
}

TEST_CASE("the same disagreement is told once a minute") {
  Engine engine(64, Engine::narrow, Engine::wide);
  u64 told = 0;
  for (u32 i = 0; i < 200; ++i, engine.now += tick_second) {
    engine.decide(Engine::query(4 * i, 99), engine.beside);
    for (Event event; engine.events->pop(event);) told += event.kind == EventKind::shadow_would_pass;
  }
  CHECK(engine.would_pass() == 200);
  CHECK(told == 4);
}
