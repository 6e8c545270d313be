// `weir door`, `weir job` and `weir quarantine`: what is said to a running dataplane at the lowest level. They hand
// images and lessons over, seal jobs, let ports go and print answers; they neither compile nor decide.
#pragma once
#include <cstdint>
#include <string>

namespace CLI {
class App;
}

namespace weir {

struct DoorOptions {
  std::string socket;
  std::string image;            // install, shadow
  bool force = false;           // install: also a lower generation
  std::string fallback;         // install: image that comes into force without a confirmation in time
  std::string within;           // install: that time, "5m"; put: for how long
  bool replaces_trial = false;  // install: also where a policy awaits its confirmation
  bool is_off = false;          // shadow: none any more
  std::uint64_t generation = 0; // confirm: which, 0: whichever is on trial
  std::string name;             // of a job; install: of a breakglass allow; cut_port, release_port: of a port; put,
                                // let_go: a host or flow
  std::string lessons;          // export_lessons, import_lessons: the file
  std::string output = "table"; // or json
  enum class Act {
    install,
    confirm,
    status,
    flush,
    seal_job,
    open_job,
    members,
    alarms,
    export_lessons,
    import_lessons,
    quarantined,
    cut_port,
    release_port,
    put,
    let_go,
    shadow,
    end_shadow,
  } act = Act::status;
};

// Declares SOCKET and the acts `install`, `confirm`, `status`, `flush`, `alarms` and `shadow` of the `door` command.
void add_door_options(CLI::App& command, DoorOptions& options);

// Declares SOCKET and the acts `seal`, `open`, `members`, `export` and `import` of the `job` command.
void add_job_options(CLI::App& command, DoorOptions& options);

// Declares SOCKET and the acts `list`, `cut`, `release`, `put` and `free` of the `quarantine` command.
void add_quarantine_options(CLI::App& command, DoorOptions& options);

// Any of them; returns its exit code: 0, 1 refused, 2 usage, 3 nobody answers, 4 not permitted.
int door_command(const DoorOptions& options);
// The acts `quarantined`, `put` and `let_go`, likewise.
int quarantine_command(const DoorOptions& options);

}  // namespace weir
