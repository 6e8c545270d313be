// Random sequences in which the engine is restarted now and then, with other secrets and numbers of workers, while its
// twin goes on as if nothing had been: every packet ends as it would have. And rows of every class of flow, taken out
// of some workers and put into others. WEIR_PROPERTY_SCALE multiplies how many (default 1).
#include "tests/property/sequence.hpp"

#include <catch2/catch.hpp>
#include <cstdlib>
#include <map>
#include <random>

using namespace weir;

TEST_CASE("a restart changes nothing that packets see") {
  const Policies policies;
  std::mt19937_64 random(20261122);
  const char* const scale = std::getenv("WEIR_PROPERTY_SCALE");
  const u32 sequences = 150 * static_cast<u32>(scale == nullptr ? 1 : std::atoi(scale));
  u64 established = 0, revoked = 0, restarts = 0, swept = 0;
  for (u32 i = 0; i < sequences; ++i) {
    INFO("sequence " << i);
    std::vector<u8> bytes(4000);
    for (u8& byte : bytes) byte = static_cast<u8>(random());
    const Sequence::Wish wish{.workers = 1 + i % 4, .restarts = true};
    auto sequence = std::make_unique<Sequence>(policies, wish);
    REQUIRE_NOTHROW(sequence->run(Choices(bytes)));
    established += sequence->ended_as(Reason::flow_established);
    revoked += sequence->ended_as(Reason::revoked);
    swept += sequence->swept();
    restarts += sequence->restarts();
  }
  CHECK(restarts > sequences);
  CHECK((established > 100 * sequences / 10 && revoked > sequences / 10 && swept > sequences / 10));
}

namespace {

constexpr u32 capacity = 2048;

struct Worker {
  Worker(u32 workers, u32 self, const HashKey& secret)
      : memory(FlowTable::bytes_needed(capacity) / 64 + 1),
        table(std::as_writable_bytes(std::span(memory)), capacity),
        pipeline({.secret = secret, .workers = workers, .self = self}, table, counters) {}
  struct alignas(64) Line {
    std::byte bytes[64];
  };
  std::vector<Line> memory;
  FlowTable table;
  WorkerCounters counters;
  Pipeline pipeline;
  std::map<u32, u64> serials;
};

std::vector<std::unique_ptr<Worker>> workers_of(u32 count, const HashKey& secret) {
  std::vector<std::unique_ptr<Worker>> workers;
  for (u32 self = 0; self < count; ++self) workers.push_back(std::make_unique<Worker>(count, self, secret));
  return workers;
}

// A flow of any class, its record filled at random wherever a row may say anything.
KeptFlow random_row(std::mt19937_64& random) {
  FlowRecord record{};
  for (u32* word : {&record.end[0], &record.end[1], &record.edge[0], &record.edge[1]})
    *word = static_cast<u32>(random());
  const auto flow_class = static_cast<FlowClass>(random() % 7);
  const u32 place = random() % 2 ? place_of_vlans(random() & 0xfff, 0) : place_in_network(0, random() & 0xffffff);
  const u32 scope = FlowKey::scope_of(flow_class, random() % 2, place);
  const bool is_ipv4 = random() % 2;
  const auto address = [&] {
    return is_ipv4 ? Address::ipv4(static_cast<u32>(random())) : Address{random() >> 1, random()};
  };
  const Address one = address(), two = address();
  bool swapped;
  const u16 number = static_cast<u16>(random());
  record.key = flow_class == FlowClass::rdma ? make_rdma_key(one, two, random() & 0xffffff, scope, swapped)
                                             : make_key(one, number, two, static_cast<u16>(random()), scope, swapped);
  record.opener_is_a = random() & 1;
  record.opener_on_inside = random() & 1;
  record.replier_is_spoofed = random() & 1;
  record.opener_scale = random() & 15, record.replier_scale = random() & 15;
  record.opener_window_log2 = random() & 31, record.replier_window_log2 = random() & 31;
  record.decision = static_cast<u16>(random());
  record.epoch = random() % 4 == 0 ? epoch_stale : epochs - 1;
  record.deadline = static_cast<Beat>(1 + random() % 20'000);
  record.set_state(static_cast<u32>(random() % (flow_class == FlowClass::tcp    ? tcp_states_count
                                                : flow_class == FlowClass::rdma ? 3
                                                                                : 2)));
  KeptFlow row{};
  std::memcpy(row.record, &record, sizeof record);
  return row;
}

using Known = std::map<std::string, u64>;  // a row's bytes, and how often it is there

void add(Known& known, const KeptFlow& row, u32 beats_later) {
  FlowRecord record{};
  std::memcpy(static_cast<void*>(&record), row.record, sizeof record);
  if (record.deadline <= beats_later) return;
  record.deadline = static_cast<Beat>(record.deadline - beats_later);
  KeptFlow later = row;
  std::memcpy(later.record, &record, sizeof record);
  ++known[std::string(reinterpret_cast<const char*>(&later), sizeof later)];
}

}  // namespace

TEST_CASE("rows of every class come out as they went in, whoever owns them") {
  std::mt19937_64 random(7);
  for (u32 round = 0; round < 40; ++round) {
    const HashKey first{{random(), random(), random(), random()}}, second{{random(), random(), random(), random()}};
    const u32 count = 1 + random() % 8u, next_count = 1 + random() % 8u;
    const u32 beats = static_cast<u32>(random() % 3 * (random() % 10'000));
    const Tick now = 1'700'000'000'000'000 + random() % 1'000'000'000'000;
    auto workers = workers_of(count, first), next = workers_of(next_count, second);
    std::vector<Keeping> into;
    for (auto& worker : workers) into.emplace_back(worker->pipeline).begin(now, 0);
    Known due, known;
    for (u32 i = 0; i < 1000; ++i) {
      const KeptFlow row = random_row(random);
      REQUIRE(is_sound(row, 2));
      const u32 owner = owner_of(hash_of(key_of_row(row), first), count);
      if (into[owner].put_in(row, 0) == Keeping::Fate::taken) add(due, row, beats);
    }
    REQUIRE(due.size() > 500 / (beats == 0 ? 1u : 10u));
    carry_over(workers, next, nullptr, second, now, beats);
    std::vector<KeptFlow> rows(33);
    for (auto& worker : next) {
      Keeping out(worker->pipeline);
      while (const u32 taken = out.take_out(nullptr, now + beats * beat_us, rows))
        for (u32 i = 0; i < taken; ++i) add(known, rows[i], 0);
    }
    CHECK((known == due));
  }
}
