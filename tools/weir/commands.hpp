// The subcommands of `weir`. Each add_ function declares one; its callback runs it and stores the exit code. They are
// 0 yes or clean, 1 a negative answer, 2 usage or an invalid policy. stdout is the result, stderr the diagnostics.
#pragma once

namespace CLI {
class App;
}

namespace weir {

inline constexpr int exit_yes = 0, exit_no = 1, exit_invalid = 2;
inline constexpr char version_text[] = WEIR_VERSION;

void add_check(CLI::App& app, int& exit_code);
void add_compile(CLI::App& app, int& exit_code);
void add_test(CLI::App& app, int& exit_code);
void add_explain(CLI::App& app, int& exit_code);
void add_diff(CLI::App& app, int& exit_code);
void add_bound(CLI::App& app, int& exit_code);
void add_doctor(CLI::App& app, int& exit_code);
void add_dump(CLI::App& app, int& exit_code);
void add_fmt(CLI::App& app, int& exit_code);
void add_report(CLI::App& app, int& exit_code);
void add_recommend(CLI::App& app, int& exit_code);
void add_schema(CLI::App& app, int& exit_code);
void add_thief(CLI::App& app, int& exit_code);
void add_counters(CLI::App& app, int& exit_code);
void add_hits(CLI::App& app, int& exit_code);
void add_drops(CLI::App& app, int& exit_code);
void add_events(CLI::App& app, int& exit_code);
void add_metrics(CLI::App& app, int& exit_code);
void add_flows(CLI::App& app, int& exit_code);
void add_watch(CLI::App& app, int& exit_code);
void add_capture(CLI::App& app, int& exit_code);
void add_trace(CLI::App& app, int& exit_code);
void add_health(CLI::App& app, int& exit_code);
void add_top(CLI::App& app, int& exit_code);

}  // namespace weir
