// `weir metrics`: the counters of a running dataplane as Prometheus text, once. With the door also its ledger and
// budgets. A node_exporter's textfile folder, or anything that runs a command, makes metrics of it.
#include "control/see/metrics.hpp"

#include "control/door/door.hpp"
#include "tools/weir/see.hpp"

#include <fmt/format.h>
#include <CLI/CLI.hpp>
#include <memory>

namespace weir {
namespace {

struct MetricsOptions {
  SeeOptions see;
  std::string door;
};

std::expected<control::DoorAnswer, control::DoorFailure> status_of(const std::string& path) {
  auto door = control::Door::reach(path);
  if (!door) return std::unexpected(door.error());
  const auto request = control::door_request(door::Act::status);
  if (!request) return std::unexpected(request.error());
  return door->ask(*request);
}

int metrics(const MetricsOptions& options) {
  const auto stats = open_stats("metrics", options.see);
  if (!stats) return stats.error();
  see::Names names(options.see.policies, stats->port_names(), names_by_door(options.door));
  const see::Counts counts = see::read_counts(*stats);
  const std::string policy = policy_name(names, counts.generation);
  see::MetricsSource source{.counts = &counts, .policy = policy};
  const auto hits = see::read_hits(*stats);
  if (hits) source.hits = &*hits, source.names = names.of(static_cast<u32>(hits->generation));
  control::DoorAnswer told{};
  if (!options.door.empty()) {
    auto status = status_of(options.door);
    if (!status) {
      fmt::print(stderr, "weir metrics: {}\n", status.error().sentence);
      return status.error().kind == control::DoorFailure::Kind::not_permitted ? exit_not_permitted : exit_unreachable;
    }
    told = std::move(*status);
    source.answer = &told.answer, source.budgets = told.budgets;
  }
  fmt::print("{}", see::metrics_text(source));
  return exit_yes;
}

}  // namespace

void add_metrics(CLI::App& app, int& exit_code) {
  const auto options = std::make_shared<MetricsOptions>();
  CLI::App* command = app.add_subcommand("metrics", "A running dataplane's counters as Prometheus text, once");
  add_stats(*command, options->see);
  command->add_option("--policy", options->see.policies, "Images, or folders of images, that names are taken from");
  command->add_option("--door", options->door, "The dataplane's door: budgets and the ledger as well");
  command->callback([options, &exit_code] { exit_code = metrics(*options); });
}

}  // namespace weir
