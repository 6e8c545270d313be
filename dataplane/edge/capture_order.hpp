// The frames of capture files, one by one in the order in which they are judged: by capture time, ties inside first,
// then file order. Their time is the capture's in whole microseconds; a step back is held at the last time.
//
// net_pcap reads a file when it is polled and so gives nothing only at the end of it, or when it has no mbuf for a
// frame it has already taken from the file and then loses. So it is never polled without mbufs enough.
// Threads: one.
#pragma once
#include "dataplane/edge/ports.hpp"
#include "dataplane/pipeline/burst.hpp"

#include <array>
#include <functional>
#include <vector>

namespace weir::edge {

struct CapturedFrame {
  rte_mbuf* mbuf;
  u16 port;  // index
  Tick time;
};

class CaptureOrder {
 public:
  // `wait` is called while the pool is too empty to poll; false from it ends the reading.
  CaptureOrder(const Ports& ports, std::function<bool()> wait);
  ~CaptureOrder();
  CaptureOrder(const CaptureOrder&) = delete;

  // False at the end of all files, or when `wait` said so.
  bool next(CapturedFrame& frame);

 private:
  struct Input {
    const Port* port;
    std::array<rte_mbuf*, burst_packets_max> mbufs;
    u16 first = 0, count = 0;
    bool has_ended = false;
  };

  bool fill(Input& input);
  Tick time_of(const Input& input) const;

  std::vector<Input> inputs_;  // inside ports first
  rte_mempool* pool_;
  std::function<bool()> wait_;
  int timestamp_offset_;
  Tick last_ = 0;
};

}  // namespace weir::edge
