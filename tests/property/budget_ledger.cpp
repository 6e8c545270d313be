// The promise of the ledger, on random schedules of packets, workers, crashes between any two steps, restarts,
// policies, clocks, lost and torn writes, full disks and older ledgers put back (tests/property/ledger_world.hpp): in
// every sliding window no more leaves than its limit, throttled Q + R * W + one MTU. And worlds that make a mistake are
// found out.
//
// usage: budget_ledger [SCHEDULES] [FIRST SEED]     default 20,000 from 1; 1,000,000 take some minutes
#include "tests/property/ledger_world.hpp"

#include <cstdio>
#include <cstdlib>

using namespace weir;
using namespace weir::test;

namespace {

constexpr u32 steps = 100;

struct Sums {
  u64 forwarded = 0, crashes = 0, openings = 0, closings = 0, refusals_of_old = 0;
};

// Whether the schedule kept the promise; `said` tells how not.
bool keeps(u64 seed, Mistake mistake, Sums& sums, std::string& said) {
  LedgerWorld world(seed, mistake);
  bool kept = true;
  try {
    world.run(steps);
  } catch (const Overshoot& overshoot) {
    said = overshoot.what;
    kept = false;
  }
  sums.forwarded += world.forwarded();
  sums.crashes += world.crashes();
  sums.openings += world.openings();
  sums.closings += world.closings();
  sums.refusals_of_old += world.refusals_of_old();
  return kept;
}

bool promise_holds(u64 schedules, u64 first) {
  Sums sums;
  std::string said;
  for (u64 seed = first; seed < first + schedules; ++seed)
    if (!keeps(seed, Mistake::none, sums, said)) {
      std::printf("seed %llu: %s\n", static_cast<unsigned long long>(seed), said.c_str());
      return false;
    }
  const auto number = [](u64 value) { return static_cast<unsigned long long>(value); };
  std::printf(
      "%llu schedules of %u steps: no overshoot; %llu bytes left, %llu crashes, %llu recoveries, %llu closings by a "
      "full disk, %llu older ledgers refused\n",
      number(schedules), steps, number(sums.forwarded), number(sums.crashes), number(sums.openings),
      number(sums.closings), number(sums.refusals_of_old));
  // A world in which nothing happens keeps every promise.
  const bool lively = sums.forwarded > schedules * 10'000 && sums.openings > schedules &&
                      sums.closings > schedules / 100 && sums.refusals_of_old > schedules / 1000;
  if (!lively) std::printf("but too little happened\n");
  return lively;
}

// Every planted mistake is found, and soon.
bool mistakes_are_found(u64 first) {
  bool all = true;
  for (u32 i = 1; i < std::size(mistake_names); ++i) {
    Sums sums;
    std::string said;
    u64 tried = 0, found = 0;
    for (; tried < 3000 && found < 10; ++tried) found += !keeps(first + tried, static_cast<Mistake>(i), sums, said);
    std::printf("mistake \"%s\": found in %llu of %llu schedules: %s\n", mistake_names[i],
                static_cast<unsigned long long>(found), static_cast<unsigned long long>(tried), said.c_str());
    all = all && found != 0;
  }
  return all;
}

}  // namespace

int main(int argc, char** argv) {
  const u64 schedules = argc > 1 ? std::strtoull(argv[1], nullptr, 10) : 20'000;
  const u64 first = argc > 2 ? std::strtoull(argv[2], nullptr, 10) : 1;
  const bool holds = promise_holds(schedules, first);
  const bool found = mistakes_are_found(first);
  return holds && found ? 0 : 1;
}
