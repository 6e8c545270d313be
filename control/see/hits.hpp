// What has met each rule of the policy in force, and what met rules of the same name before: so which rules are dead.
// A rule counts where it decided: of several allows that cover a packet the most specific, ties by name.
#pragma once
#include "control/see/names.hpp"
#include "control/see/segment.hpp"

#include <nlohmann/json.hpp>

#include <expected>
#include <string>
#include <vector>

namespace weir::see {

struct RuleMet {
  u64 opened = 0, kept = 0, dropped = 0;  // as RuleHits has them
  u64 last_us = 0;                        // since 1970; 0: never
  u64 sum() const { return opened + kept + dropped; }
};

struct RuleHitsRow {
  RuleMet now, before;  // under the policy in force; under those before it, rules of the same name
  bool is_dead() const { return now.last_us == 0 && before.last_us == 0; }
  u64 last_us() const { return now.last_us != 0 ? now.last_us : before.last_us; }
};

struct RuleCounts {
  u64 generation = 0;  // 0: no policy
  u64 since_us = 0;    // since 1970: when it came into force
  u64 began_us = 0;    // likewise: when counting began
  std::vector<RuleHitsRow> rows;  // by rule

  u64 dead() const;
};
// A sentence where the file has none, or policies change faster than they can be read.
std::expected<RuleCounts, std::string> read_hits(const StatsFile& stats);

// One rule: "rule", "kind" and "at" are left out where the names are not known, and its number stands instead.
nlohmann::ordered_json hits_json(const RuleCounts& counts, u32 rule, const PolicyNames* names);

// "2026-11-22 03:14:21", UTC.
std::string time_text(u64 us);

}  // namespace weir::see
