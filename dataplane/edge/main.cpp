// weir-dataplane: options, EAL, ports, and then the dataplane until it ends. What a step means stands in its own file.
#include "dataplane/edge/confine.hpp"
#include "dataplane/edge/dataplane.hpp"

#include <fmt/format.h>
#include <rte_eal.h>
#include <rte_errno.h>
#include <signal.h>

#include <exception>

namespace weir::edge {
namespace {

constexpr int exit_failed = 1;
constexpr int exit_usage = 2;

std::atomic<bool> stop_wanted{false};
static_assert(std::atomic<bool>::is_always_lock_free);

int fail(const Error& error) {
  say(error.sentence);
  return exit_failed;
}

void stop_on_signals() {
  struct sigaction action{};
  action.sa_handler = [](int) { stop_wanted.store(true, std::memory_order_relaxed); };
  sigaction(SIGINT, &action, nullptr);
  sigaction(SIGTERM, &action, nullptr);
  signal(SIGPIPE, SIG_IGN);
}

std::expected<void, Error> start_eal(const Options& options) {
  std::vector<std::string> arguments = options.eal;
  std::vector<char*> pointers;
  for (std::string& argument : arguments) pointers.push_back(argument.data());
  if (rte_eal_init(static_cast<int>(pointers.size()), pointers.data()) >= 0) return {};
  return std::unexpected(
      Error{fmt::format("EAL does not start ({}): see its lines above; without huge pages it needs "
                        "-- --no-huge -m 512 --no-shconf --no-pci",
                        rte_strerror(rte_errno))});
}

// On ports that are open; the exit code.
int run_on_ports(const Options& options, const OrdinaryCores& ordinary) {
  if (auto enough = check_lcores(options.workers); !enough) return fail(enough.error());
  auto ports = Ports::open(options);
  if (!ports) return fail(ports.error());
  if (!options.decisions_path.empty() && !ports->all_file_backed()) {
    say("--decisions is lossless and so for capture files only: a live port cannot wait");
    return exit_usage;
  }
  if (options.trust_checksums && !ports->all_file_backed()) {
    say("--trust-checksums is for capture files: on a live port an unfinished checksum is a wrong one");
    return exit_usage;
  }
  if (!options.ledger_path.empty() && ports->all_file_backed()) {
    say("--ledger is for live ports: a capture's bytes left long ago");
    return exit_usage;
  }
  if (!options.keep_path.empty() && ports->all_file_backed()) {
    say("--keep is for live ports: a capture's flows end with it");
    return exit_usage;
  }
  if (options.sleep && ports->all_file_backed()) {
    say("--sleep is for live ports: capture files are read without a pause");
    return exit_usage;
  }
  const auto ran = Dataplane(options, *ports, ordinary).run(stop_wanted);
  return ran ? 0 : fail(ran.error());
}

int run_program(int argc, char** argv) {
  const auto options = read_options(argc, argv);
  if (!options) return options.error();
  if (!options->user.empty())
    if (const auto known = identity_of(options->user); !known) return fail(known.error());
  const OrdinaryCores ordinary = OrdinaryCores::of_this_thread();
  if (auto started = start_eal(*options); !started) return fail(started.error());
  stop_on_signals();
  const int code = run_on_ports(*options, ordinary);
  rte_eal_cleanup();
  return code;
}

}  // namespace
}  // namespace weir::edge

int main(int argc, char** argv) try {
  return weir::edge::run_program(argc, argv);
} catch (const std::exception& error) {
  weir::edge::say(error.what());
  return weir::edge::exit_failed;
}
