// What the sweep after a policy change costs: nanoseconds per flow judged again, the longest single step, and how long
// a worker without traffic takes. `bench_sweep [flows] [segments]`; as root it borrows 2 MiB pages.
#include "control/compile/compile.hpp"
#include "dataplane/pipeline/burst.hpp"
#include "dataplane/policy/verify.hpp"
#include "tests/bench/pages.hpp"
#include "tests/bench/rounds.hpp"

#include <cstring>
#include <memory>

using namespace weir;

namespace {

constexpr HashKey secret{{0x9ae16a3b2f90404f, 0xc3a5c85c97cb3127, 0xb492b66fbe98f273, 0x9ddfea08eb382d69}};
constexpr Tick start = 1'700'000'000 * tick_second;
constexpr u32 rounds = 7;

// `count` networks of 256 addresses on each side; the i-th inside may open TCP to two outside.
control::Model model_of(u32 count) {
  control::Model model;
  model.name = "bench";
  model.files = {"bench.toml"};
  model.line_starts = {{0}};
  for (u32 i = 0; i < 2 * count; ++i) {
    control::Segment segment;
    segment.name = "net-" + std::to_string(i);
    segment.has_addresses = true;
    const u32 first = (i < count ? 0x0a000000 : 0x0b000000) + (i % count << 8);
    segment.addresses.ipv4 = {{first, first + 255}};
    model.segments.push_back(segment);
  }
  for (u32 i = 0; i < count; ++i) {
    control::Statement allow;
    allow.name = "allow-" + std::to_string(i);
    allow.from = {i}, allow.to = {count + i, count + (i + 1) % count};
    allow.services.tcp = {{80, 80}};
    model.statements.push_back(allow);
  }
  return model;
}

// The number-th flow that the model allows.
FlowKey flow_key(u32 number, u32 segments) {
  const u64 bits = (number + 1) * 0x9e3779b97f4a7c15;
  const u32 segment = static_cast<u32>(bits >> 40) % segments;
  const u32 source = 0x0a000000 + (segment << 8) + static_cast<u32>(bits >> 32 & 255);
  const u32 target = 0x0b000000 + (segment << 8) + (number & 255);
  bool swapped;
  return make_key(Address::ipv4(swap(source)), swap(static_cast<u16>(1024 + (number >> 8))),
                  Address::ipv4(swap(target)), swap(u16{80}), FlowKey::scope_of(FlowClass::tcp, 0, 0, 0), swapped);
}

struct Bench {
  u32 flows, segments;
  bench::PageReserve reserve{FlowTable::bytes_needed(flows)};
  bench::Pages memory{FlowTable::bytes_needed(flows), reserve.enough()};
  FlowTable table{memory.span(), flows};
  WorkerCounters counters;
  Pipeline pipeline{PipelineConfig{.secret = secret}, table, counters};
  bench::Pages image{64 << 20, false};
  std::unique_ptr<InstalledPolicy> policy;
  Tick now = start;
  double longest_ns = 0;
  u64 steps = 0;

  Bench(u32 flows_in, u32 segments_in) : flows(flows_in), segments(segments_in) {
    const auto compiled = control::compile(model_of(segments), 1);
    if (!compiled || compiled->image.size() > image.span().size()) std::exit(1);
    std::memcpy(image.span().data(), compiled->image.data(), compiled->image.size());
    const std::string_view names[] = {"inside", "outside"};
    const auto verified = verify(image.span().first(compiled->image.size()));
    policy = std::make_unique<InstalledPolicy>(bind_ports(verified.value(), names));
    pipeline.age(now, policy.get());  // its first sight of the time empties the table
    for (u32 i = 0; i < flows; ++i) {
      const FlowKey key = flow_key(i, segments);
      const u64 hash = hash_of(key, secret);
      if (table.find(key, hash, table.guess(hash)) != no_flow) continue;
      const u32 flow = table.insert(key, hash, static_cast<Beat>(beat_of(now) + 20'000));
      if (flow == no_flow) continue;
      table.record(flow).opener_is_a = swap(key.b_number) == 80 ? 1 : 0;
      table.record(flow).opener_on_inside = 1;
      table.record(flow).epoch = 1;
    }
  }
  void finish() {
    while (counters.sweep_began.read() != 0) {
      ++now;  // always behind: steps as large as they come
      const double began = bench::thread_ns();
      pipeline.age(now, policy.get());
      longest_ns = std::max(longest_ns, bench::thread_ns() - began);
      ++steps;
    }
  }
  double round() {
    ++policy->installation;
    const u64 before = counters.sweep_judged.read();
    const double ns = bench::timed_ns([&] {
      pipeline.age(now, policy.get());
      now += 5 * tick_second / 4 * 3;  // all is due, nothing is late
      finish();
    });
    return ns / static_cast<double>(counters.sweep_judged.read() - before);
  }
};

}  // namespace

int main(int count, char** words) {
  const u32 flows = count > 1 ? static_cast<u32>(std::atol(words[1])) : 1 << 20;
  const u32 segments = count > 2 ? static_cast<u32>(std::atol(words[2])) : 250;
  auto bench = std::make_unique<Bench>(flows, segments);
  std::printf("%u flows live, %u networks on each side, table on %s pages\n", bench->table.live(), segments,
              bench->reserve.enough() ? "2 MiB" : "4 KiB");
  bench->longest_ns = 0, bench->steps = 0;
  const bench::Rounds measured({{"one flow judged again", [&] { return bench->round(); }}}, rounds);
  measured.print_costs();
  std::printf("  longest step of %llu (at most %u records): %.1f us; flows revoked: %llu\n",
              static_cast<unsigned long long>(bench->steps), Sweep::step_records_max, bench->longest_ns / 1000,
              static_cast<unsigned long long>(bench->counters.flows_revoked.read()));
  return bench->counters.flows_revoked.read() == 0 ? 0 : 1;
}
