// Counters as Prometheus metrics, in its text format. Names carry their units; labels are bounded by the tables of this
// program, by the workers, by the budgets that the door tells (door::budgets_shown_max) and by rules_named_max rules.
// None comes from a packet.
#pragma once
#include "control/see/counts.hpp"
#include "control/see/eve.hpp"
#include "control/see/hits.hpp"
#include "dataplane/share/door.hpp"

#include <optional>
#include <span>
#include <string>
#include <string_view>

namespace weir::see {

inline constexpr char metrics_content_type[] = "text/plain; version=0.0.4; charset=utf-8";

struct LogMetrics {
  u64 lines = 0;
  LogCounts not_logged;
  bool is_failing = false;
};

// Rules that are told by name; what more of them met is told together, as rule="(others)".
inline constexpr u32 rules_named_max = 200;

struct MetricsSource {
  const Counts* counts = nullptr;
  std::string_view policy = {};  // "": its name is not known
  const door::Answer* answer = nullptr;  // of status; null: the door was not asked
  std::span<const door::BudgetStatus> budgets = {};
  const RuleCounts* hits = nullptr;  // null: they are not counted, or could not be read
  const PolicyNames* names = nullptr;  // of the hits' generation; null: not known
  std::optional<LogMetrics> log = std::nullopt;  // of weir-control
};
std::string metrics_text(const MetricsSource& source);

}  // namespace weir::see
