// Counters as Prometheus metrics, in its text format. Names carry their units; labels are bounded by the tables of this
// program, by the workers and by the budgets that the door tells (door::budgets_shown_max). None comes from a packet.
#pragma once
#include "control/see/counts.hpp"
#include "control/see/eve.hpp"
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

struct MetricsSource {
  const Counts* counts = nullptr;
  std::string_view policy;  // "": its name is not known
  const door::Answer* answer = nullptr;  // of status; null: the door was not asked
  std::span<const door::BudgetStatus> budgets;
  std::optional<LogMetrics> log = std::nullopt;  // of weir-control
};
std::string metrics_text(const MetricsSource& source);

}  // namespace weir::see
