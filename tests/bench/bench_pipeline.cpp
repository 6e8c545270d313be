// P3 and P4: the whole pipeline against parse alone and against parse and lookup, on the same synthetic frames, whose
// making is part of every contender; the same where every flow has a budget, a limit, or both; and of RDMA.
// `bench_pipeline [flows] [rounds]`.
#include "control/compile/compile.hpp"
#include "dataplane/pipeline/burst.hpp"
#include "dataplane/policy/verify.hpp"
#include "tests/bench/frame_source.hpp"
#include "tests/bench/pages.hpp"
#include "tests/bench/rounds.hpp"

#include <cstring>
#include <memory>

using namespace weir;

namespace {

using bench::FrameSource, bench::packets_per_round;
constexpr HashKey secret{{0x243f'6a88'85a3'08d3, 0x1319'8a2e'0370'7344, 0xa409'3822'299f'31d0, 0x082e'fa98'ec4e'6c89}};
constexpr Tick start = FrameSource::start;

// What every packet is charged to.
enum class Charged { nothing, budget, budget_and_limit, limit_by_source, rdma };

control::Model small_policy(Charged charged) {
  control::Model model = bench::model_of_frames();
  control::Statement& allow = model.statements.front();
  if (charged == Charged::rdma) {
    allow.services = {};
    allow.services.rdma = {{0, 0xffff}};
    allow.rdma.first_use = 1 << 20;
  }
  if (charged == Charged::budget || charged == Charged::budget_and_limit) {
    control::Budget budget;
    budget.name = "budget";
    budget.from = {0}, budget.to_any = budget.any_service = true;
    budget.windows = {{u64{1} << 50, 3600, {}}};
    model.budgets = {budget};
  }
  if (charged == Charged::budget_and_limit || charged == Charged::limit_by_source) {
    control::Limit limit;
    limit.name = "limit";
    limit.from = {0}, limit.to_any = limit.any_service = true;
    limit.rate_bits_per_s = u64{400} * 1'000'000'000, limit.burst_bytes = u64{1} << 40;
    if (charged == Charged::limit_by_source) limit.per = control::Limit::Per::source;
    model.limits = {limit};
  }
  return model;
}

constexpr std::size_t cells_count = 1 << 18, cell_bytes = cells_count * sizeof(LimitCells::Cell);
constexpr u32 bills_count = 1 << 17;
constexpr std::size_t pages_begun = 6 << 20;  // what three mappings begin of a page

struct Bench {
  u32 flows;
  Charged charged;
  FrameSource source{flows, charged == Charged::rdma};
  bench::PageReserve reserve{FlowTable::bytes_needed(flows + flows / 4) + cell_bytes +
                             Bills::bytes_needed(bills_count) + pages_begun};
  bench::Pages memory{FlowTable::bytes_needed(flows + flows / 4), reserve.enough()};
  FlowTable table{memory.span(), flows + flows / 4};
  WorkerCounters counters;
  bench::Pages cell_memory{cell_bytes, reserve.enough()};
  LimitCells cells{{reinterpret_cast<LimitCells::Cell*>(cell_memory.span().data()), cells_count}};
  bench::Pages bill_memory{Bills::bytes_needed(bills_count), reserve.enough()};
  bench::Pages till_memory{Till::bytes_needed(), false};
  Bills bills{bill_memory.span(), bills_count, cells};
  Till till{till_memory.span()};
  bench::Pages flood_memory{Floods::bytes_needed, false}, rdma_memory{Rdma::bytes_needed, false};
  Floods floods{flood_memory.span(), secret};
  Rdma rdma{rdma_memory.span(), secret};
  std::unique_ptr<Pipeline> pipeline = std::make_unique<Pipeline>(
      PipelineConfig{.secret = secret, .floods = &floods, .rdma = &rdma, .till = &till, .bills = &bills}, table,
      counters);
  bench::Pages image{2 << 20, false};
  std::unique_ptr<InstalledPolicy> policy;
  Outcome outcomes[outcomes_max];
  AccountSeat seats[1] = {{0, 1, 0}};
  LimitRate rates[1] = {};
  u64 sum = 0;

  explicit Bench(u32 count, Charged what) : flows(count), charged(what) {
    till.put(1, u64{1} << 60);
    install();
    open();
  }
  void install() {
    const auto compiled = control::compile(small_policy(charged), 1);
    if (!compiled) std::exit(1);
    const std::size_t bytes = compiled->image.size();
    if (bytes > image.span().size()) std::exit(1);
    std::memcpy(image.span().data(), compiled->image.data(), bytes);
    const std::string_view names[] = {"inside", "outside"};
    policy = std::make_unique<InstalledPolicy>(bind_ports(verify(image.span().first(bytes)).value(), names));
    policy->seats = seats;
    policy->limit_rates = rates;
    for (const image::Limit& limit : policy->policy.view().limits) {
      rates[0] = limit_rate(limit.rate_bits_per_s, limit.burst_bytes, limit.packets, limit.new_connections);
      rates[0].per = limit.per;
    }
  }
  void open() {
    for (u32 i = 0; i < flows; i += burst_packets_max)
      pipeline->process(source.next(0x02, true), policy.get(), outcomes, {});
    while (!pipeline->idle()) pipeline->drain(policy.get(), outcomes);
    if (table.live() != flows) std::fprintf(stderr, "only %u of %u flows opened\n", table.live(), flows), std::exit(1);
    if (charged != Charged::rdma) bench::establish(table);
  }

  void parse_only() {
    Headers headers[burst_packets_max];
    for (u32 n = 0; n < packets_per_round; n += burst_packets_max) {
      const auto burst = source.next(0x10, false);
      for (u32 i = 0; i < burst_packets_max; ++i) parse_into(headers[i], {burst[i].data, burst[i].bytes}, {secret, 0});
      sum += headers[n % burst_packets_max].hash;
    }
  }
  // Parse, and the table's three steps over three bursts, with the deadline written: no policy, state or counters.
  void parse_and_lookup() {
    static Headers headers[3][burst_packets_max];
    static u32 guesses[3][burst_packets_max];
    for (u32 n = 0, k = 0; n < packets_per_round; n += burst_packets_max, k = (k + 1) % 3) {
      const auto burst = source.next(0x10, false);
      const u32 before = (k + 2) % 3, oldest = (k + 1) % 3;
      for (u32 i = 0; i < burst_packets_max; ++i) {
        parse_into(headers[k][i], {burst[i].data, burst[i].bytes}, {secret, 0});
        table.prefetch_bucket(headers[k][i].hash);
      }
      if (n >= burst_packets_max)
        for (u32 i = 0; i < burst_packets_max; ++i) guesses[before][i] = table.guess(headers[before][i].hash);
      if (n >= 2 * burst_packets_max)
        for (u32 i = 0; i < burst_packets_max; ++i) {
          const Headers& own = headers[oldest][i];
          const u32 flow = table.find(own.key, own.hash, guesses[oldest][i]);
          table.record(flow).end[1] = 1;
          table.set_deadline(flow, static_cast<Beat>(beat_of(start) + beats_lasting(7'440'000)));
        }
    }
  }
  void whole_summed() {
    source.checksum = Checksum::unverified;
    whole();
    source.checksum = Checksum::good;
  }
  void whole() {
    for (u32 n = 0; n < packets_per_round; n += burst_packets_max) {
      pipeline->process(source.next(0x10, false), policy.get(), outcomes, {});
      sum += outcomes[0].flow;
    }
    while (!pipeline->idle()) pipeline->drain(policy.get(), outcomes);
  }
};

}  // namespace

int main(int count, char** words) {
  const u32 flows = count > 1 ? static_cast<u32>(std::atol(words[1])) : 1 << 20;
  const u32 rounds = std::max(count > 2 ? static_cast<u32>(std::atol(words[2])) : 9u, 7u);
  auto bench = std::make_unique<Bench>(flows, Charged::nothing);
  auto budget = std::make_unique<Bench>(flows, Charged::budget);
  auto both = std::make_unique<Bench>(flows, Charged::budget_and_limit);
  auto by_source = std::make_unique<Bench>(flows, Charged::limit_by_source);
  auto rdma = std::make_unique<Bench>(flows, Charged::rdma);
  std::printf("%u flows, %u packets a round, table on %s pages\n", flows, packets_per_round,
              bench->reserve.enough() ? "2 MiB" : "4 KiB");
  const auto of = [](Bench& which, void (Bench::*work)()) {
    return [&which, work] { return bench::timed_ns([&] { (which.*work)(); }) / packets_per_round; };
  };
  const auto each = [&](void (Bench::*work)()) { return of(*bench, work); };
  const bench::Rounds measured({{"source and parse", each(&Bench::parse_only)},
                                {"source, parse and lookup", each(&Bench::parse_and_lookup)},
                                {"source and whole pipeline", each(&Bench::whole)},
                                {"the same, checksums by software", each(&Bench::whole_summed)},
                                {"whole, a budget on every flow", of(*budget, &Bench::whole)},
                                {"whole, a budget and a limit", of(*both, &Bench::whole)},
                                {"whole, a limit for each source", of(*by_source, &Bench::whole)},
                                {"whole, RDMA", of(*rdma, &Bench::whole)}},
                               rounds);
  measured.print_costs();
  measured.print_ratio("P3 whole pipeline / parse and lookup", 2, 1, "gate 1.5, aim 1.25");
  measured.print_ratio("P3 with a budget on every flow", 4, 1, "figure");
  measured.print_ratio("P3 with a budget and a limit on every flow", 5, 1, "figure");
  measured.print_ratio("P3 with a limit for each source", 6, 1, "figure");
  measured.print_ratio("P4 whole pipeline / parse", 2, 0, "gate 3.0, aim 2.2");
  measured.print_ratio("checksums by software / by the port", 3, 2, "64-byte frames");
  measured.print_ratio("an established packet of RDMA / of TCP", 7, 2, "goal 1.0");
  const u64 established = bench->counters.reasons[static_cast<u8>(Reason::flow_established)].packets.read();
  std::printf("  established packets decided: %llu (checksum %llx)\n", static_cast<unsigned long long>(established),
              static_cast<unsigned long long>(bench->sum));
  return established == u64{packets_per_round} * (rounds + 1) * 2 ? 0 : 1;
}
