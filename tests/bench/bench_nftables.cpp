// P9: the kernel's firewall (nftables, nf_conntrack) against the whole pipeline, on one core and the same frames: the
// established packet at 1M flows, new connections, new connections under 1000 rules. The kernel gets its frames by XDP
// live-frame injection and forwards them to a device where they are dropped; the engine gets them as synthetic mbufs.
// Making the frames is part of both. `bench_nftables BPF-OBJECT [flows] [rounds]`, as root.
#include "control/compile/compile.hpp"
#include "dataplane/pipeline/burst.hpp"
#include "dataplane/policy/verify.hpp"
#include "tests/bench/nftables_rival.hpp"
#include "tests/bench/pages.hpp"
#include "tests/bench/rounds.hpp"

#include <fmt/format.h>
#include <sched.h>
#include <sys/wait.h>

#include <csignal>

using namespace weir;

namespace {

constexpr HashKey secret{{0x243f'6a88'85a3'08d3, 0x1319'8a2e'0370'7344, 0xa409'3822'299f'31d0, 0x082e'fa98'ec4e'6c89}};
constexpr Tick start = 1'700'000'000 * tick_second;
constexpr u32 rules_count = 1000;
constexpr u32 first_prefix = 24;  // of 64 addresses: tcp_frames.h

// One allow for everything, or one for each prefix of 64 targets.
control::Model policy_of(u32 rules) {
  control::Model model;
  model.name = "bench";
  model.files = {"bench.toml"};
  model.line_starts = {{0}};
  const auto add = [&](std::string name, u32 first, u32 last) {
    control::Segment segment;
    segment.name = std::move(name);
    segment.has_addresses = true;
    segment.addresses.ipv4 = {{first, last}};
    model.segments.push_back(segment);
  };
  add("clients", 0x0a000000, 0x0a00ffff);
  for (u32 rule = 0; rule < rules; ++rule) {
    const u32 prefix = 0x0a010000 + (first_prefix + rule) * 64;
    rules == 1 ? add("servers", 0x0a010000, 0x0a01ffff) : add(fmt::format("servers-{:04}", rule), prefix, prefix + 63);
    control::Statement allow;
    allow.name = fmt::format("web-{:04}", rule);
    allow.from = {0}, allow.to = {rule + 1};
    allow.services.tcp = {{80, 80}};
    model.statements.push_back(allow);
  }
  return model;
}

// The same for nft: established first, as every guide says, then rule by rule.
std::string ruleset_of(u32 rules) {
  std::string text =
      "table ip weir { chain forward { type filter hook forward priority 0; policy drop;\n"
      "ct state established,related accept\nct state invalid drop\n";
  for (u32 rule = 0; rule < rules; ++rule) {
    const u32 low = (first_prefix + rule) * 64;
    const std::string target = rules == 1 ? "10.1.0.0/16" : fmt::format("10.1.{}.{}/26", low >> 8, low & 255);
    text += fmt::format("ip saddr 10.0.0.0/16 ip daddr {} tcp dport 80 accept\n", target);
  }
  return text + "}\n}\n";
}

// The engine as a contender: frames written into a small ring of hot buffers, as a device would.
class Engine {
 public:
  Engine(u32 flows, u32 rules)
      : room_(flows + flows / 4),
        reserve_(FlowTable::bytes_needed(room_)),
        memory_(FlowTable::bytes_needed(room_), reserve_.enough()),
        table_(memory_.span(), room_),
        pipeline_(std::make_unique<Pipeline>(PipelineConfig{.secret = secret}, table_, *counters_)) {
    const auto compiled = control::compile(policy_of(rules), 1);
    if (!compiled || compiled->image.size() > image_.span().size()) std::exit(1);
    std::copy(compiled->image.begin(), compiled->image.end(), image_.span().begin());
    const std::string_view names[] = {"inside", "outside"};
    const auto policy = verify(image_.span().first(compiled->image.size()));
    if (!policy) std::exit(1);
    policy_ = std::make_unique<InstalledPolicy>(bind_ports(*policy, names));
  }

  // Makes the frames and looks at none.
  void send_nowhere(weir_order& order, u32 count) {
    for (u32 sent = 0; sent < count; ++sent) write_next(order, weir_ack);
  }
  // As NftablesRival::send: how many are forwarded.
  u64 send(weir_order& order, weir_phase phase, u32 count) {
    const u64 before = forwarded_;
    Packet burst[burst_packets_max];
    for (u32 sent = 0; sent < count; sent += burst_packets_max) {
      const u32 packets = std::min<u32>(count - sent, burst_packets_max);
      now_ += tick_second >> 18;  // about 4 us
      for (u32 i = 0; i < packets; ++i) {
        burst[i] = {write_next(order, phase), weir_frame_bytes, static_cast<u16>(phase == weir_syn_ack), now_, i, {}};
      }
      take(pipeline_->process({burst, packets}, policy_.get(), outcomes_, {}).outcomes);
    }
    while (!pipeline_->idle()) take(pipeline_->drain(policy_.get(), outcomes_));
    return forwarded_ - before;
  }
  void forget_flows() { pipeline_->flush(); }
  u32 flows() const { return table_.live(); }
  bool has_huge_pages() const { return reserve_.enough(); }

 private:
  static constexpr u32 buffers = 128;  // more than are inside the pipeline at once

  std::byte* write_next(weir_order& order, weir_phase phase) {
    std::byte* frame = &frames_[buffer_++ % buffers * weir_frame_bytes];
    weir_write_frame(reinterpret_cast<unsigned char*>(frame), weir_next_flow(&order), phase);
    return frame;
  }
  void take(u32 outcomes) {
    for (u32 i = 0; i < outcomes; ++i) forwarded_ += outcomes_[i].verdict == Verdict::forward;
  }

  u32 room_;
  bench::PageReserve reserve_;
  bench::Pages memory_;
  FlowTable table_;
  std::unique_ptr<WorkerCounters> counters_ = std::make_unique<WorkerCounters>();
  std::unique_ptr<Pipeline> pipeline_;
  bench::Pages image_{16 << 20, false};
  std::unique_ptr<InstalledPolicy> policy_;
  std::vector<std::byte> frames_ = std::vector<std::byte>(buffers * weir_frame_bytes);
  Outcome outcomes_[outcomes_max];
  u32 buffer_ = 0;
  u64 forwarded_ = 0;
  Tick now_ = start;
};

// Contenders that send `packets` a round, and what each round must forward.
struct Case {
  const char* label;
  const char* goal;
  u32 flows;         // of the order
  bool is_random;    // over flows that are open; else each round opens them anew
  weir_phase phase;
  u32 packets;
  u32 forwarded;     // of them
};

template <class Contender>
double round_ns(Contender& contender, const Case& work, weir_order& order) {
  if (!work.is_random) contender.forget_flows();
  u64 forwarded = 0;
  const double ns = bench::timed_ns([&] { forwarded = contender.send(order, work.phase, work.packets); });
  if (forwarded == work.forwarded) return ns / work.packets;
  std::fprintf(stderr, "%s: %llu of %u packets forwarded\n", work.label, static_cast<unsigned long long>(forwarded),
               work.forwarded);
  std::exit(1);
}

void measure(const Case& work, bench::NftablesRival& kernel, Engine& engine, u32 rounds) {
  weir_order orders[2] = {{1, work.flows, 0, work.is_random}, {1, work.flows, 0, work.is_random}};
  std::printf("\n%s, %u flows, %u packets a round\n", work.label, work.flows, work.packets);
  const bench::Rounds measured({{"nftables", [&] { return round_ns(kernel, work, orders[0]); }},
                                {"weir, whole pipeline", [&] { return round_ns(engine, work, orders[1]); }}},
                               rounds);
  measured.print_costs();
  measured.print_ratio("P9 nftables / weir", 0, 1, work.goal);
}

template <class Contender>
void open_flows(Contender& contender, u32 flows) {
  contender.forget_flows();
  for (const weir_phase phase : {weir_syn, weir_syn_ack, weir_ack}) {
    weir_order order{1, flows, 0, 0};
    if (contender.send(order, phase, flows) != flows || contender.flows() != flows) {
      std::fprintf(stderr, "phase %d: %u of %u flows are open\n", static_cast<int>(phase), contender.flows(), flows);
      std::exit(1);
    }
  }
}

// What of the costs is frames alone, and what of the kernel's is neither nftables nor conntrack.
void print_frames(bench::NftablesRival& kernel, Engine& engine, u32 flows, u32 packets) {
  weir_order order{1, flows, 0, 1};
  double made = 1e9, nowhere = 1e9, forwarded = 1e9;
  for (u32 round = 0; round < 5; ++round) {
    made = std::min(made, bench::timed_ns([&] { engine.send_nowhere(order, packets); }) / packets);
    nowhere = std::min(nowhere, bench::timed_ns([&] { kernel.send_nowhere(order, packets); }) / packets);
    forwarded = std::min(forwarded, bench::timed_ns([&] { kernel.send(order, weir_ack, packets); }) / packets);
  }
  std::printf(
      "frames made for weir %.1f ns; for the kernel injected and dropped %.1f ns, and without nftables routed and "
      "forwarded %.1f ns\n",
      made, nowhere, forwarded);
}

int run(const char* program, u32 flows, u32 rounds) {
  cpu_set_t one;
  CPU_ZERO(&one);
  CPU_SET(static_cast<unsigned>(sched_getcpu()), &one);
  sched_setaffinity(0, sizeof one, &one);
  bench::NftablesRival kernel(program);
  constexpr u32 packets = 1 << 18;
  static Engine engine(std::max(flows, packets), 1);  // static: exit() gives its pages back too
  std::printf("weir's flow table on %s pages\n", engine.has_huge_pages() ? "2 MiB" : "4 KiB");
  print_frames(kernel, engine, flows, packets);
  kernel.install(ruleset_of(1));
  open_flows(kernel, flows);
  open_flows(engine, flows);
  measure({"established", "gate 15, aim 30", flows, true, weir_ack, 1 << 20, 1 << 20}, kernel, engine, rounds);
  measure({"new connections", "gate 8, aim 20", packets, false, weir_syn, packets, packets}, kernel, engine, rounds);

  static Engine many(packets, rules_count);
  constexpr u32 few = 1 << 16;
  kernel.install(ruleset_of(rules_count));
  measure({"new connections, 1000 rules, any of them", "gate 50, aim 200", few, false, weir_syn, few, few}, kernel,
          many, rounds);
  measure({"refused, 1000 rules", "", few, false, weir_refused, few, 0}, kernel, many, rounds);
  return 0;
}

}  // namespace

int main(int count, char** words) {
  const u32 flows = count > 2 ? static_cast<u32>(std::atol(words[2])) : 1 << 20;
  const u32 rounds = count > 3 ? static_cast<u32>(std::atol(words[3])) : 7;
  if (count < 2 || geteuid() != 0) {
    std::puts("skipped: bench_nftables BPF-OBJECT [flows] [rounds] needs root: a network namespace, nft, BPF");
    return count < 2 ? 2 : 77;
  }
  std::signal(SIGINT, SIG_IGN);  // the child ends by it, and what was raised is put back
  const bench::ConntrackRoom room(flows);
  std::fflush(stdout);
  const pid_t child = fork();
  if (child == 0) {
    std::signal(SIGINT, SIG_DFL);
    std::exit(run(words[1], flows, rounds));
  }
  int status = 1;
  waitpid(child, &status, 0);
  return WIFEXITED(status) ? WEXITSTATUS(status) : 1;
}
