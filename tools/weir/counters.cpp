// `weir counters` and `weir drops`: what has been counted since the dataplane began or in the last seconds, by worker
// and by reason. Drops come with what each reason means.
#include "control/see/counts.hpp"
#include "tools/weir/rules.hpp"
#include "tools/weir/see.hpp"

#include <fmt/format.h>
#include <CLI/CLI.hpp>
#include <cstdio>
#include <memory>
#include <nlohmann/json.hpp>

namespace weir {
namespace {

using Json = nlohmann::ordered_json;
using see::Counts, see::WorkerCounts, see::Met;

constexpr double drops_interval_s = 1;

// "12", "1,234"; a rate with one digit behind the point below ten.
std::string grouped(u64 number) {
  std::string text = std::to_string(number);
  for (std::size_t at = text.size(); at > 3; at -= 3) text.insert(at - 3, ",");
  return text;
}

std::string rate_of(u64 count, double seconds) {
  const double rate = static_cast<double>(count) / seconds;
  return rate < 10 && count != 0 ? fmt::format("{:.1f}", rate) : grouped(static_cast<u64>(rate + 0.5));
}

std::string head_of(const Counts& counts, see::Names& names) {
  if (counts.generation == 0) return fmt::format("no policy: everything is denied; {} workers", counts.workers.size());
  const std::string name = policy_name(names, counts.generation);
  return fmt::format("generation {}{}{}, {} workers", counts.generation, name.empty() ? "" : " of policy ", name,
                     counts.workers.size());
}

// A worker column each, after the sum of all.
template <class Value>
void print_row(std::string_view name, const Counts& counts, const WorkerCounts& sum, const Value& value,
               double seconds) {
  const auto text = [&](const WorkerCounts& of, bool is_gauge) {
    return seconds == 0 || is_gauge ? grouped(value(of)) : rate_of(value(of), seconds);
  };
  bool is_gauge = false;
  for (const see::CounterRow& row : see::counter_rows) is_gauge |= row.name == name && row.is_gauge;
  fmt::print("{:<24}{:>18}", name, text(sum, is_gauge));
  if (counts.workers.size() > 1)
    for (const WorkerCounts& worker : counts.workers) fmt::print("{:>16}", text(worker, is_gauge));
  fmt::print("\n");
}

void print_counters(const Counts& counts, see::Names& names, double seconds) {
  fmt::print("{}\n", head_of(counts, names));
  fmt::print("{:<24}{:>18}", "", seconds == 0 ? "total" : "a second");
  if (counts.workers.size() > 1)
    for (std::size_t worker = 0; worker < counts.workers.size(); ++worker)
      fmt::print("{:>16}", fmt::format("worker {}", worker));
  fmt::print("\n");
  const WorkerCounts sum = counts.sum();
  for (std::size_t row = 0; row < see::counter_count; ++row)
    print_row(
        see::counter_rows[row].name, counts, sum, [&](const WorkerCounts& of) { return of.values[row]; }, seconds);
  print_row("events", counts, sum, [](const WorkerCounts& of) { return of.events_told; }, seconds);
  print_row("events_lost", counts, sum, [](const WorkerCounts& of) { return of.events_lost; }, seconds);
  fmt::print("\n{:<9} {:<26}{:>16}{:>20}\n", "verdict", "reason", seconds == 0 ? "packets" : "packets/s",
             seconds == 0 ? "bytes" : "bytes/s");
  for (const auto& [reason, amount] : see::met_reasons(sum, false)) {
    const ReasonRow& row = weir::row(reason);
    fmt::print("{:<9} {:<26}{:>16}{:>20}\n", verdict_name(row.verdict), row.name,
               seconds == 0 ? grouped(amount.packets) : rate_of(amount.packets, seconds),
               seconds == 0 ? grouped(amount.bytes) : rate_of(amount.bytes, seconds));
  }
}

Json json_of(const WorkerCounts& counts) {
  Json made = Json::object();
  for (std::size_t row = 0; row < see::counter_count; ++row)
    made[std::string(see::counter_rows[row].name)] = counts.values[row];
  made["events"] = counts.events_told;
  made["events_lost"] = counts.events_lost;
  made["reasons"] = Json::object();
  for (const auto& [reason, amount] : see::met_reasons(counts, false))
    made["reasons"][std::string(weir::row(reason).name)] = {
        {"verdict", verdict_name(weir::row(reason).verdict)}, {"packets", amount.packets}, {"bytes", amount.bytes}};
  return made;
}

void print_json(const Counts& counts, see::Names& names, double seconds) {
  Json made = {{"generation", counts.generation}};
  if (const std::string name = policy_name(names, counts.generation); !name.empty()) made["policy"] = name;
  if (seconds != 0) made["seconds"] = seconds;
  made["sum"] = json_of(counts.sum());
  made["workers"] = Json::array();
  for (const WorkerCounts& worker : counts.workers) made["workers"].push_back(json_of(worker));
  fmt::print("{}", text_of(made, seconds != 0));
}

void print_drops(const Counts& counts, see::Names& names, double seconds) {
  const std::vector<Met> met = see::met_reasons(counts.sum(), true);
  fmt::print("{}; dropped in {}:\n", head_of(counts, names),
             seconds == 0 ? std::string("all its time") : fmt::format("the last {:.1f} s", seconds));
  if (met.empty()) fmt::print("  nothing\n");
  for (const auto& [reason, amount] : met) {
    const ReasonRow& row = weir::row(reason);
    const std::string share = seconds == 0 ? "" : fmt::format("{:>12}/s", rate_of(amount.packets, seconds));
    fmt::print("  {:<24}{:>14} packets{} {:>16} bytes\n      {}\n", row.name, grouped(amount.packets), share,
               grouped(amount.bytes), row.sentence);
  }
}

void print_drops_json(const Counts& counts, double seconds) {
  Json made = {{"generation", counts.generation}, {"seconds", seconds}, {"drops", Json::array()}};
  for (const auto& [reason, amount] : see::met_reasons(counts.sum(), true))
    made["drops"].push_back({{"reason", weir::row(reason).name},
                             {"stage", weir::row(reason).stage},
                             {"why", weir::row(reason).sentence},
                             {"packets", amount.packets},
                             {"bytes", amount.bytes}});
  fmt::print("{}", text_of(made, true));
}

using Print = void (*)(const SeeOptions&, const Counts&, see::Names&, double seconds);

// What was counted in each interval, until it is interrupted or has been told as often as was asked.
int repeat(const std::string& command, const SeeOptions& options, see::StatsFile stats, see::Names& names,
           Print print) {
  Counts before = see::read_counts(stats);
  for (unsigned told = 0; options.count == 0 || told < options.count; ++told) {
    if (!pause_for(options.every_s)) break;
    if (stats.is_replaced()) {
      fmt::print(stderr, "weir {}: the dataplane was started anew: its counters begin at nothing\n", command);
      auto again = open_stats(command, options);
      if (!again) return again.error();
      stats = std::move(*again);
      before = see::read_counts(stats);
      continue;
    }
    const Counts now = see::read_counts(stats);
    print(options, see::between(before, now), names, see::seconds_between(before, now));
    std::fflush(stdout);
    before = now;
  }
  return exit_yes;
}

int counters(const SeeOptions& options) {
  auto stats = open_stats("counters", options);
  if (!stats) return stats.error();
  see::Names names(options.policies, stats->port_names());
  const Print print = [](const SeeOptions& how, const Counts& counts, see::Names& named, double seconds) {
    how.output == "json" ? print_json(counts, named, seconds) : print_counters(counts, named, seconds);
  };
  if (options.every_s != 0) return repeat("counters", options, std::move(*stats), names, print);
  print(options, see::read_counts(*stats), names, 0);
  return exit_yes;
}

int drops(SeeOptions options, bool all) {
  auto stats = open_stats("drops", options);
  if (!stats) return stats.error();
  see::Names names(options.policies, stats->port_names());
  const Print print = [](const SeeOptions& how, const Counts& counts, see::Names& named, double seconds) {
    how.output == "json" ? print_drops_json(counts, seconds) : print_drops(counts, named, seconds);
  };
  if (all) {
    print(options, see::read_counts(*stats), names, 0);
    return exit_yes;
  }
  if (options.every_s == 0) options.every_s = drops_interval_s, options.count = 1;
  return repeat("drops", options, std::move(*stats), names, print);
}

}  // namespace

void add_counters(CLI::App& app, int& exit_code) {
  const auto options = std::make_shared<SeeOptions>();
  CLI::App* command = app.add_subcommand("counters", "What a running dataplane has counted, by worker and by reason");
  add_stats(*command, *options), add_names(*command, *options), add_every(*command, *options);
  command->callback([options, &exit_code] {
    stop_on_signals();
    exit_code = counters(*options);
  });
}

void add_drops(CLI::App& app, int& exit_code) {
  const auto options = std::make_shared<SeeOptions>();
  const auto all = std::make_shared<bool>(false);
  CLI::App* command = app.add_subcommand("drops", "What a running dataplane drops now, and what each reason means");
  add_stats(*command, *options), add_names(*command, *options), add_every(*command, *options);
  command->add_flag("--all", *all, "Since the dataplane began, not in the last second");
  command->callback([options, all, &exit_code] {
    stop_on_signals();
    exit_code = drops(*options, *all);
  });
}

}  // namespace weir
