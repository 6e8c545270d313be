// `weir door`: what is said to a running dataplane at the lowest level. It hands an image over and prints answers; it
// neither compiles nor decides.
#pragma once
#include <string>

namespace CLI {
class App;
}

namespace weir {

struct DoorOptions {
  std::string socket;
  std::string image;            // install
  bool force = false;           // install: also a lower generation
  std::string output = "table"; // or json
  enum class Act { install, status, flush } act = Act::status;
};

// Declares SOCKET and the acts `install`, `status` and `flush` of the `door` command.
void add_door_options(CLI::App& command, DoorOptions& options);

// The command; returns its exit code: 0, 1 refused, 2 usage, 3 nobody answers, 4 not permitted.
int door_command(const DoorOptions& options);

}  // namespace weir
