// What the check of a budget costs a packet, P5 of docs/performance.md: a debit from a worker's purse, beside DPDK's
// two-rate three-colour meter (RFC 2698, colour blind), which limits nothing to a total. The same cells in the same
// random order, from 1k to 64k; both take time as an argument and pay for the same bookkeeping. `bench_budget
// [rounds]`.
#include "dataplane/budget/purse.hpp"
#include "tests/bench/rounds.hpp"

#include <rte_cycles.h>
#include <rte_meter.h>

#include <cstdlib>
#include <random>

using namespace weir;

namespace {

constexpr u32 packets_per_round = 1 << 20;

struct Packet {
  u32 cell, bytes;
};

std::vector<Packet> random_packets(u32 cells) {
  std::mt19937_64 random(cells);
  std::vector<Packet> made(packets_per_round);
  for (Packet& packet : made) packet = {static_cast<u32>(random() % cells), 60 + static_cast<u32>(random() % 1440)};
  return made;
}

u64 passed = 0;  // so that nothing is left out

// Purses that are never empty: how often a lease is asked for depends on its size, and is not the packet's cost.
double purses_ns(std::vector<Purse>& purses, const std::vector<Packet>& packets) {
  for (Purse& purse : purses) purse.put(u64{1} << 40);
  return bench::timed_ns([&] {
           for (const Packet& packet : packets) passed += purses[packet.cell].spend(packet.bytes);
         }) /
         packets_per_round;
}

double meters_ns(std::vector<rte_meter_trtcm>& meters, rte_meter_trtcm_profile& profile,
                 const std::vector<Packet>& packets) {
  return bench::timed_ns([&] {
           u64 now = rte_rdtsc();
           for (const Packet& packet : packets) {
             now += 100;  // as a burst's time would be handed down; a clock read per packet would cost it more
             passed += rte_meter_trtcm_color_blind_check(&meters[packet.cell], &profile, now, packet.bytes) ==
                       RTE_COLOR_GREEN;
           }
         }) /
         packets_per_round;
}

}  // namespace

int main(int count, char** words) {
  const u32 rounds = count > 1 ? static_cast<u32>(std::atol(words[1])) : 9;
  // 1 and 2 GB a second at 2.5 GHz, as rte_meter_trtcm_profile_config makes it where EAL has measured the TSC.
  rte_meter_trtcm_profile profile{.cbs = 1 << 20,
                                  .pbs = 1 << 20,
                                  .cir_period = 100,
                                  .cir_bytes_per_period = 40,
                                  .pir_period = 100,
                                  .pir_bytes_per_period = 80};
  std::vector<double> ratios;
  for (u32 cells = 1 << 10; cells <= 1 << 16; cells <<= 2) {
    const std::vector<Packet> packets = random_packets(cells);
    std::vector<Purse> purses(cells);
    std::vector<rte_meter_trtcm> meters(cells);
    for (rte_meter_trtcm& meter : meters) meter = {0, 0, profile.cbs, profile.pbs};
    std::printf("%u cells\n", cells);
    const bench::Rounds measured(
        {{"Purse::spend", [&] { return purses_ns(purses, packets); }},
         {"rte_meter_trtcm_color_blind_check", [&] { return meters_ns(meters, profile, packets); }}},
        rounds);
    measured.print_costs();
    measured.print_ratio("P5: purse / meter", 0, 1, "gate 0.5, aim 0.25");
    ratios.push_back(measured.ratio(0, 1).median);
  }
  const double worst = *std::max_element(ratios.begin(), ratios.end());
  std::printf("worst ratio %.3f: P5 %s (%llu passed)\n", worst, worst <= 0.5 ? "holds" : "FAILS",
              static_cast<unsigned long long>(passed));
  return worst <= 0.5 ? 0 : 1;
}
