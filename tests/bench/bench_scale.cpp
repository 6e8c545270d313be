// One table of 32 million flows: what it takes to create, look up and forget them, beside tables of one and of eight
// million (P2, P14), and how long single bursts take with ageing and without. `bench_scale [million flows] [million
// bursts]`; the result is 1 where memory exceeds 96 bytes per flow or P14 its gate. As root it borrows 2 MiB pages.
#include "tests/bench/lookups.hpp"
#include "tests/bench/pages.hpp"
#include "tests/bench/rounds.hpp"

#include <bit>
#include <memory>
#include <random>
#include <vector>

using namespace weir;
using namespace weir::bench;

namespace {

constexpr u32 million = 1'000'000;
constexpr HashKey secret{{0x9ae16a3b2f90404f, 0xc3a5c85c97cb3127, 0xb492b66fbe98f273, 0x9ddfea08eb382d69}};
constexpr double p14_gate = 1.3;
constexpr double bytes_gate = 96;
// As the pipeline does it: for every 256 packets at once.
constexpr u32 bursts_per_ageing = 256 / burst, deadlines_per_ageing = 128;

u64 scattered(u64 number) {
  u64 bits = (number + 1) * 0x9e37'79b9'7f4a'7c15;
  bits = (bits ^ bits >> 30) * 0xbf58'476d'1ce4'e5b9;
  bits = (bits ^ bits >> 27) * 0x94d0'49bb'1331'11eb;
  return bits ^ bits >> 31;
}

// What a packet of the number-th flow, IPv4 TCP from 10.0.0.0/8 to one of 512 servers, brings to the table.
struct ScaleLookup {
  u64 bits;
  u64 hash;
  FlowKey key() const {
    bool swapped;
    return make_key(Address::ipv4(swap(0x0a00'0000 | static_cast<u32>(bits & 0xff'ffff))), static_cast<u16>(bits >> 24),
                    Address::ipv4(swap(0x0b00'0000 | static_cast<u32>(bits >> 40 & 511))),
                    swap(static_cast<u16>(443 + (bits >> 49))), FlowKey::scope_of(FlowClass::tcp, 0, 0, 0), swapped);
  }
};
ScaleLookup lookup_of(u32 number) {
  ScaleLookup lookup{scattered(number), 0};
  lookup.hash = hash_of(lookup.key(), secret);
  return lookup;
}

[[noreturn]] void give_up(const char* why) {
  std::fprintf(stderr, "bench_scale: %s\n", why);
  std::exit(1);
}

struct Scale {
  u32 flows;
  Pages memory;
  FlowTable table;
  Pages sample{std::size_t{million} * sizeof(ScaleLookup), false};
  std::mt19937_64 random{5};

  Scale(u32 flows_in, bool huge)
      : flows(flows_in), memory(FlowTable::bytes_needed(flows), huge), table(memory.span(), flows) {}

  u32 any() { return static_cast<u32>(u64{static_cast<u32>(random())} * flows >> 32); }
  double create_ns() {
    u32 refused = 0;
    const double ns = timed_ns([&] {
      for (u32 i = 0; i < flows; ++i) {
        const ScaleLookup lookup = lookup_of(i);
        refused += table.insert(lookup.key(), lookup.hash, 1 << 14) == no_flow;
      }
    });
    if (refused != 0) give_up("a flow does not fit");
    return ns / flows;
  }
  // A million of the flows at random, anew each round.
  double look_up_ns() {
    ScaleLookup* lookups = sample.as<ScaleLookup>();
    for (u32 i = 0; i < million; ++i) lookups[i] = lookup_of(any());
    u32 lost = 0;
    const double ns = timed_ns([&] {
      look_up(table, lookups, million / burst, [&](u32 flow) {
        if (flow == no_flow) ++lost;
        else ++table.record(flow).end[0];
      });
    });
    if (lost != 0) give_up("a flow was not found");
    return ns / million;
  }
};

// Times of something short, told apart to a 64th of themselves.
class Stretches {
 public:
  template <class Work>
  void measure(Work&& work) {
    const u64 began = now_ns();
    work();
    const u64 ns = now_ns() - began;
    ++counts_[bin_of(ns)];
    ++count_;
    longest_ = std::max(longest_, ns);
  }
  void print(const char* what) const {
    std::printf("  %-46s %9.2f us %9.2f us %9.2f us %9.2f us %8llu\n", what, at(0.5), at(0.9999), at(0.999999),
                static_cast<double>(longest_) / 1000, static_cast<unsigned long long>(above_100us()));
  }

 private:
  static std::size_t bin_of(u64 ns) {
    if (ns < 64) return ns;
    const u32 shift = static_cast<u32>(std::bit_width(ns)) - 7;
    return shift * 64 + (ns >> shift);
  }
  static u64 end_of(std::size_t bin) { return bin < 128 ? bin + 1 : (bin % 64 + 65) << (bin / 64 - 1); }
  static u64 now_ns() {
    timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return static_cast<u64>(now.tv_sec) * 1'000'000'000 + static_cast<u64>(now.tv_nsec);
  }
  double at(double share) const {
    const u64 below = static_cast<u64>(share * static_cast<double>(count_));
    u64 sum = 0;
    for (std::size_t i = 0; i < counts_.size(); ++i)
      if ((sum += counts_[i]) > below) return static_cast<double>(end_of(i)) / 1000;
    return static_cast<double>(longest_) / 1000;
  }
  u64 above_100us() const {
    u64 sum = 0;
    for (std::size_t i = bin_of(100'000); i < counts_.size(); ++i) sum += counts_[i];
    return sum;
  }

  std::vector<u64> counts_ = std::vector<u64>(64 * 60);
  u64 count_ = 0, longest_ = 0;
};

// Packets of random flows, which renew their deadlines; one that comes too late finds its flow forgotten and opens it
// anew. A flow may be idle for two to six times as long as its packets are apart, so that a few in a hundred expire.
// Bursts with ageing, bursts without, and plain computing for about as long take turns by the thousand: the last shows
// what the machine itself does to a burst.
class Bursts {
 public:
  enum { with_ageing, without_ageing, computing, kinds_count };
  Stretches times[kinds_count];
  u64 aged = 0, opened = 0;

  explicit Bursts(Scale& scale)
      : scale_(scale), lookups_(std::size_t{turn_bursts} * burst * sizeof(ScaleLookup), false) {
    for (u32 flow = 0; flow < scale.table.used(); ++flow) scale.table.set_deadline(flow, deadline(flow));
  }
  void take_turns(u64 bursts) {
    for (u64 done = 0; done < bursts; done += turn_bursts) {
      for (bool ageing : {true, false}) {
        prepare();
        for (u32 k = 0; k < turn_bursts; ++k)
          times[ageing ? with_ageing : without_ageing].measure([&] { one_burst(k, ageing); });
      }
      for (u32 k = 0; k < turn_bursts; ++k) times[computing].measure([&] { compute(); });
    }
  }
  // All flows have been idle for too long: every deadline that is looked at has passed.
  void forget_all(Stretches& calls) {
    const Beat later = static_cast<Beat>(now() + 100);
    while (scale_.table.live() != 0)
      calls.measure([&] { aged += scale_.table.age(later, deadlines_per_ageing, secret); });
  }
  u64 sink() const { return sink_; }

 private:
  static constexpr u32 turn_bursts = 4096;

  Beat now() const { return static_cast<Beat>(bursts_ / std::max(scale_.flows / burst / 4, 1u)); }
  Beat deadline(u64 spread) const { return static_cast<Beat>(now() + 8 + (spread & 15)); }

  void prepare() {
    ScaleLookup* lookups = lookups_.as<ScaleLookup>();
    for (u32 i = 0; i < turn_bursts * burst; ++i) lookups[i] = lookup_of(scale_.any());
  }
  // The first step for burst k, the second for k-1, the third for k-2.
  void one_burst(u32 k, bool ageing) {
    FlowTable& table = scale_.table;
    const ScaleLookup* lookups = lookups_.as<ScaleLookup>() + std::size_t{k} * burst;
    ++bursts_;
    for (u32 i = 0; i < burst; ++i) table.prefetch_bucket(lookups[i].hash);
    for (u32 i = 0; k >= 1 && i < burst; ++i) guesses_[(k - 1) & 1][i] = table.guess((lookups - burst)[i].hash);
    for (u32 i = 0; k >= 2 && i < burst; ++i) packet((lookups - 2 * burst)[i], guesses_[k & 1][i]);
    if (ageing && k % bursts_per_ageing == 0) aged += table.age(now(), deadlines_per_ageing, secret);
  }
  void packet(const ScaleLookup& lookup, u32 guess) {
    FlowTable& table = scale_.table;
    const FlowKey key = lookup.key();
    const u32 flow = table.find(key, lookup.hash, guess);
    if (flow != no_flow) {
      if (!table.expired(flow, now())) return table.set_deadline(flow, deadline(lookup.bits));
      table.erase(flow, lookup.hash);
    }
    if (table.insert(key, lookup.hash, deadline(lookup.bits)) == no_flow) give_up("a flow does not fit");
    ++opened;
  }
  void compute() {
    for (u32 i = 0; i < 400; ++i) sink_ = scattered(sink_);
  }

  Scale& scale_;
  Pages lookups_;
  u32 guesses_[2][burst];
  u64 bursts_ = 0, sink_ = 1;
};

bool compare_sizes(Scale (&scales)[3], u32 rounds) {
  const Rounds measured({{"1 M flows", [&] { return scales[0].look_up_ns(); }},
                         {"8 M flows", [&] { return scales[1].look_up_ns(); }},
                         {std::to_string(scales[2].flows >> 20) + " M flows", [&] { return scales[2].look_up_ns(); }}},
                        rounds);
  std::printf("lookup and record write, a million at random\n");
  measured.print_costs();
  measured.print_ratio("P2 at 8 M / at 1 M", 1, 0, "gate <= 1.4, aim <= 1.2");
  measured.print_ratio("P14 the largest / at 8 M", 2, 1, "gate <= 1.3");
  return measured.ratio(2, 1).median <= p14_gate;
}

void show_bursts(Scale& scale, u64 count) {
  Bursts bursts(scale);
  bursts.take_turns(count);
  const u64 aged = bursts.aged;
  std::printf("bursts of %u packets, %llu of each kind; ageing looks at %u deadlines for every %u packets\n", burst,
              static_cast<unsigned long long>(count), deadlines_per_ageing, burst * bursts_per_ageing);
  std::printf("  %-46s %12s %12s %12s %12s %8s\n", "", "median", "99.99 %", "99.9999 %", "slowest", ">100 us");
  bursts.times[Bursts::with_ageing].print("with ageing");
  bursts.times[Bursts::without_ageing].print("without");
  bursts.times[Bursts::computing].print("computing for about as long, no table");
  std::printf("  flows that ageing forgot: %llu; that a packet opened anew: %llu (check %llx)\n",
              static_cast<unsigned long long>(aged), static_cast<unsigned long long>(bursts.opened),
              static_cast<unsigned long long>(bursts.sink()));
  const u32 live = scale.table.live();
  Stretches calls;
  const double ns = timed_ns([&] { bursts.forget_all(calls); });
  std::printf("all %u flows have expired: %.1f ns per flow\n", live, ns / live);
  calls.print("a call of 128 deadlines, all passed");
}

}  // namespace

int main(int count, char** words) {
  const u32 millions = std::max(count > 1 ? static_cast<u32>(std::atol(words[1])) : 32u, 8u);
  const u64 bursts = count > 2 ? static_cast<u64>(std::atof(words[2]) * million) : 10 * million;
  std::setvbuf(stdout, nullptr, _IOLBF, 0);
  const u32 flows = millions << 20;
  const std::size_t bytes = FlowTable::bytes_needed(flows);
  static const PageReserve reserve(bytes + FlowTable::bytes_needed(9u << 20) + (8 << 20));
  const bool huge = reserve.enough();
  Scale scales[] = {{1u << 20, huge}, {8u << 20, huge}, {flows, huge}};
  const double per_flow = static_cast<double>(bytes) / flows;
  std::printf("%u flows in %.2f GiB, %.2f bytes per flow all told, on %s pages\n", flows,
              static_cast<double>(bytes) / (u64{1} << 30), per_flow, huge ? "2 MiB" : "4 KiB");
  for (Scale& scale : scales) std::printf("  creating %9u flows: %.1f ns each\n", scale.flows, scale.create_ns());
  const bool flat = compare_sizes(scales, 9);
  show_bursts(scales[2], bursts);
  const bool holds = flat && per_flow <= bytes_gate;
  std::printf("%s\n", holds ? "holds: memory and P14 are within their gates" : "does not hold");
  return holds ? 0 : 1;
}
