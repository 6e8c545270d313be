// Writes down what inspections have found: packets into evidence-TIME.pcap, and a line about each into
// evidence-TIME.jsonl beside it, both for their owner alone. It keeps no more than it was told to, and says when it
// stops. A disk that fails costs evidence and nothing else.
//
// Threads: one of its own; a worker puts into its ring.
#pragma once
#include "dataplane/edge/error.hpp"
#include "dataplane/edge/options.hpp"
#include "dataplane/edge/ports.hpp"
#include "dataplane/share/evidence.hpp"

#include <atomic>
#include <cstdio>
#include <memory>
#include <thread>
#include <vector>

namespace weir::edge {

class EvidenceDesk {
 public:
  // In options.evidence_path, which is made where it is not there.
  static std::expected<std::unique_ptr<EvidenceDesk>, Error> open(const Options& options, const Ports& ports);
  ~EvidenceDesk() { close(); }
  EvidenceDesk(const EvidenceDesk&) = delete;

  EvidenceRing& ring(u32 worker) { return *rings_[worker]; }
  // After the workers have ended: writes what is left, and says what was lost.
  void close();

 private:
  using File = std::unique_ptr<std::FILE, int (*)(std::FILE*)>;
  EvidenceDesk(const Options& options, const Ports& ports, File packets, File lines);
  void run();
  void drain();
  void write(const Evidence& one);

  const u64 bytes_max_;
  std::vector<std::string> port_names_;
  std::vector<std::vector<Evidence>> slots_;
  std::vector<std::unique_ptr<EvidenceRing>> rings_;
  File packets_, lines_;
  u64 written_ = 0, bytes_ = 0, left_out_ = 0;
  std::atomic<bool> stop_{false};
  std::thread thread_;
};

}  // namespace weir::edge
