// decisions.jsonl, in the order of the packets: the lines are format_decision()'s, the flow numbers are given here, in
// order of each flow's first packet, whichever worker judged it. Lossless: a write that fails is an error for good.
//
// Threads: one writer.
#pragma once
#include "dataplane/edge/memory.hpp"
#include "dataplane/share/decision_line.hpp"

#include <vector>

namespace weir::edge {

class Decisions {
 public:
  // `flows`: records of each of `workers` tables.
  static std::expected<Decisions, Error> create(const std::string& path, u32 workers, u32 flows);
  Decisions(Decisions&& other) noexcept;
  Decisions& operator=(Decisions&&) = delete;
  ~Decisions();

  // `policy` is the one that judged, or null. False once a write has failed; error() says how.
  bool write(u64 index, Tick time, u16 port, u32 worker, const Outcome& outcome, const Policy* policy);
  // Everything written is with the kernel.
  bool flush();
  const Error& error() const { return error_; }

 private:
  Decisions(int fd, std::string path, u32 flows, Mapping numbers);
  u64 number_of(u32 worker, const Outcome& outcome);

  int fd_;
  std::string path_;
  u32 flows_;
  Mapping numbers_;  // u64 by worker and record: the number of the flow in that record
  u64 next_number_ = 0;
  std::vector<char> lines_;
  std::size_t filled_bytes_ = 0;
  Error error_;
};

}  // namespace weir::edge
