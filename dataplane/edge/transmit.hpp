// Frames on their way out, gathered per port and given to it in bursts, in order. A port that does not take a frame
// after a bounded number of tries loses it, and the loss is counted. It never waits for ever.
//
// Threads: one per Transmit; ports with too few tx queues are taken in turns.
#pragma once
#include "dataplane/edge/ports.hpp"
#include "dataplane/share/stats.hpp"

#include <array>

namespace weir::edge {

class Transmit {
 public:
  static constexpr u16 gathered_max = 128;  // frames for one port that go with one call

  // `queue` is used where a port has one for each worker.
  Transmit(const Ports& ports, u16 queue, Counter& unsent) : ports_(ports), queue_(queue), unsent_(unsent) {}

  // Takes `mbuf`; a null one is nothing.
  void send(rte_mbuf* mbuf, u16 port_index);
  void flush();

 private:
  struct Gathered {
    std::array<rte_mbuf*, gathered_max> mbufs;
    u16 count = 0;
  };

  void flush(const Port& port, Gathered& gathered);

  const Ports& ports_;
  const u16 queue_;
  Counter& unsent_;
  std::array<Gathered, ports_max> gathered_;
};

}  // namespace weir::edge
