// The keeper of accounts among workers that spend as fast as they are lent, while policies that raise and lower the
// budget are installed over and over: what the ledger says in the end is exactly what they spent, and never did an
// install fail. For ThreadSanitizer too. The frames are missing: a worker is its till, its line and its announcements.
// usage: keeper_threads IMAGE IMAGE LEDGER KEY
#include "dataplane/edge/keeper.hpp"
#include "dataplane/edge/memory.hpp"
#include "dataplane/pipeline/charging.hpp"
#include "dataplane/policy/verify.hpp"

#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <iterator>

using namespace weir;
using namespace weir::edge;

namespace {

constexpr u32 workers = 3, installs = 40;
constexpr u64 packet_bytes = 1000;

[[noreturn]] void fail(const std::string& why) {
  std::fprintf(stderr, "%s\n", why.c_str());
  std::exit(1);
}

Mapping read_image(const char* path) {
  std::ifstream file(path, std::ios::binary);
  const std::string text((std::istreambuf_iterator<char>(file)), {});
  auto memory = Mapping::anonymous(text.size());
  if (text.empty() || !memory) fail(std::string("cannot read ") + path);
  std::memcpy(memory->bytes().data(), text.data(), text.size());
  return std::move(*memory);
}

struct Installation {
  Mapping memory;
  std::optional<InstalledPolicy> policy;
  std::vector<AccountSeat> seats;
};

void install(Installation& next, Keeper& keeper, PolicySlot& slot, bool has_workers) {
  const auto policy = verify(next.memory.bytes());
  if (!policy) fail("not an image");
  const auto seats = keeper.prepare(*policy);
  if (!seats) fail(seats.error().sentence);
  const std::string_view names[] = {"inside", "outside"};
  next.seats.assign(seats->begin(), seats->end());
  if (next.seats.empty()) fail("the ledger is closed");
  next.policy.emplace(bind_ports(*policy, names)).seats = next.seats;
  slot.flip(&*next.policy);
  keeper.flipped(&*next.policy);
  while (has_workers && !slot.all_announced(workers, &*next.policy)) std::this_thread::yield();
}

struct Worker {
  u32 self;
  Mapping memory;
  std::unique_ptr<Till> till;
  u64 spent = 0;

  void run(Keeper& keeper, PolicySlot& slot, const std::atomic<bool>& stop) {
    using Microseconds = std::chrono::duration<Tick, std::micro>;
    const auto began = std::chrono::steady_clock::now();
    const Load load{packet_bytes, packet_bytes, 1};
    while (!stop.load(std::memory_order_relaxed)) {
      const InstalledPolicy* policy = slot.current();
      slot.announce(self, policy);
      Draw draw{};
      draw.purse = policy->seats[0].first;
      for (u32 packet = 0; packet < 32 && till->affords({&draw, 1}, load); ++packet) {
        till->spend({&draw, 1}, load);
        spent += packet_bytes;
      }
      const auto now = std::chrono::steady_clock::now() - began;
      keeper.line(self).talk(*till, std::chrono::duration_cast<Microseconds>(now).count());
      std::this_thread::sleep_for(std::chrono::microseconds(20));
    }
  }
};

u64 total_in(const ledger::Places& places) {
  const auto clocks = ledger::Clocks::of_this_boot();
  auto settings = ledger::settings_of(places);
  if (!clocks || !settings) fail("the ledger is gone");
  const auto opened = ledger::Ledger::open(std::move(*settings), clocks->read());
  if (!opened) fail(opened.error().sentence);
  u64 total = 0;
  for (const ledger::Book& book : opened->books().all()) total += book.statement == nullptr ? 0 : book.state.total;
  return total;
}

}  // namespace

int main(int count, char** words) {
  if (count != 5) return 2;
  const ledger::Places places{words[3], words[4], ""};
  Installation slots[2] = {{read_image(words[1]), {}, {}}, {read_image(words[2]), {}, {}}};
  PolicySlot slot;
  u64 spent = 0;
  {
    Keeper keeper({places, workers, {"inside", "outside"}}, slot, LiveClock(), OrdinaryCores::of_this_thread());
    install(slots[0], keeper, slot, false);
    std::vector<Worker> all;
    for (u32 self = 0; self < workers; ++self) {
      auto memory = Mapping::sparse(Till::bytes_needed());
      if (!memory) fail(memory.error().sentence);
      auto till = std::make_unique<Till>(memory->bytes());
      all.push_back({self, std::move(*memory), std::move(till)});
    }
    std::atomic<bool> stop{false};
    std::vector<std::thread> threads;
    for (Worker& worker : all) threads.emplace_back([&] { worker.run(keeper, slot, stop); });
    for (u32 i = 1; i <= installs; ++i) {
      install(slots[i % 2], keeper, slot, true);
      std::this_thread::sleep_for(std::chrono::milliseconds(20));
    }
    stop.store(true);
    for (std::thread& thread : threads) thread.join();
    for (Worker& worker : all) keeper.take_back(worker.self, *worker.till), spent += worker.spent;
  }
  const u64 total = total_in(places);
  std::printf("%u installs: %llu bytes spent, %llu in the ledger\n", installs, static_cast<unsigned long long>(spent),
              static_cast<unsigned long long>(total));
  return spent != 0 && spent == total ? 0 : 1;
}
