// The DPDK ports of this process: found by device name, set up as a bump in the wire (promiscuous, the MTU they have,
// no stripping), started and stopped. It receives and sends nothing.
//
// Threads: set up and torn down by main; workers only read.
#pragma once
#include "dataplane/edge/error.hpp"
#include "dataplane/edge/options.hpp"

#include <rte_mbuf.h>
#include <rte_spinlock.h>

#include <expected>
#include <memory>
#include <vector>

namespace weir::edge {

struct Port {
  u16 id;               // DPDK's
  u16 index;            // 2 * pair + side
  std::string device;   // DPDK's name
  std::string name;     // what `attach` calls it
  std::string interface;  // the kernel's, behind it; or empty
  std::string driver;   // DPDK's name of it
  u16 rx_queues;        // queue q is polled by worker q
  u16 tx_queues;        // as many as workers, else one that they take turns at
  u16 mtu;
  u32 frame_bytes;      // the longest frame that it hands over in one buffer
  bool file_backed;     // reads a capture and comes to its end
  bool kernel_backed;   // its frames come and go by system calls, at a microsecond each or more
  std::unique_ptr<rte_spinlock_t> turn;  // for a shared tx queue; null where each worker has its own
  // Once started:
  u32 ring_frames = 0;      // that a receive queue holds before frames are lost
  u32 megabits = 0;         // a second, of its link at its fastest
  bool interrupts = false;  // a frame that comes can wake who waits for it
};

// What the mbuf pool must hold besides what the ports' own rings take.
struct PortNeeds {
  u32 workers;
  u32 frames_inside;  // frames that workers may keep at once, all together
  bool interrupts = false;  // wanted, of ports that have them
};

class Ports {
 public:
  static std::expected<Ports, Error> open(const Options& options);
  Ports(Ports&&) = default;
  Ports& operator=(Ports&&) = delete;
  ~Ports();  // stops and closes what was started

  // Queues and memory for `needs`, then rx and tx on. All file-backed ports must have one rx queue.
  std::expected<void, Error> start(const PortNeeds& needs);
  // No frame comes or goes afterwards; what was written is with the kernel.
  void stop();

  const std::vector<Port>& all() const { return ports_; }
  bool all_file_backed() const;
  // Some port puts a program of its own into the kernel and takes it off when it stops (bpf(2)).
  bool any_with_program() const;
  rte_mempool* pool() const { return pool_; }

 private:
  Ports() = default;
  std::vector<Port> ports_;  // by index
  rte_mempool* pool_ = nullptr;
  bool started_ = false;
};

}  // namespace weir::edge
