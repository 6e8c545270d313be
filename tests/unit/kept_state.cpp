// What a planned restart leaves is read as it was written by who may have it, and else refused whole: any bit turned,
// any byte cut or added, of another boot, run, port or layout, and rows that no flow can have.
#include "tests/unit/kept_state.hpp"

#include <catch2/catch.hpp>

using namespace weir;
using namespace weir::edge;
using namespace weir::test;

namespace {

// Why a state is refused whose head was changed, and sealed again where that is asked; empty: it is taken.
template <class Change>
std::string refusal(const Change& change, bool sealed = true) {
  Bytes bytes = sound_state();
  change(bytes);
  if (sealed) bytes.seal();
  const auto read = read_kept(bytes.all(), kept_for());
  return read ? "" : read.error();
}

std::string refusal_of_row(const FlowRecord& record, u32 offset = 0) {
  return refusal([&](Bytes& bytes) { bytes.at<KeptFlow>(places_of(bytes.head()).flows)[2] = row_of(record, offset); });
}

}  // namespace

TEST_CASE("a state is read as it was written") {
  Bytes bytes = sound_state();
  const auto read = read_kept(bytes.all(), kept_for());
  REQUIRE(read);
  CHECK((read->flows.size() == 6 && read->policy.size() == 200 && read->fallback.size() == 72));
  REQUIRE((read->gates.size() == 1 && read->held.size() == 1));
  CHECK(std::string(read->gates[0].job) == "pretrain");
  CHECK(read->flows[5].offset == 12345);
}

TEST_CASE("any bit turned and any byte cut or added: nothing is read") {
  const Bytes sound = sound_state();
  Bytes bytes = sound;
  for (std::size_t bit = 0; bit < bytes.all().size() * 8; ++bit) {
    bytes.all()[bit / 8] ^= static_cast<std::byte>(1u << bit % 8);
    CHECK(!read_kept(bytes.all(), kept_for()));
    bytes.all()[bit / 8] ^= static_cast<std::byte>(1u << bit % 8);
  }
  REQUIRE(read_kept(bytes.all(), kept_for()));
  for (std::size_t cut = 0; cut < bytes.all().size(); ++cut) CHECK(!read_kept(bytes.all().first(cut), kept_for()));
  Bytes longer(bytes.all().size() + 72);
  std::ranges::copy(bytes.all(), longer.all().begin());
  CHECK(!read_kept(longer.all(), kept_for()));
}

TEST_CASE("a state of somebody else is named as that") {
  CHECK(refusal([](Bytes&) {}).empty());
  const auto says = [](const std::string& sentence, const char* words) {
    INFO(sentence);
    CHECK(sentence.find(words) != sentence.npos);
  };
  says(refusal([](Bytes& bytes) { bytes.head().mark = 0; }), "no mark of a clean stop");
  says(refusal([](Bytes& bytes) { bytes.head().layout += 1; }), "of layout");
  says(refusal([](Bytes& bytes) { bytes.head().row_bytes = 64; }), "rows of 64 bytes");
  says(refusal([](Bytes& bytes) { bytes.head().boot_id[0] = 'f'; }), "started again since");
  says(refusal([](Bytes& bytes) { bytes.head().run.words[1] ^= 1; }), "not of the last run");
  says(refusal([](Bytes& bytes) { bytes.head().ports ^= 1; }), "other ports");
  says(refusal([](Bytes& bytes) { bytes.head().stopped_us = kept_for().now_us + 1; }), "has not come yet");
  says(refusal([](Bytes& bytes) { bytes.head().flows = ~u64{0}; }), "bytes and should have");
  says(refusal([](Bytes& bytes) { bytes.head().flows = (u64{1} << 61) + 6; }), "bytes and should have");
  says(refusal([](Bytes& bytes) { bytes.head().policy_bytes = ~u64{0} - 100; }), "bytes and should have");
  says(refusal([](Bytes& bytes) { bytes.head().gates += 1; }), "bytes and should have");
  says(refusal([](Bytes& bytes) { bytes.at<u64>(places_of(bytes.head()).held)[0] ^= 1; }), "is nobody");
  says(refusal([](Bytes& bytes) { bytes.head().flows = 5; }, false), "bytes and should have");
  says(refusal([](Bytes& bytes) { std::memset(bytes.at<char>(places_of(bytes.head()).gates), 'x', 64); }), "no end");
  says(refusal([](Bytes& bytes) { std::memset(bytes.head().breakglass, 'x', 64); }), "its trial opens has no end");
}

TEST_CASE("what is no flow is not taken, whoever seals it") {
  const FlowRecord good = record_of(1, FlowClass::tcp, 1);
  CHECK(refusal_of_row(good).empty());
  const auto is_refused = [&](auto spoil) {
    FlowRecord bad = good;
    spoil(bad);
    return !refusal_of_row(bad).empty();
  };
  CHECK(is_refused([](FlowRecord& one) { std::swap(one.key.a, one.key.b); }));
  CHECK(is_refused([](FlowRecord& one) { one.key.a.high = 7; }));
  CHECK(is_refused([](FlowRecord& one) { one.key.scope |= 7; }));
  CHECK(is_refused([](FlowRecord& one) { one.key.scope |= 2 << 4; }));  // a pair beyond those that are there
  CHECK(is_refused([](FlowRecord& one) { one.set_state(tcp_states_count); }));
  CHECK(is_refused([](FlowRecord& one) { one.deadline = 0; }));
  CHECK(is_refused([](FlowRecord& one) { one.deadline = 0x8000; }));
  CHECK(is_refused([](FlowRecord& one) { one.epoch = 1; }));
  CHECK(is_refused([](FlowRecord& one) { one.attended = 1; }));
  CHECK(is_refused([](FlowRecord& one) { one.key.scope |= u32(FlowClass::udp), one.set_state(2); }));
  CHECK(!refusal_of_row(good, 5).empty());
  FlowRecord udp = record_of(1, FlowClass::udp, 0);
  CHECK(refusal_of_row(udp).empty());
  udp.attended = 1;
  CHECK(!refusal_of_row(udp, 5).empty());
}
