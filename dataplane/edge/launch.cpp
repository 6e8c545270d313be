#include "dataplane/edge/launch.hpp"

#include "dataplane/base/check.hpp"

#include <fmt/format.h>
#include <rte_launch.h>
#include <rte_lcore.h>

#include <vector>

namespace weir::edge {

OrdinaryCores OrdinaryCores::of_this_thread() {
  OrdinaryCores cores;
  WEIR_CHECK(sched_getaffinity(0, sizeof cores.cores_, &cores.cores_) == 0);
  return cores;
}

void OrdinaryCores::enter() const { sched_setaffinity(0, sizeof cores_, &cores_); }

std::expected<void, Error> check_lcores(u32 workers) {
  if (rte_lcore_count() >= workers) return {};
  return std::unexpected(Error{
      fmt::format("{} workers need {} lcores and EAL has {}: give it -l 0-{}, or --lcores '(0-{})@0' to share a core",
                  workers, workers, rte_lcore_count(), workers - 1, workers - 1)});
}

void run_on_lcores(u32 workers, const std::function<void(u32)>& work) {
  struct Job {
    const std::function<void(u32)>* work;
    u32 worker;
  };
  const auto start = [](void* argument) {
    const Job& job = *static_cast<Job*>(argument);
    (*job.work)(job.worker);
    return 0;
  };
  std::vector<Job> jobs(workers);
  u32 worker = 1;
  u32 lcore = 0;
  RTE_LCORE_FOREACH_WORKER(lcore) {
    if (worker == workers) break;
    jobs[worker] = {&work, worker};
    WEIR_CHECK(rte_eal_remote_launch(start, &jobs[worker], lcore) == 0);
    ++worker;
  }
  WEIR_CHECK(worker == workers);
  work(0);
  rte_eal_mp_wait_lcore();
}

}  // namespace weir::edge
