// A worker on live ports: receive, judge, send or free, on one lcore, to completion. What belongs to another worker
// goes to it over a bounded ring; what does not fit there is a named drop. No packet costs a lock, or a system call but
// one that wakes a worker which sleeps.
//
// Threads: run() is the worker's; the rings between two workers are the only things shared, one thread at each end.
#pragma once
#include "dataplane/edge/clock.hpp"
#include "dataplane/edge/core.hpp"
#include "dataplane/edge/frame.hpp"
#include "dataplane/edge/nap.hpp"
#include "dataplane/edge/transmit.hpp"
#include "dataplane/share/ring.hpp"

#include <array>
#include <atomic>
#include <bit>
#include <memory>
#include <vector>

namespace weir::edge {

// The rings of all ordered pairs of workers.
class Handover {
 public:
  explicit Handover(u32 workers);
  Ring<rte_mbuf*>& ring(u32 from, u32 to) { return *rings_[from * workers_ + to]; }
  u32 workers() const { return workers_; }

  // Before any worker runs: to be woken when something is put into its rings.
  void wakes(u32 worker, Nap& nap) { naps_[worker] = &nap; }
  // Something was put into rings of these workers, a bit each.
  void wake(u32 workers) {
    for (u32 left = workers; left != 0; left &= left - 1)
      if (Nap* const nap = naps_[static_cast<u32>(std::countr_zero(left))]; nap != nullptr) nap->wake();
  }

  static constexpr u32 frames_per_ring = 1024;

  // Of a clean stop: workers that receive no more; and of them those that have judged what came from such, and so hand
  // nothing over any more.
  std::atomic<u32> quiet{0}, done{0};

 private:
  u32 workers_;
  std::vector<rte_mbuf*> slots_;
  std::vector<std::unique_ptr<Ring<rte_mbuf*>>> rings_;
  std::array<Nap*, workers_max> naps_{};
};

class Worker {
 public:
  // Frames that one may have inside: what the pipeline overlaps, a burst more, and what the engine holds.
  static constexpr u32 frames_max = 4 * burst_packets_max + held_frames_max;
  // All workers together, with what usually lies between them.
  static u32 frames_inside(u32 workers) {
    return workers * (frames_max + Transmit::gathered_max + workers * 2 * burst_packets_max);
  }

  Worker(Core& core, const Ports& ports, Handover& handover, FrameRoom frames, const LiveClock& clock);

  // Before it runs: it sleeps so when nothing comes.
  void may_sleep(std::unique_ptr<Nap> nap) { nap_ = std::move(nap); }

  // Until `stop`; then what is inside and what others hand over is still judged and sent.
  void run(const std::atomic<bool>& stop);
  // After run(): when it looked for frames for the last time.
  Tick last_look() const { return last_look_; }

 private:
  u32 round(bool receiving);
  bool nap(const std::atomic<bool>& stop);
  u32 receive(const Port& port);
  u32 receive_burst(const Port& port);
  u32 take_handed(u32 from);
  void judge(std::span<rte_mbuf*> mbufs, bool at_once = false);
  void hand_over(std::span<const Misdirected> misdirected);
  void finish(std::span<const Outcome> outcomes);
  void release(u64 token);
  void settle(std::atomic<u32>& workers);

  Core& core_;
  const Ports& ports_;
  Handover& handover_;
  FrameRoom frames_;
  std::vector<u32> free_;  // tokens not in use
  u32 held_ = 0;
  Transmit transmit_;
  std::unique_ptr<Nap> nap_;  // null: it looks all the time
  LiveClock clock_;
  const InstalledPolicy* policy_ = nullptr;  // of this round
  Tick now_ = 0, last_look_ = 0;
  std::array<Outcome, outcomes_max> outcomes_;  // of one call of the pipeline
  std::array<Misdirected, misdirected_max> misdirected_;
};

}  // namespace weir::edge
