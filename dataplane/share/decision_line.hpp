// One line of decisions.jsonl: the same bytes from the dataplane and from replay, because both call this.
// {"index":0,"time":1700000000.000001,"port":"inside","verdict":"forward","reason":"flow_new","rule":"nfs",
//  "from":"trainers","to":"shards","flow":0,"generation":1}
#pragma once
#include "dataplane/pipeline/burst.hpp"

#include <span>

namespace weir {

inline constexpr std::size_t decision_line_bytes_max = 2048;
inline constexpr u64 no_flow_number = ~u64{0};

struct DecisionContext {
  u64 index;         // of the input packet, from 0
  Tick time;         // the packet's
  u16 port;          // 2 * pair + side; written as "inside" or "outside"
  u64 flow_number;   // flows in order of their first packet, or no_flow_number
};

// Writes the line with its newline; returns its length. `policy` is the one that judged, or null. Names that are
// too long for the line are cut; names are escaped as JSON.
std::size_t format_decision(std::span<char, decision_line_bytes_max> line, const DecisionContext& context,
                            const Outcome& outcome, const Policy* policy);

}  // namespace weir
