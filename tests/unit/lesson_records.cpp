// What instances tell each other: what was written is read back, and nothing else is; an export is taken once.
#include "dataplane/edge/lesson_records.hpp"

#include <catch2/catch.hpp>

using namespace weir;
using namespace weir::edge;

namespace {

ledger::Key key_of(u8 first) {
  ledger::Key key;
  key.bytes[0] = first;
  return key;
}

Lecture lecture() {
  Lecture made{{11, 12}, 3, 1'000'000'000, "pretrain", {}};
  for (u32 i = 0; i < 5; ++i)
    made.pairs.push_back({Address::ipv4(0x0a00'0001 + i), Address::ipv4(0x0a00'0101), 17 + i, 34, 0xabcdef, 7 + i});
  return made;
}

}  // namespace

TEST_CASE("lessons are read back as they were written") {
  const auto bytes = write_lessons(lecture(), key_of(1));
  const auto read = read_lessons(bytes, "pretrain", key_of(1));
  REQUIRE(read);
  CHECK((read->exporter[0] == 11 && read->exporter[1] == 12 && read->number == 3 && read->time_us == 1'000'000'000));
  REQUIRE(read->pairs.size() == 5);
  for (u32 i = 0; i < 5; ++i) {
    const LearnedPair& pair = read->pairs[i];
    CHECK((pair.opener == Address::ipv4(0x0a00'0001 + i) && pair.replier == Address::ipv4(0x0a00'0101)));
    CHECK((pair.opener_qp == 17 + i && pair.replier_qp == 34 && pair.tag == 0xabcdef && pair.learned_at == 7 + i));
  }
}

TEST_CASE("any bit turned, any byte cut or added, another key or another job: nothing is read") {
  const auto bytes = write_lessons(lecture(), key_of(1));
  for (std::size_t bit = 0; bit < bytes.size() * 8; ++bit) {
    auto bad = bytes;
    bad[bit / 8] ^= static_cast<std::byte>(1u << bit % 8);
    CHECK(!read_lessons(bad, "pretrain", key_of(1)));
  }
  for (std::size_t cut = 0; cut < bytes.size(); ++cut)
    CHECK(!read_lessons(std::span(bytes).first(cut), "pretrain", key_of(1)));
  auto longer = bytes;
  longer.push_back(std::byte{0});
  CHECK(!read_lessons(longer, "pretrain", key_of(1)));
  CHECK(!read_lessons(bytes, "pretrain", key_of(2)));
  CHECK(!read_lessons(bytes, "other", key_of(1)));
}

TEST_CASE("what is no queue pair is not read, whoever signs it") {
  const auto spoiled = [](auto spoil) {
    Lecture made = lecture();
    spoil(made.pairs[2]);
    return !read_lessons(write_lessons(made, key_of(1)), "pretrain", key_of(1));
  };
  CHECK(spoiled([](LearnedPair& pair) { pair.opener_qp = 1; }));
  CHECK(spoiled([](LearnedPair& pair) { pair.replier_qp = 1u << 24; }));
  CHECK(spoiled([](LearnedPair& pair) { pair.replier = pair.opener; }));
  CHECK(spoiled([](LearnedPair& pair) { pair.opener = Address{}; }));
  CHECK(spoiled([](LearnedPair& pair) { pair.opener = Address{1, 2}; }));
  CHECK(spoiled([](LearnedPair& pair) { pair.learned_at = Lessons::patience_us; }));
  CHECK(!spoiled([](LearnedPair&) {}));
}

TEST_CASE("an export is taken once, in order, and while it is fresh") {
  Freshness fresh;
  Lecture one = lecture();
  const u64 now = one.time_us;
  CHECK(!fresh.use(one, now + Freshness::slack_us + 1).empty());
  CHECK(!fresh.use(one, now - Freshness::slack_us - 1).empty());
  CHECK(fresh.use(one, now + Freshness::slack_us).empty());
  CHECK(!fresh.use(one, now).empty());
  one.number = 2;
  CHECK(!fresh.use(one, now).empty());
  one.number = 4;
  CHECK(fresh.use(one, now).empty());
  // Whatever time passes, what was taken is never taken again: it is too old before it is forgotten.
  for (u64 later = 0; later < 10 * Freshness::slack_us; later += Freshness::slack_us / 7) {
    CHECK(!fresh.use(one, now + later).empty());
    Lecture other = lecture();
    other.exporter[0] = later + 100;
    other.time_us = now + later;
    CHECK(fresh.use(other, now + later).empty());
  }
  for (u64 exporter = 0; exporter < Freshness::exporters_most; ++exporter) {
    Lecture other = lecture();
    other.exporter[0] = exporter + 1'000'000'000'000;
    fresh.use(other, now);
  }
  Lecture last = lecture();
  last.exporter[1] = 99;
  CHECK(!fresh.use(last, now).empty());
}
