// What a replay leaves behind: DIR/inside.pcap and DIR/outside.pcap (what leaves each port, with capture times),
// DIR/decisions.jsonl (one line per input packet, in order), and a pcapng of every packet with its verdict as comment.
#pragma once
#include "tools/capture/writer.hpp"
#include "tools/weir/replay_run.hpp"

#include <optional>

namespace weir {

// "forward flow_new by read-shards (policy.toml:84), trainers > shards, flow 3": a decision in words.
std::string in_words(const Decided& decided, const Policy* policy);

// The decision as its line; the line's length.
std::size_t decision_line(std::span<char, decision_line_bytes_max> line, const Decided& decided, const Policy* policy);

class ReplayFiles {
 public:
  // An empty path: not wanted. Makes the directory. The error is a sentence.
  static std::expected<ReplayFiles, std::string> create(const std::string& directory, const std::string& annotated);

  void add(const Decided& decided, const Policy* policy);
  // The first thing that went wrong in any of them.
  std::expected<void, std::string> close();

 private:
  struct Directory {
    capture::PcapWriter ports[2];
    capture::OutputFile decisions;
  };
  std::optional<Directory> directory_;
  std::optional<capture::PcapngWriter> annotated_;
};

}  // namespace weir
