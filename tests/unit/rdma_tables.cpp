// The small tables of the RDMA path by themselves: a job's gate, who may not READ, lessons.
#include "dataplane/rdma/job_gate.hpp"
#include "dataplane/rdma/lessons.hpp"
#include "dataplane/rdma/read_penalties.hpp"

#include <catch2/catch.hpp>

#include <vector>

using namespace weir;

namespace {

constexpr HashKey secret{{1, 2, 3, 4}};
constexpr Tick second = 1'000'000;

template <class Table>
std::vector<u64> room() {
  return std::vector<u64>(Table::bytes_needed / sizeof(u64) + 8);
}

}  // namespace

TEST_CASE("a job's window begins with its first queue pair, and with the first after an operator opens it") {
  JobGate gate;
  CHECK_FALSE(gate.is_sealed(1000 * second, 60 * second));
  CHECK(gate.lets_open(1000 * second, 60 * second));
  CHECK(gate.lets_open(1060 * second - 1, 60 * second));
  CHECK_FALSE(gate.lets_open(1060 * second, 60 * second));
  CHECK(gate.is_sealed(1060 * second, 60 * second));
  gate.open();
  CHECK(gate.lets_open(2000 * second, 60 * second));
  CHECK_FALSE(gate.lets_open(2060 * second, 60 * second));
  gate.open();
  gate.seal();
  CHECK_FALSE(gate.lets_open(3000 * second, 60 * second));
  CHECK(gate.is_sealed(3000 * second, 0));
}

TEST_CASE("a window without an end is open until an operator seals it") {
  JobGate gate;
  CHECK(gate.lets_open(0, 0));
  CHECK(gate.lets_open(1'000'000 * second, 0));
  gate.seal();
  CHECK_FALSE(gate.lets_open(1'000'001 * second, 0));
}

TEST_CASE("each refused READ costs twice the time, up to an hour, and quiet forgives") {
  auto memory = room<ReadPenalties>();
  ReadPenalties penalties(std::as_writable_bytes(std::span(memory)));
  Tick now = 1000 * second;
  for (Tick length = second; length < ReadPenalties::longest_us; length *= 2) {
    penalties.refuse(5, now, second);
    penalties.refuse(5, now + 1, second);  // of what was on its way
    CHECK(penalties.holds(5, now + length - 1));
    CHECK_FALSE(penalties.holds(5, now + length));
    CHECK_FALSE(penalties.holds(6, now));
    now += length;
  }
  penalties.refuse(5, now, second);
  CHECK(penalties.holds(5, now + ReadPenalties::longest_us - 1));
  CHECK_FALSE(penalties.holds(5, now + ReadPenalties::longest_us));
  now += 100 * ReadPenalties::longest_us;
  penalties.refuse(5, now, second);
  CHECK_FALSE(penalties.holds(5, now + 2 * second));
}

TEST_CASE("a lesson says both directions, is used up, replaced and forgotten") {
  auto memory = room<Lessons>();
  Lessons lessons(std::as_writable_bytes(std::span(memory)), secret);
  const Address one = Address::ipv4(1), other = Address::ipv4(2);
  lessons.learn({one, other, 17, 34, 0, second}, second);
  REQUIRE(lessons.find(one, other, 34, second) != nullptr);
  REQUIRE(lessons.find(other, one, 17, second) != nullptr);
  CHECK(lessons.find(one, other, 17, second) == nullptr);
  CHECK(lessons.find(other, one, 34, second) == nullptr);
  lessons.learn({one, other, 18, 34, 7, second}, second);
  CHECK(lessons.find(one, other, 34, second)->tag == 7);
  lessons.forget(*lessons.find(one, other, 34, second));
  CHECK(lessons.find(one, other, 34, second) == nullptr);
  CHECK(lessons.find(other, one, 18, second) == nullptr);
  CHECK(lessons.find(other, one, 17, second + Lessons::patience_us - 1) != nullptr);
  CHECK(lessons.find(other, one, 17, second + Lessons::patience_us) == nullptr);
}
