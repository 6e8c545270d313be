// P10 and P13: two workers on two cores against each of them alone, and one worker's rate while policies flip against
// its rate before. Each worker is a thread with a core, a table and a pipeline of its own, as in the dataplane; frames
// are made, not received. `bench_workers [flows of a worker] [rounds]`. It needs two cores, with nothing else on them.
#include "control/compile/compile.hpp"
#include "dataplane/pipeline/slot.hpp"
#include "dataplane/policy/verify.hpp"
#include "tests/bench/frame_source.hpp"
#include "tests/bench/pages.hpp"
#include "tests/bench/rounds.hpp"

#include <pthread.h>

#include <atomic>
#include <chrono>
#include <memory>
#include <thread>

using namespace weir;
using bench::FrameSource;

namespace {

constexpr HashKey secret{{0x243f'6a88'85a3'08d3, 0x1319'8a2e'0370'7344, 0xa409'3822'299f'31d0, 0x082e'fa98'ec4e'6c89}};
constexpr auto turn = std::chrono::milliseconds(500);

// The frames of FrameSource may pass; the generation tells two such policies apart.
class BenchPolicy {
 public:
  explicit BenchPolicy(u64 generation) {
    const auto compiled = control::compile(bench::model_of_frames(), generation);
    if (!compiled || compiled->image.size() > memory_.span().size()) std::exit(1);
    std::memcpy(memory_.span().data(), compiled->image.data(), compiled->image.size());
    const std::string_view names[] = {"inside", "outside"};
    installed_ = std::make_unique<InstalledPolicy>(
        bind_ports(verify(memory_.span().first(compiled->image.size())).value(), names));
  }
  const InstalledPolicy* get() const { return installed_.get(); }

 private:
  bench::Pages memory_{2 << 20, false};
  std::unique_ptr<InstalledPolicy> installed_;
};

class Worker {
 public:
  Worker(u32 index, u32 flows, PolicySlot& slot) : index_(index), flows_(flows), slot_(slot) {
    open();
    thread_ = std::thread([this] { run(); });
    cpu_set_t one;
    CPU_ZERO(&one);
    CPU_SET(index, &one);
    pthread_setaffinity_np(thread_.native_handle(), sizeof one, &one);
  }
  ~Worker() {
    ends_ = true;
    thread_.join();
  }
  void go(bool on) { on_ = on; }
  // Packets decided so far, of established flows alone.
  u64 decided() const {
    return counters_.reasons[static_cast<u8>(Reason::flow_established)].packets.read();
  }
  u64 judged_again() const { return counters_.flows_judged_again.read(); }
  u64 refused() const {
    u64 sum = 0;
    for (u32 reason = 0; reason < reasons_count; ++reason)
      if (row(static_cast<Reason>(reason)).verdict == Verdict::drop) sum += counters_.reasons[reason].packets.read();
    return sum;
  }

 private:
  void open() {
    while (table_.live() < flows_) pipeline_->process(source_.next(0x02, true), slot_.current(), outcomes_, {});
    while (!pipeline_->idle()) pipeline_->drain(slot_.current(), outcomes_);
    bench::establish(table_);
  }

  void run() {
    const auto began = std::chrono::steady_clock::now();
    while (!ends_) {
      const InstalledPolicy* const policy = slot_.current();
      source_.now = FrameSource::start + static_cast<Tick>(std::chrono::duration_cast<std::chrono::microseconds>(
                                             std::chrono::steady_clock::now() - began).count());
      if (on_) pipeline_->process(source_.next(0x10, false), policy, outcomes_, {});
      else if (!pipeline_->idle()) pipeline_->drain(policy, outcomes_);
      else std::this_thread::sleep_for(std::chrono::milliseconds(1));
      slot_.announce(index_, policy);
    }
  }

  const u32 index_, flows_;
  PolicySlot& slot_;
  FrameSource source_{flows_, false};
  bench::PageReserve reserve_{FlowTable::bytes_needed(flows_ + flows_ / 4)};
  bench::Pages memory_{FlowTable::bytes_needed(flows_ + flows_ / 4), reserve_.enough()};
  FlowTable table_{memory_.span(), flows_ + flows_ / 4};
  WorkerCounters counters_;
  std::unique_ptr<Pipeline> pipeline_ =
      std::make_unique<Pipeline>(PipelineConfig{.secret = secret}, table_, counters_);
  Outcome outcomes_[outcomes_max];
  std::atomic<bool> on_{false}, ends_{false};
  std::thread thread_;
};

// Packets a second of those that go, together.
double rate_of(std::span<Worker* const> going, const std::function<void()>& meanwhile) {
  for (Worker* one : going) one->go(true);
  std::this_thread::sleep_for(std::chrono::milliseconds(50));
  u64 before = 0, after = 0;
  const auto began = std::chrono::steady_clock::now();
  for (Worker* one : going) before += one->decided();
  meanwhile();
  for (Worker* one : going) after += one->decided();
  const std::chrono::duration<double> took = std::chrono::steady_clock::now() - began;
  for (Worker* one : going) one->go(false);
  std::this_thread::sleep_for(std::chrono::milliseconds(20));
  return static_cast<double>(after - before) / took.count();
}

void print(const char* label, std::vector<double> values, const char* goal) {
  const bench::Spread spread = bench::spread_of(std::move(values));
  std::printf("  %-64s %8.3f  (%.3f .. %.3f)  %s\n", label, spread.median, spread.least, spread.most, goal);
}

}  // namespace

int main(int count, char** words) {
  const u32 flows = count > 1 ? static_cast<u32>(std::atol(words[1])) : 1 << 19;
  const u32 rounds = std::max(count > 2 ? static_cast<u32>(std::atol(words[2])) : 11u, 7u);
  const BenchPolicy policies[] = {BenchPolicy(1), BenchPolicy(2)};
  PolicySlot slot;
  slot.flip(policies[0].get());
  Worker first(0, flows, slot), second(1, flows, slot);
  Worker* const both[] = {&first, &second};
  const auto wait = [] { std::this_thread::sleep_for(turn); };
  u32 flips = 0;
  const auto flip_each = [&](u32 ms) {
    return [&flips, &slot, &policies, ms] {
      for (u32 left = 1000; left > 0; left -= ms) {
        slot.flip(policies[++flips % 2].get());
        std::this_thread::sleep_for(std::chrono::milliseconds(ms));
      }
    };
  };
  std::printf("%u flows of each worker\n", flows);
  std::vector<double> scaling, one_flip, ten_flips, rates;
  for (u32 round = 0; round < rounds; ++round) {
    const double alone = rate_of({both, 1}, wait), other = rate_of({both + 1, 1}, wait);
    scaling.push_back(2 * rate_of(both, wait) / (alone + other));
    const double before = rate_of({both + 1, 1}, wait);
    one_flip.push_back(rate_of({both + 1, 1}, flip_each(1000)) / before);
    ten_flips.push_back(rate_of({both + 1, 1}, flip_each(100)) / before);
    rates.push_back(before / 1e6);
  }
  print("one worker, million established packets a second", rates, "");
  print("P10 two workers / one", scaling, "gate 1.8, aim 1.9");
  print("P13 rate in the second after a flip / before", one_flip, "gate 0.9, aim 0.98");
  print("P13 rate with ten flips a second / before", ten_flips, "figure");
  std::printf("  %u flips, %llu flows judged again, %llu packets refused\n", flips,
              static_cast<unsigned long long>(second.judged_again()),
              static_cast<unsigned long long>(first.refused() + second.refused()));
  return first.refused() + second.refused() == 0 ? 0 : 1;
}
