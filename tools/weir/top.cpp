// `weir top`: one screen that is drawn anew every second: rates, workers and how full their bursts are, drops by reason
// with what they mean, budgets by how much is left. It reads counters and asks the door; keys do nothing but leave.
#include "control/door/door.hpp"
#include "control/see/counts.hpp"
#include "tools/weir/see.hpp"

#include <fmt/format.h>
#include <ncurses.h>
#include <unistd.h>
#include <CLI/CLI.hpp>
#include <algorithm>
#include <clocale>
#include <memory>

namespace weir {
namespace {

using see::Counts, see::WorkerCounts, see::Row;

struct TopOptions {
  SeeOptions see;
  std::string door;
};

constexpr double burst_full = 0.9;  // of burst_packets_max: a worker that has no time left
constexpr double budget_low = 0.9;

enum class Look { plain, head, warn };
struct Line {
  Look look;
  std::string text;
};

std::string rate(u64 count, double seconds, const char* unit) {
  constexpr const char* scales[] = {"", "k", "M", "G", "T"};
  double amount = static_cast<double>(count) / seconds;
  std::size_t scale = 0;
  for (; amount >= 10'000 && scale + 1 < std::size(scales); ++scale) amount /= 1000;
  return fmt::format("{:.{}f} {}{}", amount, scale == 0 ? 0 : 1, scales[scale], unit);
}

struct Moment {
  Counts counts;
  control::DoorAnswer door;
  bool has_door = false;
  std::string door_fault;
};

// Of its time, what a worker did not sleep: all of it, where it was not told to sleep when idle.
double busy_share(const WorkerCounts& change, double seconds) {
  return 1 - std::min(1.0, static_cast<double>(change.of(Row::slept_us)) / (seconds * 1e6));
}

void add_sums(std::vector<Line>& lines, const Counts& change, const WorkerCounts& sum, double seconds) {
  u64 passed = 0, passed_bytes = 0, dropped = 0;
  for (std::size_t reason = 0; reason < reasons_count; ++reason) {
    const bool is_drop = reason_rows[reason].verdict == Verdict::drop;
    (is_drop ? dropped : passed) += sum.reasons[reason].packets;
    if (!is_drop) passed_bytes += sum.reasons[reason].bytes;
  }
  lines.push_back(
      {Look::plain, fmt::format("in {}   passed {}, {}   dropped {}   unsent {}",
                                rate(sum.of(Row::received) - sum.of(Row::handed_over), seconds, "pkt/s"),
                                rate(passed, seconds, "pkt/s"), rate(passed_bytes * 8, seconds, "bit/s"),
                                rate(dropped, seconds, "pkt/s"), rate(sum.of(Row::unsent), seconds, "/s"))});
  lines.push_back(
      {Look::plain,
       fmt::format("flows {}   opened {}   ended {}   events {}   lost {}", sum.of(Row::flows_live),
                   rate(sum.of(Row::flows_opened), seconds, "/s"), rate(sum.of(Row::flows_expired), seconds, "/s"),
                   rate(sum.events_told, seconds, "/s"), rate(sum.events_lost, seconds, "/s"))});
  lines.push_back(
      {Look::head, fmt::format("{:<8}{:>16}{:>16}{:>14}{:>8}{:>10}", "WORKER", "PACKETS", "A BURST", "FLOWS", "BUSY",
                               "STATE")});
  for (std::size_t worker = 0; worker < change.workers.size(); ++worker) {
    const WorkerCounts& one = change.workers[worker];
    const u64 bursts = one.of(Row::bursts);
    const double fill = bursts == 0 ? 0 : static_cast<double>(one.of(Row::received)) / static_cast<double>(bursts);
    const bool is_silent = one.heartbeat_us == 0, is_full = fill > burst_full * burst_packets_max;
    lines.push_back({is_silent || is_full ? Look::warn : Look::plain,
                     fmt::format("{:<8}{:>16}{:>16.1f}{:>14}{:>7.0f}%{:>10}", worker,
                                 rate(one.of(Row::received), seconds, "/s"), fill, one.of(Row::flows_live),
                                 100 * busy_share(one, seconds),
                                 is_silent ? "silent"
                                 : is_full ? "full"
                                           : "well")});
  }
}

void add_drops(std::vector<Line>& lines, const WorkerCounts& sum, double seconds) {
  lines.push_back({Look::head, fmt::format("{:<24}{:>14}  {}", "DROPPED", "PACKETS", "BECAUSE")});
  const auto met = see::met_reasons(sum, true);
  for (std::size_t at = 0; at < std::min<std::size_t>(met.size(), 8); ++at)
    lines.push_back(
        {Look::plain, fmt::format("{:<24}{:>14}  {}", row(met[at].reason).name,
                                  rate(met[at].amount.packets, seconds, "/s"), row(met[at].reason).sentence)});
  if (met.empty()) lines.push_back({Look::plain, "nothing"});
}

void add_budgets(std::vector<Line>& lines, Moment& now) {
  if (!now.has_door) {
    if (!now.door_fault.empty()) lines.push_back({Look::warn, now.door_fault});
    return;
  }
  const auto share = [](const door::BudgetStatus& one) {
    return one.limit == 0 ? 1 : static_cast<double>(one.spent + one.leased) / static_cast<double>(one.limit);
  };
  const bool is_closed = now.door.answer.ledger == door::LedgerState::closed;
  lines.push_back({is_closed ? Look::warn : Look::head,
                   fmt::format("{:<40}{:>10}{:>20}  {}", "BUDGET", "SPENT", "LEFT", is_closed ? "LEDGER CLOSED" : "")});
  std::ranges::stable_sort(now.door.budgets, std::greater(), share);
  for (std::size_t at = 0; at < std::min<std::size_t>(now.door.budgets.size(), 8); ++at) {
    const door::BudgetStatus& one = now.door.budgets[at];
    lines.push_back({share(one) > budget_low ? Look::warn : Look::plain,
                     fmt::format("{:<40}{:>9.1f}%{:>20}", control::door_text(one.name), 100 * share(one),
                                 one.limit - std::min(one.limit, one.spent + one.leased))});
  }
  if (now.door.budgets.empty()) lines.push_back({Look::plain, "none in force"});
  if (const std::string cut = control::door_text(now.door.answer.quarantined); !cut.empty())
    lines.push_back({Look::warn, "in quarantine: " + cut});
}

std::vector<Line> screen_of(const Counts& change, Moment& now, const std::string& policy, double seconds) {
  std::vector<Line> lines;
  const WorkerCounts sum = change.sum();
  const std::string name = now.has_door ? control::door_text(now.door.answer.policy_name) : policy;
  lines.push_back(
      {change.generation == 0 ? Look::warn : Look::head,
       change.generation == 0
           ? std::string("weir top: NO POLICY, everything is denied")
           : fmt::format("weir top: generation {}{}{}{}", change.generation, name.empty() ? "" : " of policy ", name,
                         now.has_door ? fmt::format(", up {} s", now.door.answer.uptime_s) : "")});
  if (const std::string open = now.has_door ? control::door_text(now.door.answer.breakglass) : ""; !open.empty())
    lines.push_back({Look::warn, fmt::format("BREAKGLASS: `{}` is open for another {} s", open,
                                             now.door.answer.confirm_left_ms / 1000)});
  add_sums(lines, change, sum, seconds);
  add_drops(lines, sum, seconds);
  add_budgets(lines, now);
  return lines;
}

Moment take_moment(const see::StatsFile& stats, const std::string& path) {
  Moment moment{see::read_counts(stats), {}, false, {}};
  if (path.empty()) return moment;
  const auto fails = [&](const control::DoorFailure& failure) {
    moment.door_fault = failure.sentence;
    return moment;
  };
  auto door = control::Door::reach(path);
  if (!door) return fails(door.error());
  const auto request = control::door_request(door::Act::status);
  if (!request) return fails(request.error());
  auto told = door->ask(*request);
  if (!told) return fails(told.error());
  moment.door = std::move(*told);
  moment.has_door = true;
  return moment;
}

// The terminal for as long as it lives.
class Screen {
 public:
  Screen() {
    std::setlocale(LC_ALL, "");
    initscr();
    cbreak(), noecho(), curs_set(0), nodelay(stdscr, TRUE), keypad(stdscr, TRUE);
  }
  ~Screen() { endwin(); }
  Screen(const Screen&) = delete;

  void draw(const std::vector<Line>& lines) {
    erase();
    for (int at = 0; at < static_cast<int>(lines.size()) && at < LINES; ++at) {
      const attr_t look = lines[at].look == Look::head   ? A_REVERSE
                          : lines[at].look == Look::warn ? A_BOLD | A_STANDOUT
                                                         : A_NORMAL;
      attrset(static_cast<int>(look));
      std::string text = lines[at].text.substr(0, static_cast<std::size_t>(COLS));
      if (lines[at].look == Look::head) text.resize(static_cast<std::size_t>(COLS), ' ');
      mvaddnstr(at, 0, text.c_str(), COLS);
    }
    refresh();
  }
  // Waits, and says whether somebody wants to leave.
  bool leaves(double seconds) {
    for (double waited = 0; waited < seconds && !is_stopped(); waited += 0.1) {
      if (const int key = getch(); key == 'q' || key == 'Q') return true;
      if (!pause_for(0.1)) return true;
    }
    return is_stopped();
  }
};

int top(TopOptions options) {
  auto stats = open_stats("top", options.see);
  if (!stats) return stats.error();
  if (isatty(STDOUT_FILENO) == 0) {
    fmt::print(stderr, "weir top: standard output is no terminal; `weir counters --every 1` is for files\n");
    return exit_invalid;
  }
  if (options.see.every_s == 0) options.see.every_s = 1;
  see::Names names(options.see.policies, stats->port_names());
  Screen screen;
  Moment before = take_moment(*stats, options.door);
  for (unsigned drawn = 0; !screen.leaves(drawn == 0 ? 0.2 : options.see.every_s); ++drawn) {
    if (options.see.count != 0 && drawn == options.see.count) break;
    if (stats->is_replaced()) {
      if (auto again = see::StatsFile::open(options.see.stats)) *stats = std::move(*again);
      before = take_moment(*stats, options.door);
      continue;
    }
    Moment now = take_moment(*stats, options.door);
    const double seconds = std::max(see::seconds_between(before.counts, now.counts), 1e-3);
    screen.draw(
        screen_of(see::between(before.counts, now.counts), now, policy_name(names, now.counts.generation), seconds));
    before = std::move(now);
  }
  return exit_yes;
}

}  // namespace

void add_top(CLI::App& app, int& exit_code) {
  const auto options = std::make_shared<TopOptions>();
  CLI::App* command = app.add_subcommand("top", "Rates, workers, drops and budgets on one screen; q leaves");
  add_stats(*command, options->see);
  add_every(*command, options->see);
  command->add_option("--policy", options->see.policies, "Images, or folders of images, that names are taken from");
  command->add_option("--door", options->door, "The dataplane's door: budgets and the ledger as well");
  command->callback([options, &exit_code] {
    stop_on_signals();
    exit_code = top(*options);
  });
}

}  // namespace weir
