// A small world around the desk: workers with real pipelines and purses, rings that hold news and gifts for a while,
// clocks of which one may lie, processes that end, and random policies one after another. It keeps a naive list of
// every packet that left and looks after each whether any budget in force was exceeded, by its own sums of what budgets
// say they cover. Some worlds make a mistake on purpose: they must be found out.
#pragma once
#include "control/compile/compile.hpp"
#include "dataplane/ledger/desk.hpp"
#include "dataplane/pipeline/charging.hpp"
#include "tests/property/image_memory.hpp"

#include <sys/mman.h>

#include <deque>
#include <random>
#include <set>

namespace weir::test {

enum class DeskMistake {
  none,
  hides_spent,       // a worker says that what it spent came back
  fast_clocks,       // both clocks run twice as fast
  forgets,           // each policy begins with a new ledger
  more_hosts,        // the desk is told of more hosts than there may be
  crossed_seats,     // one account's bytes are taken from another's purses
};
inline constexpr const char* desk_mistake_names[] = {"none",    "hides what was spent", "fast clocks",
                                                     "forgets", "more hosts",           "crossed seats"};

struct Exceeded {
  std::string what;
};

class ZeroPages {
 public:
  explicit ZeroPages(std::size_t bytes)
      : bytes_(bytes), at_(::mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0)) {
    if (at_ == MAP_FAILED) throw std::bad_alloc();
  }
  ~ZeroPages() { ::munmap(at_, bytes_); }
  ZeroPages(const ZeroPages&) = delete;
  std::span<std::byte> bytes() { return {static_cast<std::byte*>(at_), bytes_}; }

 private:
  std::size_t bytes_;
  void* at_;
};

struct DeskPolicy {
  control::Model model;
  std::optional<ImageMemory> image, image_for_desk;  // the latter with the mistake
  std::unique_ptr<InstalledPolicy> installed;
  std::optional<Policy> for_desk;
  std::vector<AccountSeat> seats;
  u64 number = 0;
};

class DeskWorker {
 public:
  DeskWorker(const InstalledPolicy* policy, LimitCells& cells);
  // Whether the frame left.
  bool send(const std::vector<u8>& frame, Tick now);

  const InstalledPolicy* policy;
  const DeskPolicy* stated = nullptr;
  std::deque<PurseGift> gifts;  // in its ring
  Charging& charging() { return charging_; }

 private:
  static constexpr u32 flows = 256;
  ZeroPages table_memory_, charging_memory_;
  FlowTable table_;
  WorkerCounters counters_{};
  Charging charging_;
  std::unique_ptr<Pipeline> pipeline_;
};

class DeskWorld {
 public:
  DeskWorld(u64 seed, DeskMistake mistake);
  void run(u32 steps);  // throws Exceeded
  u64 sent() const { return sent_; }
  u64 left() const { return left_total_; }
  u64 refused_hosts() const { return refused_hosts_; }
  u64 installs() const { return installs_; }
  u64 alerts() const { return alerts_; }

 private:
  struct Left {  // a packet
    Tick at;
    u32 source, port;
    u64 frame_bytes, payload_bytes;
    const DeskPolicy* policy;  // by which it left
  };
  struct News {
    u32 worker;
    PurseNews news;
  };

  u64 below(u64 bound) { return random_() % bound; }
  bool chance(u32 percent) { return below(100) < percent; }
  Tick now() const { return real_us_; }

  // desk_world_policies.cpp
  control::Budget random_budget();
  control::Model random_model();
  DeskPolicy& compiled(control::Model model);
  void change(control::Model& model);

  // desk_world.cpp
  void start(bool is_first);
  void install(DeskPolicy& next);
  void come_back(const std::vector<u32>& purses);
  void tell(u32 worker);
  void deliver(u32 worker);
  void keeper_round(bool lends);
  void pass(Tick us);
  void send();
  void check(const Left& packet) const;
  void check_sum(const Left& packet, const control::Budget& budget, u64 limit_parts, u32 host_or_none,
                 bool only_unreserved) const;
  bool covers(const control::Budget& budget, const Left& packet) const;
  bool has_reserve(const control::Budget& budget, const Left& packet) const;
  bool counted(const control::Budget& budget, const Left& packet) const;
  ledger::Reading reading() const;
  ledger::Settings settings();
  void give(u32 worker, const PurseGift& gift) { workers_[worker]->gifts.push_back(gift); }

  std::mt19937_64 random_;
  DeskMistake mistake_;
  std::map<std::string, ledger::Bytes> files_;
  std::optional<ledger::Ledger> ledger_;
  std::unique_ptr<ledger::Desk> desk_;
  std::vector<LimitCells::Cell> cells_memory_ = std::vector<LimitCells::Cell>(1024);
  LimitCells cells_{cells_memory_};
  std::vector<std::unique_ptr<DeskWorker>> workers_;
  std::deque<DeskPolicy> policies_;
  DeskPolicy* policy_ = nullptr;
  std::deque<News> news_;  // in the rings to the keeper
  std::deque<Left> left_;
  std::map<std::string, std::set<u32>> hosts_;  // that left under a budget by host, by budget and segment
  Tick real_us_ = 1'700'000'000'000'000;
  std::int64_t boottime_step_us_ = 0;
  bool opens_empty_, throttles_, counts_payload_;
  u64 sent_ = 0, left_total_ = 0, refused_hosts_ = 0, installs_ = 0, alerts_ = 0;
};

}  // namespace weir::test
