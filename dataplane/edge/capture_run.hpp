// The dataplane on capture files: one reader hands each frame, in order, to the worker that owns its flow; workers
// judge; one writer takes the outcomes in the order of the frames, writes their lines and sends what leaves. So order
// and flow numbers are those of one worker, whatever the number of workers, and everybody waits for the slowest.
//
//   reader ──order──▶ writer          a frame stands in `order` from the start, and counts as judged when its worker
//     └──work[w]──▶ worker w ──ended[w]──▶ writer      has said so; `ended` brings what was held to the end
//   reader ◀──free── writer
//
// A frame that had been held ends with the frame that ends it, which carries a chain of such; its second line stands
// before that frame's. A datagram that is whole at one worker and another one's goes there through the reader, which
// waits for every fragment until it has been judged, so that order is kept. Where the policy has budgets or limits,
// which all flows share, it waits for every frame, and each is judged alone.
//
// Threads: reader, writer and each worker own one end of each ring; a frame belongs to whom the rings say.
#pragma once
#include "dataplane/edge/capture_order.hpp"
#include "dataplane/edge/core.hpp"
#include "dataplane/edge/decisions.hpp"
#include "dataplane/edge/frame.hpp"
#include "dataplane/edge/transmit.hpp"
#include "dataplane/ledger/capture_accounts.hpp"
#include "dataplane/share/ring.hpp"

#include <atomic>
#include <memory>
#include <mutex>
#include <vector>

namespace weir::edge {

struct CaptureFrame {
  Frame frame;
  u64 index = 0;
  Tick time = 0;
  u32 token = 0;
  u32 worker = 0;
  Packet packet{};
  const InstalledPolicy* policy = nullptr;  // that judged
  Outcome outcome, ending;                  // ending: of a frame that was held before
  u32 ending_worker = 0;
  CaptureFrame* next = nullptr;             // in a chain of frames that end, or go to another worker, together
  CaptureFrame* ended = nullptr;            // had been held, and end before this one
  CaptureFrame* handed = nullptr;           // with this one, the last: to the worker `owner`
  u32 owner = 0;
  std::atomic<bool> is_judged{false}, is_handed{false};
};

// The accounts of a capture's budgets, and whose turn it is at them.
struct CaptureBudgets {
  ledger::CaptureAccounts accounts;
  std::mutex turn;
};

class CaptureRun {
 public:
  // How many frames may be inside at once.
  static u32 frames_inside(u32 workers);

  struct Config {
    u32 workers;
    HashKey secret;
    bool trust_checksums;
    const PolicySlot* slot;
    CaptureBudgets* budgets;
  };
  // `decisions` may be null.
  static std::expected<std::unique_ptr<CaptureRun>, Error> make(const Ports& ports, const Config& config,
                                                                Decisions* decisions, Counter& unsent);

  // Until the end of all files, or `stop`: then what has been read is still judged and written.
  void read(const std::atomic<bool>& stop);
  void judge(Core& core);
  void write();

  // Frames that the reader has given out, and those of them whose line is written: what has been judged by an older
  // policy is done with when written reaches what given_out was.
  u64 given_out() const { return given_out_.load(std::memory_order_acquire); }
  u64 written() const { return written_.load(std::memory_order_acquire); }
  bool failed() const { return failed_.load(std::memory_order_acquire); }  // a decision could not be written

 private:
  CaptureRun(const Ports& ports, const Config& config, Decisions* decisions, Counter& unsent, FrameRoom room);
  struct Judged {
    std::vector<Outcome> outcomes = std::vector<Outcome>(outcomes_max);
    std::vector<Misdirected> misdirected = std::vector<Misdirected>(misdirected_max);
  };

  void give_out(CaptureFrame& frame, const CapturedFrame& captured);
  void await_judgement(CaptureFrame& frame);
  BurstResult process(Core& core, std::span<const Packet> packets, const InstalledPolicy* policy, Tick now,
                      Judged& judged);
  void record(Core& core, std::span<const Outcome> outcomes, const InstalledPolicy* policy);
  void hand_over(std::span<const Misdirected> misdirected);
  void settle(CaptureFrame& frame);
  void write_line(const CaptureFrame& frame, u32 worker, const Outcome& outcome, const InstalledPolicy* judged);
  void leave(CaptureFrame& frame, const Outcome& outcome);
  rte_mbuf* straighten(rte_mbuf* chain, std::byte* room);
  void end_held();

  struct Queue {
    explicit Queue(u32 slots) : memory(slots), ring(memory) {}
    std::vector<CaptureFrame*> memory;
    Ring<CaptureFrame*> ring;
  };

  const Ports& ports_;
  const u32 workers_;
  const HashKey secret_;
  const bool trust_checksums_;
  const PolicySlot& slot_;
  CaptureBudgets& budgets_;
  Decisions* const decisions_;
  Counter& unsent_;
  Transmit transmit_;
  FrameRoom room_;
  std::vector<CaptureFrame> frames_;
  Queue free_, order_;
  std::vector<std::unique_ptr<Queue>> work_, ended_;
  std::atomic<bool> all_read_{false};
  std::atomic<u32> workers_done_{0};
  std::atomic<u64> given_out_{0}, written_{0};
  std::atomic<bool> failed_{false};
};

}  // namespace weir::edge
