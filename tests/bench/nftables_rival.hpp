// The kernel's firewall as a contender: nftables and nf_conntrack in a network namespace of this process, fed by XDP
// live-frame injection (BPF_PROG_TEST_RUN) on the calling thread, which forwards each frame to a device where it is
// taken off and counted. Needs root. It measures nothing itself.
#pragma once
#include "tests/bench/tcp_frames.h"

#include <cstdint>
#include <memory>
#include <string>

namespace weir::bench {

// Room for `flows` in nf_conntrack, whose bounds are those of the machine: raised while this lives, then as they were.
// Make it in a process that outlives, and never leaves its namespace for, the one that measures.
class ConntrackRoom {
 public:
  explicit ConntrackRoom(std::uint32_t flows);
  ~ConntrackRoom();
  ConntrackRoom(const ConntrackRoom&) = delete;

 private:
  std::string flows_before_, buckets_before_;
};

class NftablesRival {
 public:
  // Enters a network namespace of its own for good; `program` is the object file of nftables_rival.bpf.c.
  explicit NftablesRival(const char* program);
  ~NftablesRival();

  // The ruleset in force, as `nft -f` takes it; everything before is gone, flows too.
  void install(const std::string& ruleset);
  void forget_flows();
  std::uint32_t flows() const;

  // Injects `count` packets of this phase of the order's next flows; returns how many came out on the other side.
  std::uint64_t send(weir_order& order, weir_phase phase, std::uint32_t count);
  // The same, with the frames written and dropped before the stack sees them.
  void send_nowhere(weir_order& order, std::uint32_t count);

 private:
  struct Program;
  std::unique_ptr<Program> program_;
};

}  // namespace weir::bench
