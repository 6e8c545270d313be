#include "control/see/metrics.hpp"

#include <prometheus/metric_family.h>
#include <prometheus/text_serializer.h>

#include <algorithm>
#include <cstring>
#include <map>

namespace weir::see {
namespace {

using prometheus::ClientMetric, prometheus::MetricFamily, prometheus::MetricType;
using Label = ClientMetric::Label;

class Families {
 public:
  void add(const std::string& name, const std::string& help, MetricType type, double value,
           std::vector<Label> labels = {}) {
    auto [at, is_new] = places_.try_emplace(name, families_.size());
    if (is_new) families_.push_back({name, help, type, {}});
    ClientMetric metric;
    metric.label = std::move(labels);
    (type == MetricType::Counter ? metric.counter.value : metric.gauge.value) = value;
    families_[at->second].metric.push_back(std::move(metric));
  }
  void count(const std::string& name, const std::string& help, u64 value, std::vector<Label> labels = {}) {
    add(name, help, MetricType::Counter, static_cast<double>(value), std::move(labels));
  }
  void gauge(const std::string& name, const std::string& help, double value, std::vector<Label> labels = {}) {
    add(name, help, MetricType::Gauge, value, std::move(labels));
  }
  std::string text() const { return prometheus::TextSerializer().Serialize(families_); }

 private:
  std::vector<MetricFamily> families_;
  std::map<std::string, std::size_t> places_;
};

std::string text_of(std::span<const char> room) { return {room.data(), strnlen(room.data(), room.size())}; }

// What a counter of the table is called here, with its unit.
std::string metric_name(const CounterRow& row) {
  const std::string_view name = row.name;
  if (name == "received" || name == "handed_over") return "weir_" + std::string(name) + "_packets_total";
  if (name == "unsent") return "weir_unsent_frames_total";
  if (name == "flows_live") return "weir_flows";
  if (name == "sweep_us") return "weir_sweep_seconds";
  if (name == "slept_us") return "weir_slept_seconds_total";
  return "weir_" + std::string(name) + "_total";
}

void add_workers(Families& families, const Counts& counts) {
  for (const CounterRow& row : counter_rows) {
    for (std::size_t worker = 0; worker < counts.workers.size(); ++worker) {
      const u64 value = counts.workers[worker].values[static_cast<std::size_t>(&row - counter_rows)];
      const double scale = row.name.ends_with("_us") ? 1e-6 : 1;
      families.add(metric_name(row), std::string(row.sentence), row.is_gauge ? MetricType::Gauge : MetricType::Counter,
                   static_cast<double>(value) * scale, {{"worker", std::to_string(worker)}});
    }
  }
  for (std::size_t worker = 0; worker < counts.workers.size(); ++worker) {
    const WorkerCounts& one = counts.workers[worker];
    const std::vector<Label> labels{{"worker", std::to_string(worker)}};
    families.count("weir_events_total", "events told by the workers", one.events_told, labels);
    families.count("weir_events_lost_total", "events that found a full ring, which nobody reads", one.events_lost,
                   labels);
    families.gauge("weir_events_waiting", "events that wait for their reader", static_cast<double>(one.events_waiting),
                   labels);
    families.gauge("weir_worker_heartbeat_timestamp_seconds", "time that a worker last judged something by",
                   static_cast<double>(one.heartbeat_us) * 1e-6, labels);
  }
}

void add_reasons(Families& families, const WorkerCounts& sum) {
  for (std::size_t reason = 0; reason < reasons_count; ++reason) {
    const ReasonRow& row = reason_rows[reason];
    const std::vector<Label> labels{{"reason", std::string(row.name)},
                                    {"verdict", std::string(verdict_name(row.verdict))}};
    families.count("weir_packets_total", "packets by how they ended and why", sum.reasons[reason].packets, labels);
    families.count("weir_bytes_total", "bytes of frames by how they ended and why", sum.reasons[reason].bytes, labels);
  }
}

void add_door(Families& families, const MetricsSource& source) {
  const door::Answer& answer = *source.answer;
  families.gauge("weir_uptime_seconds", "since the dataplane was started", static_cast<double>(answer.uptime_s));
  families.gauge("weir_ledger_open", "1: the ledger of budgets is open; 0: there is none, or it is closed",
                 answer.ledger == door::LedgerState::open ? 1 : 0);
  families.gauge("weir_budget_accounts", "accounts in force, shown or not",
                 static_cast<double>(answer.budgets_in_force));
  families.gauge("weir_quarantined", "1: some port, host or flow is cut off",
                 answer.quarantined[0] == '\0' ? 0 : 1);
  families.gauge("weir_shadow_generation", "of the policy that is asked beside the one in force; 0: none is",
                 static_cast<double>(answer.shadow_generation));
  const std::string down = text_of(answer.links_down);
  families.gauge("weir_ports_without_link", "ports whose link is down",
                 down.empty() ? 0.0 : 1.0 + static_cast<double>(std::ranges::count(down, ',')));
  for (const door::BudgetStatus& budget : source.budgets) {
    const std::vector<Label> labels{{"budget", text_of(budget.name)},
                                    {"window_seconds", std::to_string(budget.length_s)}};
    families.gauge("weir_budget_limit_bytes", "most bytes in the window that has least left; window 0 is for ever",
                   static_cast<double>(budget.limit), labels);
    families.gauge("weir_budget_spent_bytes", "of the limit, spent", static_cast<double>(budget.spent), labels);
    families.gauge("weir_budget_leased_bytes", "of the limit, lent to workers", static_cast<double>(budget.leased),
                   labels);
  }
}

void add_log(Families& families, const LogMetrics& log) {
  const std::pair<const char*, u64> lost[] = {{"ring_full", log.not_logged.lost},
                                              {"suppressed", log.not_logged.suppressed},
                                              {"unwritten", log.not_logged.unwritten},
                                              {"unsound", log.not_logged.unsound}};
  families.count("weir_log_lines_total", "lines given to the event log", log.lines);
  for (const auto& [why, count] : lost)
    families.count("weir_log_lost_events_total", "events that the event log does not have", count, {{"why", why}});
  families.gauge("weir_log_failing", "1: the event log takes nothing", log.is_failing ? 1 : 0);
}

void add_hits(Families& families, const RuleCounts& hits, const PolicyNames* names) {
  families.gauge("weir_rules_dead", "rules of the policy in force that nothing has met since counting began",
                 static_cast<double>(hits.dead()));
  if (names == nullptr || names->policy().rules_count() != hits.rows.size()) return;
  const std::string about = "flows that a rule let begin or kept, and packets that it denied; by rules of this name";
  u64 others = 0;
  for (u32 rule = 0; rule < hits.rows.size(); ++rule) {
    const u64 met = hits.rows[rule].now.sum() + hits.rows[rule].before.sum();
    const RuleView view = names->policy().rule(rule);
    if (rule >= rules_named_max) others += met;
    else
      families.count("weir_rule_hits_total", about, met,
                     {{"rule", std::string(view.name)}, {"kind", view.is_forbid ? "forbid" : "allow"}});
  }
  if (hits.rows.size() > rules_named_max)
    families.count("weir_rule_hits_total", about, others, {{"rule", "(others)"}, {"kind", "any"}});
}

}  // namespace

std::string metrics_text(const MetricsSource& source) {
  Families families;
  if (source.counts != nullptr) {
    families.gauge("weir_policy_generation", "of the policy in force; 0: none, everything is denied",
                   static_cast<double>(source.counts->generation));
    if (!source.policy.empty())
      families.gauge("weir_policy_info", "the policy in force", 1, {{"policy", std::string(source.policy)}});
    add_workers(families, *source.counts);
    add_reasons(families, source.counts->sum());
  }
  if (source.hits != nullptr && source.hits->generation != 0) add_hits(families, *source.hits, source.names);
  if (source.answer != nullptr) add_door(families, source);
  if (source.log) add_log(families, *source.log);
  return families.text();
}

}  // namespace weir::see
