#include "tools/weir/replay_shadow.hpp"

#include "control/see/eve.hpp"
#include "tools/weir/shadow.hpp"

#include <fmt/format.h>
#include <cstdio>

namespace weir {

std::expected<std::unique_ptr<ReplayShadow>, std::string> ReplayShadow::open(const std::string& path,
                                                                             const std::array<std::string, 2>& names) {
  auto file = open_policy(path);
  if (!file) return std::unexpected(file.error());
  return std::unique_ptr<ReplayShadow>(new ReplayShadow(std::move(*file), names));
}

ReplayShadow::ReplayShadow(PolicyFile file, const std::array<std::string, 2>& names)
    : file_(std::move(file)),
      ports_(names.begin(), names.end()),
      installed_(bind_ports(file_.policy, std::vector<std::string_view>(ports_.begin(), ports_.end()))),
      names_(see::PolicyNames::over(file_.policy, ports_)) {}

void ReplayShadow::lend_to(InstalledPolicy& live) {
  live.shadow = &installed_;
  live_ = see::PolicyNames::over(live.policy, ports_);
}

void ReplayShadow::tell(ReplayRun& run, bool prints) {
  for (Event event; run.take_event(event);) {
    if (!is_of_shadow(event.kind)) continue;
    see::EventNames names = live_->of(event);
    names.shadow = names_->of_shadow(event);
    auto line = nlohmann::ordered_json::parse(see::eve_line(event, names, ports_[event.port % 2]));
    if (prints) fmt::print("{} {}\n", see::eve_time(event.time).substr(0, 26), disagreement_text(line));
    else lines_.push_back(std::move(line));
  }
}

void ReplayShadow::print_counts(const ReplayRun& run) const {
  const WorkerCounters& counters = run.counters();
  fmt::print("\nshadow `{}`: {} questions; {} would pass now, {} would be denied now, {} of them not told\n",
             file_.policy.name(), counters.shadow_compared.read(), counters.shadow_would_pass.read(),
             counters.shadow_would_deny.read(), counters.shadow_untold.read());
}

nlohmann::ordered_json ReplayShadow::json(const ReplayRun& run) const {
  const WorkerCounters& counters = run.counters();
  return {{"policy", file_.policy.name()},
          {"compared", counters.shadow_compared.read()},
          {"would_pass", counters.shadow_would_pass.read()},
          {"would_deny", counters.shadow_would_deny.read()},
          {"untold", counters.shadow_untold.read()},
          {"disagreements", lines_}};
}

}  // namespace weir
