// `weir watch [FILTER]`: a line for each new flow, drop and alarm as they happen. It takes events where nobody else
// does, since a ring that nobody empties fills; beside a reader it only looks on.
#include "control/see/door_view.hpp"
#include "control/see/eve.hpp"
#include "tools/weir/see.hpp"
#include "tools/weir/shadow.hpp"

#include <fmt/format.h>
#include <CLI/CLI.hpp>
#include <algorithm>
#include <cstdio>
#include <deque>
#include <memory>

namespace weir {
namespace {

constexpr double pause_s = 0.05;

struct WatchOptions {
  SeeOptions see;
  std::string door;
  std::vector<std::string> filter;
  bool from_start = false;
};

void say(const std::string& sentence) { fmt::print(stderr, "weir watch: {}\n", sentence); }

void print_event(const Event& event, const see::EventNames& names) {
  if (is_of_shadow(event.kind)) {
    const auto line = nlohmann::ordered_json::parse(see::eve_line(event, names, ""));
    return fmt::print("{} {}\n", see::eve_time(event.time).substr(11, 15), disagreement_text(line));
  }
  const bool is_icmp = event.protocol == 1 || event.protocol == 58;
  std::string rule = names.rule.empty() ? std::string()
                                        : fmt::format("  {} {} {}:{}", names.is_forbid ? "forbid" : "allow", names.rule,
                                                      names.file, names.line);
  if (!names.known && event.rule != no_rule)
    rule = fmt::format("  rule {} of generation {}", event.rule, event.generation);
  if (!names.found.empty()) rule += fmt::format("  found {}", names.found);
  fmt::print("{} {:<14} {:<5} {} > {}  {}{}\n", see::eve_time(event.time).substr(11, 15), see::kind_name(event.kind),
             see::protocol_text(event.protocol), end_text(event.source, event.source_port, names.from),
             end_text(event.target, is_icmp ? u16{0} : event.target_port, names.to), row(event.reason).name, rule);
}

// Takes, or looks on; either way gives each event once.
class Watcher {
 public:
  Watcher(see::StatsFile stats, bool from_start) : stats_(std::move(stats)), cursors_(stats_.workers()) {
    for (u32 worker = 0; !from_start && !stats_.takes() && worker < stats_.workers(); ++worker)
      cursors_[worker] = stats_.events(worker).pushed();
  }
  // In order of time, as far as they have come.
  bool next(Event& event) {
    if (batch_.empty()) fill();
    if (batch_.empty()) return false;
    event = batch_.front();
    batch_.pop_front();
    return true;
  }
  u64 missed() const {
    u64 missed = missed_;
    for (u32 worker = 0; stats_.takes() && worker < stats_.workers(); ++worker) missed += stats_.events(worker).lost();
    return missed;
  }
  // Nobody empties the rings: they are full, and nothing new comes.
  bool is_stuck() const {
    for (u32 worker = 0; worker < stats_.workers(); ++worker)
      if (!stats_.takes() && stats_.events(worker).waiting() == events_per_ring) return true;
    return false;
  }
  const see::StatsFile& stats() const { return stats_; }

 private:
  void fill() {
    for (u32 worker = 0; worker < stats_.workers(); ++worker) {
      Event event;
      const auto get = [&] {
        return stats_.takes() ? stats_.take(worker, event)
                              : stats_.events(worker).look(cursors_[worker], event, missed_);
      };
      for (u32 count = 0; count < events_per_ring && get(); ++count) batch_.push_back(event);
    }
    std::ranges::stable_sort(batch_, {}, &Event::time);
  }

  see::StatsFile stats_;
  std::vector<u64> cursors_;
  std::deque<Event> batch_;
  u64 missed_ = 0;
};

std::expected<Watcher, int> open_watcher(const WatchOptions& options) {
  auto taking = see::StatsFile::open(options.see.stats, see::StatsFile::Access::take);
  if (taking) return Watcher(std::move(*taking), options.from_start);
  auto looking = open_stats("watch", options.see);
  if (!looking) return std::unexpected(looking.error());
  return Watcher(std::move(*looking), options.from_start);
}

int watch(const WatchOptions& options) {
  const auto filter = filter_of("watch", options.filter);
  if (!filter) return exit_invalid;
  auto watcher = open_watcher(options);
  if (!watcher) return watcher.error();
  see::Names names(options.see.policies, watcher->stats().port_names(), names_by_door(options.door));
  if (filter->asks_names() && names.empty())
    say("segment and rule match nothing without names: --policy or --door says where they are");
  bool told_stuck = false;
  Event event;
  u64 missed = watcher->missed();
  for (unsigned shown = 0; !is_stopped() && (options.see.count == 0 || shown < options.see.count);) {
    if (!watcher->next(event)) {
      std::fflush(stdout);
      for (const std::string& one : names.complaints()) say(one);
      if (watcher->missed() != missed) say(fmt::format("{} events were too fast", watcher->missed() - missed));
      missed = watcher->missed();
      if (!std::exchange(told_stuck, watcher->is_stuck()) && told_stuck)
        say("the rings are full and nobody may empty them: nothing new will be seen");
      if (watcher->stats().is_replaced()) {
        auto again = open_watcher(options);
        if (!again) return again.error();
        watcher = std::move(again);
        missed = watcher->missed();
      }
      if (!pause_for(pause_s)) break;
      continue;
    }
    if (!see::is_sound(event)) continue;
    const see::EventNames of = names.of(event);
    if (!filter->matches(see::facts_of(event, of))) continue;
    ++shown;
    if (options.see.output == "json")
      fmt::print("{}", see::eve_line(event, of, watcher->stats().port_name(event.port)));
    else print_event(event, of);
  }
  return exit_yes;
}

}  // namespace

void add_watch(CLI::App& app, int& exit_code) {
  const auto options = std::make_shared<WatchOptions>();
  CLI::App* command = app.add_subcommand("watch", "A line for each new flow, drop and alarm, as they happen");
  add_stats(*command, options->see);
  add_names(*command, options->see);
  command->add_option("--door", options->door, "The dataplane's door: names from the policy in force");
  command->add_option("--count", options->see.count, "How many lines; without it until interrupted");
  command->add_flag("--from-start", options->from_start, "Beside a reader: what still stands in the rings as well");
  command->add_option("filter", options->filter, "As pcap's, and segment, rule, reason, event: `reason no_allow`");
  command->callback([options, &exit_code] {
    stop_on_signals();
    exit_code = watch(*options);
  });
}

}  // namespace weir
