// One line of decisions.jsonl: the same bytes from the dataplane and from replay, because both call this.
// {"index":0,"time":1700000000.000001,"port":"inside","verdict":"forward","reason":"flow_new","rule":"nfs",
//  "from":"trainers","to":"shards","flow":0,"generation":1}
// (one line; null where there is no rule, no segment or no flow). "depth":1 at its end says that all of it is about
// what is inside the frame's tunnel, 2 about what is inside the tunnel in it; "found":"gguf" names the
// signature that was found in it. It assigns no numbers: the caller counts.
#pragma once
#include "dataplane/inspect/pattern_image.hpp"
#include "dataplane/pipeline/burst.hpp"

#include <span>
#include <string_view>

namespace weir {

inline constexpr std::size_t decision_line_bytes_max = 2560;
inline constexpr u64 no_flow_number = ~u64{0};

struct DecisionContext {
  u64 index;         // of the input packet, from 0
  Tick time;         // the packet's
  u16 port;          // 2 * pair + side; written as "inside" or "outside"
  u64 flow_number;   // flows in order of their first packet, or no_flow_number
};

// What an outcome's indices are called in the policy that judged it. An empty name is written as null.
struct DecisionNames {
  std::string_view rule, from, to;
  std::string_view found = {};  // the signature
};

inline DecisionNames names_of(const Outcome& outcome, const Policy* policy) {
  if (policy == nullptr) return {};
  const auto segment = [&](u16 index) {
    return index == no_segment ? std::string_view{} : policy->segment_name(index);
  };
  return {outcome.rule < policy->rules_count() ? policy->rule(outcome.rule).name : std::string_view{},
          segment(outcome.source_segment), segment(outcome.target_segment),
          outcome.found == nothing_found ? std::string_view{} : pattern_name(policy->patterns(), outcome.found)};
}

// Writes the line with its newline; returns its length. Names are escaped as JSON, bytes that are not UTF-8 become
// U+FFFD, and a name that would need more than 512 bytes is cut at a character.
std::size_t format_decision(std::span<char, decision_line_bytes_max> line, const DecisionContext& context,
                            const Outcome& outcome, const DecisionNames& names);

// The same with the names looked up. `policy` is the one that judged, or null.
inline std::size_t format_decision(std::span<char, decision_line_bytes_max> line, const DecisionContext& context,
                                   const Outcome& outcome, const Policy* policy) {
  return format_decision(line, context, outcome, names_of(outcome, policy));
}

}  // namespace weir
