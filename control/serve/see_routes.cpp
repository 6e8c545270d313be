#include "control/serve/see_routes.hpp"

#include "control/door/door.hpp"
#include "control/see/door_view.hpp"
#include "control/see/event_log.hpp"
#include "control/see/flow_line.hpp"
#include "control/see/metrics.hpp"

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include <algorithm>
#include <csignal>
#include <cstdio>
#include <optional>

namespace weir::control {
namespace {

using Json = nlohmann::ordered_json;

constexpr auto drain_period = std::chrono::milliseconds(50);
constexpr Tick look_again_us = tick_second;
constexpr std::size_t streams_max = 16, flows_told_max = 10'000;

void say(const std::string& sentence) { fmt::print(stderr, "weir-control: {}\n", sentence); }

Tick now_us() {
  const auto now = std::chrono::system_clock::now().time_since_epoch();
  return static_cast<Tick>(std::chrono::duration_cast<std::chrono::microseconds>(now).count());
}

see::Names::Ask names_by(const std::string& path) {
  return
      [path](const std::vector<std::string>& ports) -> std::expected<std::unique_ptr<see::PolicyNames>, std::string> {
        auto door = Door::reach(path);
        if (!door) return std::unexpected(door.error().sentence);
        auto names = see::ask_names(*door, ports);
        if (!names) return std::unexpected(names.error().sentence);
        return std::move(*names);
      };
}

// Takes events for as long as the server runs, logs them and hands them to who follows. Threads: the loop's.
class EventPump {
 public:
  explicit EventPump(const ServeOptions& options) : options_(options), log_({.path = options.events}) {
    log_.on_line = [this](const Event& event, const see::EventNames& names, const std::string& line) {
      const see::Facts facts = see::facts_of(event, names);
      for (const Follower& one : followers_)
        if (one.filter.matches(facts)) one.stream->write(line);
    };
  }

  void follow(see::Filter filter, std::shared_ptr<Stream> stream) {
    if (followers_.size() < streams_max) followers_.push_back({std::move(filter), std::move(stream)});
  }
  void drain() {
    const Tick now = now_us();
    if (!open(now)) return;
    log_.drain(*stats_, *names_, now);
    std::erase_if(followers_, [](const Follower& one) { return !one.stream->is_open(); });
    for (const std::string& one : names_->complaints()) say(one);
    if (log_.fault() != log_fault_) {
      log_fault_ = log_.fault();
      say(log_fault_.empty() ? "the event log takes lines again" : "event log: " + log_fault_);
    }
  }

 private:
  struct Follower {
    see::Filter filter;
    std::shared_ptr<Stream> stream;
  };

  // The rings of the dataplane that runs now; tried once a second.
  bool open(Tick now) {
    const bool looks = now < looked_ || now - looked_ >= look_again_us;
    if (looks) looked_ = now;
    if (stats_ && looks && stats_->is_replaced()) stats_.reset();
    if (stats_ || !looks) return stats_.has_value();
    auto opened = see::StatsFile::open(options_.stats, see::StatsFile::Access::take);
    if (!opened) {
      if (opened.error().sentence != stats_fault_) say(stats_fault_ = opened.error().sentence);
      return false;
    }
    stats_fault_.clear();
    stats_.emplace(std::move(*opened));
    names_.emplace(std::vector{options_.state + "/history"}, stats_->port_names(), names_by(options_.door));
    return true;
  }

  const ServeOptions options_;
  std::optional<see::StatsFile> stats_;
  std::optional<see::Names> names_;
  see::EventLog log_;
  std::vector<Follower> followers_;
  std::string stats_fault_, log_fault_;
  Tick looked_ = 0;
};

HttpAnswer tell_metrics(const ServeOptions& options) {
  std::optional<see::Counts> counts;
  std::optional<DoorAnswer> told;
  if (auto stats = see::StatsFile::open(options.stats)) counts = see::read_counts(*stats);
  if (auto door = Door::reach(options.door))
    if (const auto request = door_request(door::Act::status))
      if (auto answer = door->ask(*request)) told = std::move(*answer);
  if (!counts && !told) return error_answer(503, "neither the dataplane's stats file nor its door can be read");
  see::MetricsSource source{counts ? &*counts : nullptr, {}, nullptr, {}};
  const std::string policy = told ? door_text(told->answer.policy_name) : "";
  source.policy = policy;
  if (told) source.answer = &told->answer, source.budgets = told->budgets;
  return {200, see::metrics_text(source), see::metrics_content_type};
}

// Of a query; the error is an answer.
std::expected<see::Filter, HttpAnswer> filter_of(const Call& call) {
  const std::string text = query_value(call.request.query, "filter").value_or("");
  auto filter = see::Filter::parse(text);
  if (!filter) return std::unexpected(error_answer(400, see::show(filter.error(), text)));
  return std::move(*filter);
}

HttpAnswer tell_flows(const std::string& path, const Call& call) {
  const auto filter = filter_of(call);
  if (!filter) return filter.error();
  auto door = Door::reach(path);
  if (!door) return error_answer(503, door.error().sentence);
  const auto told = see::ask_flows(*door);
  if (!told) return error_answer(503, told.error().sentence);
  const auto names = see::names_of(*door, *told);
  Json flows = Json::array();
  u64 not_shown = told->not_shown;
  for (const door::FlowRow& row : told->rows) {
    const see::Facts facts = see::facts_of(row, names.get());
    if (!filter->matches(facts)) continue;
    if (flows.size() < flows_told_max) flows.push_back(see::flow_json(row, facts, names.get()));
    else ++not_shown;
  }
  const Json made = {{"generation", told->generation}, {"not_shown", not_shown}, {"flows", std::move(flows)}};
  return {200, made.dump(-1, ' ', false, Json::error_handler_t::replace) + "\n"};
}

}  // namespace

void add_see_routes(Server& server, const ServeOptions& options) {
  server.add({"GET", "/metrics", Right::read, Where::quick, [options](const Call&) { return tell_metrics(options); }});
  server.add({"GET", "/v1/flows", Right::read, Where::quick,
              [path = options.door](const Call& call) { return tell_flows(path, call); }});
  if (options.stats.empty()) return;
  std::signal(SIGPIPE, SIG_IGN);
  const auto pump = std::make_shared<EventPump>(options);
  server.every(drain_period, [pump] { pump->drain(); });
  server.add(
      {"GET", "/v1/events", Right::read, Where::loop, {}, [pump](const Call& call, std::shared_ptr<Stream> stream) {
         auto filter = filter_of(call);
         if (filter) return pump->follow(std::move(*filter), std::move(stream));
         stream->write(filter.error().body);
       }});
}

}  // namespace weir::control
