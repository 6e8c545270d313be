#include "tools/weir/see.hpp"

#include "control/see/door_view.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <poll.h>
#include <CLI/CLI.hpp>
#include <algorithm>
#include <chrono>
#include <csignal>
#include <cstdio>

namespace weir {
namespace {

volatile std::sig_atomic_t stopped = 0;

void stop(int) { stopped = 1; }

}  // namespace

void add_stats(CLI::App& command, SeeOptions& options) {
  command.add_option("--stats", options.stats, "The stats file of weir-dataplane")->capture_default_str();
}

void add_names(CLI::App& command, SeeOptions& options) {
  command.add_option("--policy", options.policies, "Images, or folders of images, that names are taken from");
  command.add_option("-o,--output", options.output, "table or json")->check(CLI::IsMember({"table", "json"}));
}

void add_every(CLI::App& command, SeeOptions& options) {
  command.add_option("--every", options.every_s, "Seconds: again and again, what has changed since")
      ->check(CLI::Range(0.01, 86400.0));
  command.add_option("--count", options.count, "How many times; without it until interrupted");
}

std::expected<see::StatsFile, int> open_stats(const std::string& command, const SeeOptions& options,
                                              see::StatsFile::Access access) {
  auto stats = see::StatsFile::open(options.stats, access);
  if (stats) return std::move(*stats);
  using Kind = see::Failure::Kind;
  fmt::print(stderr, "weir {}: {}\n", command, stats.error().sentence);
  const Kind kind = stats.error().kind;
  if (kind == Kind::absent) fmt::print(stderr, "weir {}: weir-dataplane writes it where its --stats says\n", command);
  return std::unexpected(kind == Kind::forbidden ? exit_not_permitted
                         : kind == Kind::foreign ? exit_invalid
                         : kind == Kind::taken   ? exit_no
                                                 : exit_unreachable);
}

void stop_on_signals() {
  struct sigaction act{};
  act.sa_handler = stop;
  sigaction(SIGINT, &act, nullptr);
  sigaction(SIGTERM, &act, nullptr);
}

bool is_stopped() { return stopped != 0; }

bool pause_for(double seconds) {
  using Clock = std::chrono::steady_clock;
  const auto until = Clock::now() + std::chrono::duration_cast<Clock::duration>(std::chrono::duration<double>(seconds));
  while (!is_stopped()) {
    const auto left = std::chrono::ceil<std::chrono::milliseconds>(until - Clock::now()).count();
    if (left <= 0) return true;
    poll(nullptr, 0, static_cast<int>(std::min<decltype(left)>(left, 200)));
  }
  return false;
}

std::string end_text(const Address& address, u16 port, std::string_view segment) {
  std::string text = see::text_of(address);
  if (port != 0) text = address.is_ipv4() ? fmt::format("{}:{}", text, port) : fmt::format("[{}]:{}", text, port);
  return segment.empty() ? text : fmt::format("{} ({})", text, segment);
}

std::optional<see::Filter> filter_of(const std::string& command, const std::vector<std::string>& words) {
  const std::string text = fmt::format("{}", fmt::join(words, " "));
  auto filter = see::Filter::parse(text);
  if (filter) return std::move(*filter);
  fmt::print(stderr, "weir {}: {}\n", command, see::show(filter.error(), text));
  return std::nullopt;
}

see::Names::Ask names_by_door(const std::string& path) {
  if (path.empty()) return {};
  return
      [path](const std::vector<std::string>& port_names,
             see::Names::Whose whose) -> std::expected<std::unique_ptr<see::PolicyNames>, std::string> {
        auto door = control::Door::reach(path);
        if (!door) return std::unexpected(door.error().sentence);
        auto names = see::ask_names(*door, port_names, whose);
        if (!names) return std::unexpected(names.error().sentence);
        return std::move(*names);
      };
}

std::string policy_name(see::Names& names, u64 generation) {
  const see::PolicyNames* const policy = names.of(static_cast<u32>(generation));
  return policy == nullptr ? "" : std::string(policy->policy().name());
}

}  // namespace weir
