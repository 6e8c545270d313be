// Decision lines: exact bytes, JSON that parses whatever the names hold, and the bound on their length.
#include "dataplane/share/decision_line.hpp"

#include <catch2/catch.hpp>
#include <nlohmann/json.hpp>
#include <random>
#include <string>

using namespace weir;

namespace {

std::string line_of(const DecisionContext& context, const Outcome& outcome, const DecisionNames& names) {
  std::array<char, decision_line_bytes_max> room;
  room.fill('#');
  const std::size_t bytes = format_decision(room, context, outcome, names);
  REQUIRE(bytes <= room.size());
  return {room.data(), bytes};
}

}  // namespace

TEST_CASE("a forwarded packet of a flow") {
  Outcome outcome;
  outcome.verdict = Verdict::forward;
  outcome.reason = Reason::flow_new;
  outcome.generation = 42;
  CHECK(line_of({7, 1'700'000'000'000'001, 0, 3}, outcome, {"nfs", "trainers", "shards"}) ==
        "{\"index\":7,\"time\":1700000000.000001,\"port\":\"inside\",\"verdict\":\"forward\",\"reason\":\"flow_new\","
        "\"rule\":\"nfs\",\"from\":\"trainers\",\"to\":\"shards\",\"flow\":3,\"generation\":42}\n");
}

TEST_CASE("what is absent is null") {
  CHECK(line_of({0, 0, 3, no_flow_number}, Outcome{}, {}) ==
        "{\"index\":0,\"time\":0.000000,\"port\":\"outside\",\"verdict\":\"drop\",\"reason\":\"undecided\","
        "\"rule\":null,\"from\":null,\"to\":null,\"flow\":null,\"generation\":0}\n");
}

TEST_CASE("names are escaped") {
  const std::string line = line_of({0, 0, 0, 0}, {}, {"a\"b\\c\n\x7f", "gr\xc3\xbc\xc3\x9f", "\xff\xc3"});
  CHECK(line.find(R"("rule":"a\"b\\c\u000a\u007f")") != std::string::npos);
  CHECK(line.find("\"from\":\"gr\xc3\xbc\xc3\x9f\"") != std::string::npos);
  CHECK(line.find(R"("to":"\ufffd\ufffd")") != std::string::npos);
}

TEST_CASE("any names and numbers give one line of JSON within the bound") {
  std::mt19937_64 random(7);
  for (int round = 0; round < 20'000; ++round) {
    std::string names[3];
    for (auto& name : names) {
      name.resize(random() % (round % 10 == 0 ? 5000 : 40));
      for (char& c : name) c = static_cast<char>(random() >> (random() % 8));
    }
    Outcome outcome;
    outcome.reason = static_cast<Reason>(random() % reasons_count);
    outcome.verdict = static_cast<Verdict>(random() % 5);
    outcome.generation = random();
    const u64 flow = random();
    const auto line =
        line_of({random(), random(), static_cast<u16>(random()), flow}, outcome, {names[0], names[1], names[2]});
    REQUIRE(line.find('\n') == line.size() - 1);
    const auto json = nlohmann::json::parse(line);
    REQUIRE(json["flow"] == flow);
    REQUIRE(json["reason"] == std::string(row(outcome.reason).name));
    REQUIRE(json["rule"].is_null() == names[0].empty());
  }
}
