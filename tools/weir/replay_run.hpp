// Packets of a capture through the pipeline, one worker, in bursts: the same judgement as in the dataplane. It keeps
// frames until they are decided, numbers packets and flows, and hands each decision on in order; it writes no file.
//
// Threads: one. Memory: the flow table at its capacity, the frames inside the pipeline and those held.
#pragma once
#include "dataplane/ledger/capture_accounts.hpp"
#include "dataplane/pipeline/charging.hpp"
#include "dataplane/pipeline/dns_limits.hpp"
#include "dataplane/scan/installed_scan.hpp"
#include "dataplane/share/decision_line.hpp"
#include "tools/capture/merge.hpp"

#include <array>
#include <deque>
#include <functional>
#include <memory>
#include <vector>

namespace weir {

// One decision, as long as the call lasts.
struct Decided {
  u64 index;                          // of the packet, from 0
  Tick time;
  u16 port;                           // 0 inside, 1 outside: where it came in
  u32 original_bytes;                 // on the wire, with what a rewrite added; frame.size() is what the capture has
  std::span<const std::byte> frame;   // after a rewrite: as it leaves
  std::span<const std::byte> answer;  // leaves by `port`; empty where there is none
  const Outcome* outcome;
  u64 flow_number;                    // flows in order of their first packet, or no_flow_number
  bool was_held;                      // an earlier decision of this packet said hold
  Tick ended;                         // of the packet with which it ends: its own, unless it was held
};

// Connections whose first bytes are read at once: what an InstalledScan for a run must be made for.
inline constexpr u32 replay_reading = 1u << 12;

class ReplayRun {
 public:
  // `policy` (null: deny all) outlives the run. `flows` is the flow table's capacity. `checksum` is what to take for
  // the word of the ports on every packet. `accounts`: null where the policy has no budgets; they outlive the run.
  ReplayRun(const InstalledPolicy* policy, ledger::CaptureAccounts* accounts, u32 flows, Checksum checksum,
            std::function<void(const Decided&)> decided);

  void take(const capture::MergedPacket& packet);
  // Decides what is inside without waiting for more. What is held stays held.
  void settle();
  // Decides what is still inside. What is held then is dropped.
  void finish();

  // What was told, in order, where `policy` has a shadow; false when there is no more. Ask after each packet.
  bool take_event(Event& event) { return events_ != nullptr && events_->pop(event); }
  const WorkerCounters& counters() const { return counters_; }

  u64 packets() const { return packets_; }
  u64 flows() const { return flows_; }

 private:
  static constexpr std::size_t answer_bytes_max = 2048;
  static constexpr u32 growth_bytes_max = 128;  // that a rewrite may add to a frame
  struct Frame {
    std::vector<std::byte> bytes;  // with room for growth
    u32 captured_bytes;
    std::array<std::byte, answer_bytes_max> answer;
    u64 index;
    Tick time;
    u16 port;
    u32 original_bytes;
    bool held;
  };

  u64 free_frame();
  bool inspects() const { return policy_ != nullptr && policy_->policy.has_looks(); }
  bool charges() const { return policy_ != nullptr && policy_->has_charges; }
  PipelineConfig config_of();
  void begin_packet();
  void burst();
  void hand_on(std::span<const Outcome> outcomes);
  void hand_on(const Outcome& outcome, Tick ended);

  using Memory = std::unique_ptr<std::byte, void (*)(std::byte*)>;
  static constexpr u32 stages = 3;  // a burst is decided two calls after it went in

  const InstalledPolicy* policy_;
  ledger::CaptureAccounts* const accounts_;
  const Checksum checksum_;
  std::function<void(const Decided&)> decided_;
  Memory table_memory_, flood_memory_, rdma_memory_, dns_memory_, inspecting_memory_, cells_memory_, charging_memory_;
  FlowTable table_;
  Floods floods_;
  Rdma rdma_;
  DnsLimits dns_;
  std::unique_ptr<Reassembly> fragments_;
  LimitCells cells_;
  std::optional<Inspector> inspector_;  // where the policy inspects
  Quarantine quarantine_;
  std::optional<Charging> charging_;  // where there are budgets or limits
  WorkerCounters counters_;
  const std::unique_ptr<EventRing> events_;  // where there is a shadow
  Pipeline pipeline_;
  std::deque<Frame> frames_;       // by token; a deque keeps their places
  std::vector<u64> free_;          // tokens
  std::vector<Packet> waiting_;    // of the burst being filled
  std::deque<std::optional<Tick>> inside_;  // with budgets, whose bursts are of one packet: the times of those inside
  std::vector<u64> flow_numbers_;  // by record index
  std::vector<Outcome> outcomes_ = std::vector<Outcome>(outcomes_max);
  Tick latest_ = 0;                // of the packets that were not held
  u64 packets_ = 0, flows_ = 0;
};

}  // namespace weir
