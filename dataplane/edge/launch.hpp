// Which threads there are and where they run: workers on EAL's lcores (the first on main's own), reader, writer,
// door and the keeper of accounts as ordinary threads on whatever cores the process was given.
#pragma once
#include "dataplane/base/limits.hpp"
#include "dataplane/edge/error.hpp"

#include <sched.h>

#include <expected>
#include <functional>

namespace weir::edge {

// The cores this process was given, before EAL pinned the main thread to one of them.
class OrdinaryCores {
 public:
  static OrdinaryCores of_this_thread();
  void enter() const;  // the calling thread may run on all of them

 private:
  cpu_set_t cores_;
};

// An error when EAL has fewer lcores than workers.
std::expected<void, Error> check_lcores(u32 workers);

// Runs work(worker) on one lcore each, worker 0 on the calling one, which must be main's; returns when all have ended.
void run_on_lcores(u32 workers, const std::function<void(u32)>& work);

}  // namespace weir::edge
