// What is promised after a policy change: every flow is judged again within the deadline, whether packets come slowly,
// fast or not at all; a packet never meets an older decision, however many changes came between two of its flow.
// WEIR_PROPERTY_SCALE multiplies how many histories are drawn (default 1).
#include "dataplane/pipeline/sweep.hpp"
#include "tests/property/sequence.hpp"

#include <catch2/catch.hpp>
#include <cstdlib>
#include <random>

using namespace weir;

namespace {

constexpr Tick deadline = 5 * tick_second;  // where policy says nothing
constexpr Tick start = 1'700'000'000 * tick_second;
constexpr HashKey secret{{0x9e37, 0x79b9'7f4a'7c15'f39c, 3, 0xbf58'476d'1ce4'e5b9}};

// One worker's engine under two of the sequence's policies: `allowing` lets 10.0.0.1 ask 10.1.0.1 by UDP, port 99,
// `denying` does not know the service; both allow TCP to port 80.
struct Engine {
  static constexpr u32 allowing = 1, denying = 0;
  explicit Engine(u32 capacity)
      : memory(FlowTable::bytes_needed(capacity) / sizeof(FlowRecord) + 1),
        table(std::as_writable_bytes(std::span(memory)), capacity),
        pipeline({.secret = secret, .events = events.get()}, table, counters) {}

  static naive::MeantPacket query(u32 client) {
    naive::MeantPacket packet;
    packet.protocol = 17;
    packet.source = 0x0a000001 + client % 2, packet.target = 0x0a010001 + client / 2 % 2;
    packet.source_port = static_cast<u16>(1024 + client / 4), packet.target_port = 99;
    return packet;
  }

  // The reason and flow of one packet, decided now.
  Outcome decide(const naive::MeantPacket& meant, u32 policy) {
    auto frame = FrameWriter::write(meant);
    const Packet packet{frame.data(), static_cast<u32>(frame.size()), u16{!meant.from_inside}, now, 0, {}};
    Outcome outcomes[outcomes_max];
    pipeline.process({&packet, 1}, policies[policy].installed.get(), outcomes, {});
    while (pipeline.drain(policies[policy].installed.get(), outcomes) == 0) {
    }
    return outcomes[0];
  }
  void idle(u32 policy) { pipeline.age(now, policies[policy].installed.get()); }

  static const Policies policies;
  std::vector<FlowRecord> memory;
  FlowTable table;
  WorkerCounters counters;
  std::unique_ptr<EventRing> events = std::make_unique<EventRing>();
  Pipeline pipeline;
  Tick now = start;
};
const Policies Engine::policies;

// Flows that carry neither `epoch` nor the mark of a denied one.
u32 stale(const FlowTable& table, u32 epoch) {
  u32 count = 0;
  for (u32 flow = 0; flow < table.used(); ++flow)
    count += table.is_live(flow) && table.record(flow).epoch != epoch && table.record(flow).epoch != epoch_stale;
  return count;
}

TEST_CASE("marks come round only when no record carries the old one") {
  const char* scale = std::getenv("WEIR_PROPERTY_SCALE");
  const u32 histories = 300 * (scale != nullptr ? static_cast<u32>(std::atoi(scale)) : 1);
  std::mt19937_64 random(20261121);
  u32 outrun = 0, finished = 0;
  for (u32 history = 0; history < histories; ++history) {
    Sweep sweep;
    std::vector<u64> judged;  // by record: the number of the epoch in which it last was, of all that there ever were
    const u32 steps = 1 + static_cast<u32>(random() % 400), flips = static_cast<u32>(random() % 8);
    const u32 capacity = static_cast<u32>(random() % 3000);
    u64 epochs_begun = 0, last_began = 0;
    Tick now = start;
    for (u32 step = 0; step < steps; ++step) {
      now += random() % 4 == 0 ? random() % (deadline / 50) : random() % 20;
      if (random() % 8 < flips || epochs_begun == 0) {
        ++epochs_begun, last_began = now;
        while (judged.size() < capacity && random() % 4 != 0) judged.push_back(epochs_begun);  // new flows
        const bool all = sweep.begin(now, static_cast<u32>(judged.size()), deadline);
        REQUIRE((all || judged.empty() || epochs_begun - *std::ranges::min_element(judged) < epochs - 1));
        if (all) {
          ++outrun;
          std::ranges::fill(judged, epochs_begun);
          while (sweep.left() != 0) sweep.advance(sweep.stretch(sweep.left()));
        }
      }
      REQUIRE(sweep.epoch() == (epochs_begun - 1) % (epochs - 1) + 1);
      for (u32 due = sweep.step(now); due != 0;) {
        const u32 count = sweep.stretch(due);
        REQUIRE((count != 0 && sweep.cursor() + count <= judged.size()));
        for (u32 i = 0; i < count; ++i) judged[sweep.cursor() + i] = epochs_begun;
        sweep.advance(count);
        due -= count;
      }
      REQUIRE(sweep.next(now) > now);
      if (sweep.left() != 0) continue;
      ++finished;
      REQUIRE((judged.empty() || *std::ranges::min_element(judged) == epochs_begun));
    }
    now = std::max(now, last_began + deadline);
    REQUIRE(sweep.step(now) == sweep.left());
  }
  CHECK(outrun > 10);
  CHECK(finished > 1000);
}

TEST_CASE("a packet meets the policy in force, however many changes came before it") {
  for (u32 flips = 0; flips <= 200; ++flips) {
    Engine engine(512);
    const auto opening = Engine::query(0);
    REQUIRE(engine.decide(opening, Engine::allowing).reason == Reason::flow_new);
    u32 policy = Engine::allowing;
    for (u32 flip = 0; flip < flips; ++flip) {
      policy ^= 1;
      naive::MeantPacket other = Engine::query(4 + flip);  // a packet that makes the worker notice
      engine.decide(other, policy);
    }
    INFO(flips << " flips");
    const Outcome outcome = engine.decide(opening, policy);
    REQUIRE(outcome.reason == (policy == Engine::allowing ? Reason::flow_established : Reason::revoked));
    REQUIRE(outcome.flow == 0);
  }
}

TEST_CASE("all flows are judged again within the deadline, in traffic that is absent, slow or fast") {
  const Tick pause = GENERATE(Tick{1'300'000}, Tick{200'000}, Tick{1'000}, Tick{20});
  const bool packets = GENERATE(false, true);
  if (pause < 1'000 && packets) return;  // 250,000 packets show nothing that 5,000 do not
  constexpr u32 flows = 20'000;
  Engine engine(flows + 64);
  for (u32 i = 0; i < flows; ++i) REQUIRE(engine.decide(Engine::query(i), Engine::allowing).flow_is_new);
  naive::MeantPacket other;
  other.source = 0x0a000001, other.target = 0x0a010001, other.source_port = 1000, other.target_port = 80;
  other.tcp_flags = 2;
  const Tick flipped = engine.now;
  engine.idle(Engine::denying);
  REQUIRE(engine.counters.sweep_began.read() == flipped);
  u64 most = 0;
  for (u64 before = 0; engine.now - flipped < deadline;) {
    engine.now += pause;
    packets ? (void)engine.decide(other, Engine::denying) : engine.idle(Engine::denying);
    const u64 after = engine.counters.sweep_judged.read();
    if (engine.now - flipped < deadline) most = std::max(most, after - before);
    before = after;
  }
  INFO("a pause of " << pause << " us, with packets " << packets);
  CHECK(most <= Sweep::step_records_max);
  CHECK(stale(engine.table, 2) == 0);
  CHECK(engine.counters.flows_revoked.read() == flows);
  CHECK(engine.counters.sweep_began.read() == 0);
  const u64 lasted_us = engine.counters.sweep_us.read();
  CHECK(lasted_us > 0);
  CHECK(lasted_us <= (pause <= 1'000 ? deadline / 4 * 3 + pause : deadline + pause));
  u64 told = 0;
  for (Event event; engine.events->pop(event);) told += event.kind == EventKind::flow_revoked;
  CHECK(told + engine.events->lost() >= flows);
  // Both directions are stopped, and named; the policy that allowed it lets it go on.
  naive::MeantPacket answer = Engine::query(7);
  std::swap(answer.source, answer.target), std::swap(answer.source_port, answer.target_port);
  answer.from_inside = false;
  CHECK(engine.decide(answer, Engine::denying).reason == Reason::revoked);
  CHECK(engine.decide(Engine::query(7), Engine::denying).reason == Reason::revoked);
  CHECK(engine.decide(answer, Engine::allowing).reason == Reason::flow_established);
}

TEST_CASE("a flush ends the sweep") {
  Engine engine(64);
  engine.decide(Engine::query(0), Engine::allowing);
  engine.idle(Engine::denying);
  CHECK(engine.counters.sweep_began.read() != 0);
  engine.pipeline.flush();
  engine.now += deadline;
  engine.idle(Engine::denying);
  CHECK(engine.counters.sweep_began.read() == 0);
  CHECK(engine.counters.sweep_judged.read() == 0);
}

}  // namespace
