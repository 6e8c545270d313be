// What the commands that watch a running dataplane have in common: which stats file, whose names, how often, and the
// exit codes 3 (nobody there) and 4 (not permitted). They change nothing but, where they take events, the rings' tails.
#pragma once
#include "control/see/counts.hpp"
#include "control/see/filter.hpp"
#include "control/see/names.hpp"
#include "tools/weir/commands.hpp"

#include <expected>
#include <optional>
#include <string>
#include <vector>

namespace CLI {
class App;
}

namespace weir {

inline constexpr int exit_unreachable = 3, exit_not_permitted = 4;
inline constexpr char stats_default[] = "/run/weir/stats";

struct SeeOptions {
  std::string stats = stats_default;
  std::vector<std::string> policies;  // images, or folders of them
  std::string output = "table";
  double every_s = 0;  // 0: once
  unsigned count = 0;  // how many times; 0: until interrupted
};

// --stats.
void add_stats(CLI::App& command, SeeOptions& options);
// --policy, --output.
void add_names(CLI::App& command, SeeOptions& options);
// --every, --count.
void add_every(CLI::App& command, SeeOptions& options);

// Says why on stderr and returns the exit code where it cannot.
std::expected<see::StatsFile, int> open_stats(const std::string& command, const SeeOptions& options,
                                              see::StatsFile::Access access = see::StatsFile::Access::look);

// SIGINT and SIGTERM end a pause, and with it the command, in its own time.
void stop_on_signals();
bool is_stopped();
// False when it was ended by a signal.
bool pause_for(double seconds);

// "10.0.0.1:443 (store)": an end of a flow, for people.
std::string end_text(const Address& address, u16 port, std::string_view segment);

// The words of a command line as one filter; its error is told on stderr.
std::optional<see::Filter> filter_of(const std::string& command, const std::vector<std::string>& words);

// By which names of the policy in force are asked of the door; none where `door` is "".
see::Names::Ask names_by_door(const std::string& door);

// The name of the policy in force, "" where no image of its generation is at hand.
std::string policy_name(see::Names& names, u64 generation);

}  // namespace weir
