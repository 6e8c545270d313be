// The reader of a stream's beginning against its naive twin, under any cuts, order, losses, repetitions and changes;
// and the pool that its memory comes from. WEIR_PROPERTY_SCALE multiplies how much is drawn (default 1).
#include "dataplane/inspect/pool.hpp"
#include "dataplane/inspect/probe.hpp"
#include "tests/property/reader_world.hpp"

#include <catch2/catch.hpp>
#include <cstdlib>
#include <random>
#include <set>

using namespace weir;
using Answer = StreamReader::Answer;

TEST_CASE("a reader answers as one does who keeps every byte, and the receiver gets what it read") {
  const char* text = std::getenv("WEIR_PROPERTY_SCALE");
  const u32 runs = 4000 * (text == nullptr ? 1 : static_cast<u32>(std::atoi(text)));
  std::mt19937_64 random(5);
  std::array<u64, StreamReader::answers> answers{};
  for (u32 run = 0; run < runs; ++run) {
    std::vector<u8> bytes(100 + random() % 900);
    for (u8& byte : bytes) byte = static_cast<u8>(random());
    INFO("run " << run);
    REQUIRE_NOTHROW(ReaderWorld(Choices(bytes)).run(answers));
  }
  for (u32 answer = 0; answer < answers.size(); ++answer) {
    INFO("answer " << answer);
    CHECK(answers[answer] > 50);
  }
}

TEST_CASE("the parts of one segment: what was before, what is new, what is after the window") {
  std::array<u8, 8> history;
  const std::array<u8, 6> said = {1, 2, 3, 4, 5, 6}, other = {1, 2, 9, 4, 5, 6};
  const u32 begin = 0xffff'fffe;
  StreamReader reader(begin, 5);
  CHECK(reader.offer(begin + 1, said, history).answer == Answer::ahead);
  CHECK(reader.offer(begin, std::span(said).first(3), history).fresh.size() == 3);
  CHECK(reader.offer(begin, other, history).answer == Answer::differs);
  const auto step = reader.offer(begin, said, history);
  CHECK(step.answer == Answer::fresh);
  CHECK((step.fresh.data() == said.data() + 3 && step.fresh.size() == 2));
  CHECK((reader.is_complete() && !reader.is_over()));
  CHECK(reader.offer(begin + 2, std::span(other).subspan(2), history).answer == Answer::differs);
  CHECK(reader.offer(begin + 5, other, history).answer == Answer::past);
  reader.acknowledge(begin + 6);
  CHECK(reader.is_over());
}

TEST_CASE("a keep-alive may carry any byte, which is counted") {
  std::array<u8, 4> history;
  const std::array<u8, 2> said = {1, 2}, garbage = {7, 7};
  StreamReader reader(10, 100);
  reader.offer(10, said, history);
  CHECK(reader.offer(11, std::span(garbage).first(1), history).answer == Answer::differs);  // not acknowledged yet
  reader.acknowledge(12);
  for (u32 i = 0; i < 100; ++i) CHECK(reader.offer(11, std::span(garbage).first(1), history).answer == Answer::old);
  CHECK(reader.offer(11, std::span(garbage).first(1), history).answer == Answer::forgotten);
  CHECK(reader.offer(10, garbage, history).answer == Answer::differs);
}

TEST_CASE("a pool gives each slot to one, and says when there is none") {
  std::array<u64, 5> slots;
  std::array<u32, 5> links;
  Pool<u64> pool(slots, links);
  std::set<u32> taken;
  std::mt19937_64 random(6);
  for (u32 i = 0; i < 10'000; ++i) {
    if (random() % 2) {
      const u32 slot = pool.take();
      CHECK((slot == Pool<u64>::none) == (taken.size() == 5));
      if (slot != Pool<u64>::none) CHECK((slot < 5 && taken.insert(slot).second));
    } else if (!taken.empty()) {
      pool.give(*taken.begin());
      taken.erase(taken.begin());
    }
    CHECK(pool.taken_count() == taken.size());
  }
}

TEST_CASE("each MiB holds one probe, however it is cut, and where depends on the secret") {
  std::mt19937_64 random(7);
  std::set<u32> places;
  for (u32 run = 0; run < 40; ++run) {
    const HashKey secret{{random(), random(), random(), random()}};
    const u64 flow = random();
    const u32 begin = static_cast<u32>(random()) & ~((1u << probe_log2) - 1), mib = 1u << probe_log2;
    u32 probes = 0, at = begin;
    while (at - begin < 4 * mib) {
      const u32 bytes = std::min(1 + static_cast<u32>(random() % 9000), 4 * mib - (at - begin));
      probes += holds_probe(secret, flow, at, bytes);
      CHECK(holds_probe(secret, flow, at, 1) == (probe_place(secret, flow, at) == at));
      at += bytes;
    }
    // Two may be in one packet, where it lies across the end of a MiB.
    CHECK((probes == 4 || probes == 3));
    CHECK(!holds_probe(secret, flow, begin, 0));
    places.insert(probe_place(secret, flow, 0));
  }
  CHECK(places.size() > 35);
}
