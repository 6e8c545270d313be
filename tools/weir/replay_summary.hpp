// What a replay came to, in one page: packets and bytes by verdict and reason, or by conversation with the rule that
// decided it and where that rule stands. As a table for people or as JSON.
#pragma once
#include "tools/weir/replay_run.hpp"

#include <map>
#include <nlohmann/json_fwd.hpp>
#include <string>
#include <unordered_map>

namespace weir {

// A conversation's line: one per flow, verdict and, of what was dropped, reason and rule. Packets without a flow are
// gathered by side, addresses, protocol and port.
struct ConversationLine {
  Verdict verdict;
  Reason reason;                     // of the first packet
  std::string rule, place;           // "policy.toml:84"; both empty without a rule
  std::string source, target;        // "trainers 10.20.0.7:40001"
  std::string service;               // "tcp/2049", "icmp/8", "arp"; "-" when the frame does not say
  Tick first;
  u64 packets = 0, bytes = 0;
};

// Conversations told apart; the packets of what comes after so many are only counted.
inline constexpr std::size_t conversations_max = 100'000;

class ReplaySummary {
 public:
  // `by_flow` costs a parse and a look-up per packet. `rule_directory` ("" or "dir/") is put before rule files.
  ReplaySummary(bool by_flow, std::string rule_directory)
      : by_flow_(by_flow), rule_directory_(std::move(rule_directory)) {}

  void add(const Decided& decided, const Policy* policy);
  std::string table(bool colour) const;
  nlohmann::json json() const;

 private:
  struct Tally {
    u64 packets = 0, bytes = 0;
  };
  std::string reason_table(bool colour) const;
  std::string flow_table(bool colour) const;
  ConversationLine describe(const Decided& decided, const Headers& headers, const Policy* policy) const;

  bool by_flow_;
  std::string rule_directory_;
  Tally reasons_[reasons_count];
  u64 packets_ = 0, flows_ = 0, generation_ = 0;
  Tick first_ = 0, last_ = 0;
  u64 untold_ = 0;                                        // packets of conversations beyond the limit
  std::vector<ConversationLine> lines_;                   // in order of their first packets
  std::unordered_map<std::string, std::size_t> line_of_;  // by conversation_key()
};

}  // namespace weir
