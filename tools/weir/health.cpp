// `weir health SOCKET`: whether a running dataplane is well, on one screen, for who was woken at night. What needs
// somebody stands at the top of its line with `!`, and the exit code is then 1. What it cannot know it says so.
#include "control/door/door.hpp"
#include "tools/weir/rules.hpp"
#include "tools/weir/see.hpp"
#include "tools/weir/shadow.hpp"

#include <fmt/format.h>
#include <CLI/CLI.hpp>
#include <algorithm>
#include <chrono>
#include <memory>
#include <nlohmann/json.hpp>

namespace weir {
namespace {

using Json = nlohmann::ordered_json;
using control::DoorAnswer, control::DoorFailure;

constexpr double sample_s = 0.5;
constexpr double soon_spent = 0.9;
constexpr std::size_t reasons_shown = 5, budgets_shown = 5;

struct HealthOptions {
  std::string door, output = "table";
};

struct Drop {
  const ReasonRow* row;
  u64 packets, in_sample;
};

// What was found: each with whether it needs somebody.
struct Health {
  DoorAnswer now;
  double seconds = 0;
  bool workers_answer = false;
  std::string silence;  // why they do not
  u64 received = 0, in_sample = 0, unsent = 0, flows = 0;
  std::vector<Drop> drops;
  std::vector<door::BudgetStatus> budgets;  // the fullest first
};

double share_of(const door::BudgetStatus& budget) {
  return budget.limit == 0 ? 1 : static_cast<double>(budget.spent + budget.leased) / static_cast<double>(budget.limit);
}

std::expected<DoorAnswer, DoorFailure> ask(control::Door& door, door::Act act) {
  const auto request = control::door_request(act);
  if (!request) return std::unexpected(request.error());
  return door.ask(*request);
}

std::expected<Health, DoorFailure> examine(const std::string& path) {
  auto door = control::Door::reach(path);
  if (!door) return std::unexpected(door.error());
  const auto before = ask(*door, door::Act::status);
  if (!before) return std::unexpected(before.error());
  // Every worker has to answer this between two bursts: one that is stuck does not.
  const auto alive = ask(*door, door::Act::alarms);
  if (!alive) return std::unexpected(alive.error());
  pause_for(sample_s);
  auto after = ask(*door, door::Act::status);
  if (!after) return std::unexpected(after.error());
  Health health;
  health.seconds = sample_s;
  health.workers_answer = alive->is_done();
  if (!alive->is_done()) health.silence = control::refusal_text(alive->answer);
  std::vector<Drop> drops(reasons_count);
  for (std::size_t worker = 0; worker < after->workers.size(); ++worker) {
    const door::WorkerStatus& one = after->workers[worker];
    const bool has_old = worker < before->workers.size();
    const auto since = [&](u64 now, u64 old) { return has_old ? now - std::min(now, old) : 0; };
    const door::WorkerStatus& old = has_old ? before->workers[worker] : one;
    health.received += one.received - one.handed_over;
    health.in_sample += since(one.received - one.handed_over, old.received - old.handed_over);
    health.unsent += one.unsent;
    health.flows += one.flows_live;
    for (std::size_t reason = 0; reason < reasons_count; ++reason) {
      drops[reason].row = &reason_rows[reason];
      drops[reason].packets += one.packets[reason];
      drops[reason].in_sample += since(one.packets[reason], old.packets[reason]);
    }
  }
  for (const Drop& one : drops)
    if (one.row != nullptr && one.row->verdict == Verdict::drop && one.packets != 0) health.drops.push_back(one);
  std::ranges::sort(health.drops, std::greater(),
                    [](const Drop& one) { return std::pair(one.in_sample, one.packets); });
  health.budgets = after->budgets;
  std::ranges::stable_sort(health.budgets, std::greater(), share_of);
  health.now = std::move(*after);
  return health;
}

bool ledger_fails(const door::Answer& answer) { return answer.ledger == door::LedgerState::closed; }

// Whether the policy in force only watches.
bool only_watches(const door::Answer& answer) {
  const auto now = std::chrono::system_clock::now().time_since_epoch();
  return answer.monitor_until > static_cast<u64>(std::chrono::duration_cast<std::chrono::microseconds>(now).count());
}

bool needs_somebody(const Health& health) {
  const door::Answer& answer = health.now.answer;
  return answer.generation == 0 || only_watches(answer) || !health.workers_answer || ledger_fails(answer) ||
         answer.breakglass[0] != '\0' || answer.quarantined[0] != '\0' || answer.links_down[0] != '\0' ||
         answer.fallback_sentence[0] != '\0' ||
         std::ranges::any_of(health.budgets, [](const auto& one) { return share_of(one) >= soon_spent; });
}

std::string duration(u64 seconds) {
  if (seconds < 120) return fmt::format("{} s", seconds);
  if (seconds < 7200) return fmt::format("{} min", seconds / 60);
  if (seconds < 172800) return fmt::format("{} h", seconds / 3600);
  return fmt::format("{} d", seconds / 86400);
}

std::string bytes_text(u64 bytes) {
  constexpr const char* units[] = {"B", "kB", "MB", "GB", "TB", "PB", "EB"};
  auto amount = static_cast<double>(bytes);
  std::size_t unit = 0;
  for (; amount >= 1000 && unit + 1 < std::size(units); ++unit) amount /= 1000;
  return unit == 0 ? fmt::format("{} B", bytes) : fmt::format("{:.1f} {}", amount, units[unit]);
}

void line(bool needs, std::string_view what, const std::string& text) {
  fmt::print("{} {:<11}{}\n", needs ? '!' : ' ', what, text);
}

void print_policy(const door::Answer& answer) {
  if (answer.generation == 0) line(true, "policy", "NONE: everything is denied");
  else
    line(only_watches(answer), "policy",
         fmt::format("{}, generation {}{}", control::door_text(answer.policy_name), answer.generation,
                     only_watches(answer) ? ": MONITOR MODE, nothing is denied" : ""));
  const std::string empty = control::door_text(answer.restart_sentence);
  line(false, "up",
       duration(answer.uptime_s) +
           (!empty.empty() ? fmt::format(", started empty: {}", empty)
            : answer.restart_blocked_us != 0
                ? fmt::format(", with {} flows of the run before, {} ms after it", answer.flows_kept,
                              answer.restart_blocked_us / 1000)
                : ""));
  if (answer.shadow_generation != 0) line(false, "shadow", shadow_text(control::shadow_json(answer)));
  if (answer.awaited_generation == 0) return;
  const std::string why = control::door_text(answer.fallback_sentence);
  if (const std::string open = control::door_text(answer.breakglass); !open.empty())
    return line(true, "breakglass",
                why.empty() ? fmt::format("`{}` IS OPEN for another {}", open, duration(answer.confirm_left_ms / 1000))
                            : fmt::format("the time of `{}` is over, and what closes it is not in force: {}", open,
                                          why));
  line(!why.empty(), "trial",
       why.empty()
           ? fmt::format("generation {} falls back to {} in {} unless it is confirmed", answer.awaited_generation,
                         answer.fallback_generation, duration(answer.confirm_left_ms / 1000))
           : fmt::format("the time to confirm is over, and the fallback is not in force: {}", why));
}

void print_budgets(const Health& health) {
  const door::Answer& answer = health.now.answer;
  const char* const states[] = {"none: what a budget covers is denied", "open", "CLOSED"};
  const std::string why = control::door_text(answer.ledger_sentence);
  line(ledger_fails(answer), "ledger",
       fmt::format("{}{}{}, {} accounts", states[static_cast<u32>(answer.ledger) % 3], why.empty() ? "" : ": ", why,
                   answer.budgets_in_force));
  for (std::size_t at = 0; at < std::min(budgets_shown, health.budgets.size()); ++at) {
    const door::BudgetStatus& one = health.budgets[at];
    const u64 used = std::min(one.limit, one.spent + one.leased);
    line(share_of(one) >= soon_spent, "budget",
         fmt::format("{}: {:.1f} % spent or lent, {} of {} left{}", control::door_text(one.name), 100 * share_of(one),
                     bytes_text(one.limit - used), bytes_text(one.limit),
                     one.length_s == 0 ? " for ever" : " in " + duration(one.length_s)));
  }
}

void print_table(const Health& health) {
  const door::Answer& answer = health.now.answer;
  print_policy(answer);
  line(!health.workers_answer, "workers",
       health.workers_answer ? fmt::format("all {} answer", health.now.workers.size())
                             : fmt::format("NOT ALL of {} answer: {}", health.now.workers.size(), health.silence));
  line(false, "packets",
       fmt::format("{:.0f} a second now, {} since the start; {} frames that ports did not take",
                   static_cast<double>(health.in_sample) / health.seconds, health.received, health.unsent));
  line(false, "flows", fmt::format("{} remembered", health.flows));
  print_budgets(health);
  const std::string cut = control::door_text(answer.quarantined);
  line(!cut.empty(), "quarantine", cut.empty() ? "nobody" : "CUT OFF: " + cut);
  if (const std::string down = control::door_text(answer.links_down); !down.empty())
    line(true, "links", "DOWN: " + down);
  if (health.drops.empty()) line(false, "drops", "none since the start");
  for (std::size_t at = 0; at < std::min(reasons_shown, health.drops.size()); ++at) {
    const Drop& one = health.drops[at];
    line(false, at == 0 ? "drops" : "",
         fmt::format("{:<22} {:.0f} a second now, {} since the start", one.row->name,
                     static_cast<double>(one.in_sample) / health.seconds, one.packets));
  }
}

void print_json(const Health& health) {
  const door::Answer& answer = health.now.answer;
  Json made = {{"needs_somebody", needs_somebody(health)},
               {"generation", answer.generation},
               {"policy", control::door_text(answer.policy_name)},
               {"monitor", only_watches(answer)},
               {"uptime_s", answer.uptime_s},
               {"workers", health.now.workers.size()},
               {"workers_answer", health.workers_answer},
               {"packets", health.received},
               {"packets_per_s", static_cast<double>(health.in_sample) / health.seconds},
               {"flows", health.flows},
               {"ledger_closed", ledger_fails(answer)},
               {"quarantined", control::door_text(answer.quarantined)},
               {"links_down", control::door_text(answer.links_down)},
               {"shadow", control::shadow_json(answer)},
               {"breakglass", control::door_text(answer.breakglass)}};
  made["budgets"] = Json::array();
  for (const door::BudgetStatus& one : health.budgets)
    made["budgets"].push_back({{"name", control::door_text(one.name)}, {"share", share_of(one)}, {"limit", one.limit}});
  made["drops"] = Json::array();
  for (const Drop& one : health.drops)
    made["drops"].push_back({{"reason", one.row->name}, {"packets", one.packets}, {"in_sample", one.in_sample}});
  fmt::print("{}", text_of(made, false));
}

int health_of(const HealthOptions& options) {
  const auto health = examine(options.door);
  if (!health) {
    fmt::print(stderr, "weir health: {}\n", health.error().sentence);
    using Kind = DoorFailure::Kind;
    return health.error().kind == Kind::not_permitted ? exit_not_permitted
           : health.error().kind == Kind::usage       ? exit_invalid
                                                      : exit_unreachable;
  }
  options.output == "json" ? print_json(*health) : print_table(*health);
  return needs_somebody(*health) ? exit_no : exit_yes;
}

}  // namespace

void add_health(CLI::App& app, int& exit_code) {
  const auto options = std::make_shared<HealthOptions>();
  CLI::App* command = app.add_subcommand("health", "Whether a running dataplane is well, on one screen");
  command->add_option("socket", options->door, "The dataplane's door")->required();
  command->add_option("-o,--output", options->output, "table or json")->check(CLI::IsMember({"table", "json"}));
  command->callback([options, &exit_code] {
    stop_on_signals();
    exit_code = health_of(*options);
  });
}

}  // namespace weir
