#include "control/serve/see_routes.hpp"

#include "control/door/door.hpp"
#include "control/see/door_view.hpp"
#include "control/see/flow_line.hpp"
#include "control/see/metrics.hpp"

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include <csignal>
#include <optional>

namespace weir::control {
namespace {

using Json = nlohmann::ordered_json;

constexpr std::size_t flows_told_max = 10'000;
constexpr int metrics_wait_s = 3, stuck_after_s = 3;

Json json_of(const see::LogCounts& counts) {
  return {{"lost", counts.lost},
          {"suppressed", counts.suppressed},
          {"unwritten", counts.unwritten},
          {"unsound", counts.unsound}};
}

// Why the log is behind, as a sentence; "" while it is not.
std::string fault_of(const EventReport& report) {
  if (report.stuck_s >= stuck_after_s)
    return fmt::format("the event log has not answered for {} s: events are being lost", report.stuck_s);
  return report.log_fault;
}


HttpAnswer tell_metrics(const ServeOptions& options, const EventPump* pump) {
  std::optional<see::Counts> counts;
  std::optional<see::RuleCounts> hits;
  std::vector<std::string> port_names;
  std::optional<DoorAnswer> told;
  std::unique_ptr<see::PolicyNames> names;
  if (auto stats = see::StatsFile::open(options.stats)) {
    counts = see::read_counts(*stats);
    port_names = stats->port_names();
    if (auto met = see::read_hits(*stats)) hits = std::move(*met);
  }
  if (auto door = Door::reach(options.door, metrics_wait_s)) {
    if (const auto request = door_request(door::Act::status))
      if (auto answer = door->ask(*request)) told = std::move(*answer);
    if (told && hits && hits->generation != 0)
      if (auto asked = see::ask_names(*door, port_names); asked && (*asked)->generation() == hits->generation)
        names = std::move(*asked);
  }
  if (!counts && !told) return error_answer(503, "neither the dataplane's stats file nor its door can be read");
  see::MetricsSource source{.counts = counts ? &*counts : nullptr};
  if (hits) source.hits = &*hits, source.names = names.get();
  if (pump != nullptr) {
    const EventReport report = pump->report();
    source.log = see::LogMetrics{report.lines, report.counts, !fault_of(report).empty()};
  }
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

std::shared_ptr<EventPump> add_see_routes(Server& server, const ServeOptions& options) {
  const auto pump = options.stats.empty() ? nullptr : std::make_shared<EventPump>(server, options);
  const auto metrics = [options, pump](const Call&) { return tell_metrics(options, pump.get()); };
  server.add({.method = "GET", .path = "/metrics", .right = Right::read, .where = Where::look, .answer = metrics,
              .over_tcp = true});
  server.add({"GET", "/v1/flows", Right::read, Where::look,
              [path = options.door](const Call& call) { return tell_flows(path, call); }});
  // As logrotate has it; without a log it means nothing, and ends nothing.
  server.when_signalled(SIGHUP, [pump] {
    if (pump != nullptr) pump->reopen();
  });
  if (pump == nullptr) return pump;
  server.add(
      {"GET", "/v1/events", Right::read, Where::loop, {}, [pump](const Call& call, std::shared_ptr<Stream> stream) {
         auto filter = filter_of(call);
         if (!filter) stream->write(filter.error().body);
         else if (!pump->follow(std::move(*filter), stream))
           stream->write(error_answer(503, "too many follow events").body);
       }});
  return pump;
}

Json events_json(const EventPump* pump) {
  if (pump == nullptr) return nullptr;
  const EventReport report = pump->report();
  Json made = {{"reading", report.is_reading}, {"lines", report.lines}, {"not_logged", json_of(report.counts)}};
  made["why_not"] = report.why_not.empty() ? Json() : Json(report.why_not);
  const std::string fault = fault_of(report);
  made["fault"] = fault.empty() ? Json() : Json(fault);
  return made;
}

}  // namespace weir::control
