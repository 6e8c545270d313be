// weir-dataplane: up in order, down in reverse. What each step means stands in its own file.
#include "dataplane/edge/capture_run.hpp"
#include "dataplane/edge/door_server.hpp"
#include "dataplane/edge/launch.hpp"
#include "dataplane/edge/worker.hpp"

#include <fmt/format.h>
#include <rte_eal.h>
#include <rte_errno.h>
#include <signal.h>
#include <sys/random.h>

#include <cstdio>
#include <exception>

namespace weir::edge {
namespace {

constexpr int exit_failed = 1;
constexpr int exit_usage = 2;

std::atomic<bool> stop_wanted{false};
static_assert(std::atomic<bool>::is_always_lock_free);

void say(const std::string& sentence) { fmt::print(stderr, "weir-dataplane: {}\n", sentence); }

int fail(const Error& error) { return say(error.sentence), exit_failed; }

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

std::expected<HashKey, Error> new_secret() {
  HashKey secret;
  if (getrandom(&secret, sizeof secret, 0) == ssize_t{sizeof secret}) return secret;
  return std::unexpected(system_error("no random key for the flow tables"));
}

using Cores = std::vector<std::unique_ptr<Core>>;

std::expected<Cores, Error> make_cores(const Options& options, HashKey secret, PolicySlot& slot, FlushBell& bell,
                                       const StatsSegment& stats) {
  const u32 flows = (options.flows + options.workers - 1) / options.workers;
  Cores cores;
  bool all_huge = true;
  for (u32 self = 0; self < options.workers; ++self) {
    auto memory = Mapping::anonymous(FlowTable::bytes_needed(flows));
    if (!memory) return std::unexpected(memory.error());
    all_huge = all_huge && (memory->is_huge() || memory->bytes().size() < huge_page_bytes());
    const CoreConfig config{secret, options.workers, self, flows, !options.decisions_path.empty()};
    cores.push_back(std::make_unique<Core>(config, std::move(*memory), slot, bell, stats));
  }
  if (!all_huge)
    say(fmt::format("flow tables stand in ordinary pages: no free huge pages of {} KiB (slower, nothing else)",
                    huge_page_bytes() / 1024));
  return cores;
}

// The policy to start with. Without one everything is denied, and that is said.
bool start_policy(const Options& options, Installer& installer) {
  if (options.policy_path.empty()) {
    say("NO POLICY: every packet is denied until one is installed through the door");
    return true;
  }
  const auto installed = installer.start_with(options.policy_path);
  if (!installed) {
    say(fmt::format("POLICY REFUSED: {}: {}: {}: every packet is denied", options.policy_path,
                    installed.error().section, installed.error().sentence));
    return false;
  }
  if (!installed->warning.empty()) say("warning: " + installed->warning);
  say(fmt::format("policy `{}`, generation {}", installer.policy_name(), installed->generation));
  return true;
}

std::expected<void, Error> run_live(const Ports& ports, Cores& cores) {
  const u32 workers = static_cast<u32>(cores.size());
  const LiveClock clock = LiveClock::start();
  Handover handover(workers);
  std::vector<std::unique_ptr<Worker>> all;
  for (auto& core : cores) {
    auto frames = FrameRoom::make(Worker::frames_max);
    if (!frames) return std::unexpected(frames.error());
    all.push_back(std::make_unique<Worker>(*core, ports, handover, std::move(*frames), clock));
  }
  run_on_lcores(workers, [&](u32 worker) { all[worker]->run(stop_wanted); });
  return {};
}

void run_captures(CaptureRun& run, Cores& cores, const OrdinaryCores& ordinary) {
  std::thread writer([&] { ordinary.enter(), run.write(); });
  std::thread reader([&] { ordinary.enter(), run.read(stop_wanted); });
  run_on_lcores(static_cast<u32>(cores.size()), [&](u32 worker) { run.judge(*cores[worker]); });
  reader.join();
  writer.join();
}

std::expected<void, Error> run(const Options& options, Ports& ports, const OrdinaryCores& ordinary, bool& has_policy) {
  const bool captures = ports.all_file_backed();
  const auto secret = new_secret();
  if (!secret) return std::unexpected(secret.error());
  const auto stats = StatsSegment::make(options.stats_path, options.workers);
  if (!stats) return std::unexpected(stats.error());
  PolicySlot slot;
  FlushBell bell;
  InstallConfig install_config{{}, options.workers, options.strict_ports};
  for (const Port& port : ports.all()) install_config.port_names.push_back(port.name);
  Installer installer(install_config, slot, stats->header());
  has_policy = start_policy(options, installer);
  auto cores = make_cores(options, *secret, slot, bell, *stats);
  if (!cores) return std::unexpected(cores.error());
  const u32 inside = captures ? CaptureRun::frames_inside(options.workers) : Worker::frames_inside(options.workers);
  if (auto started = ports.start({options.workers, inside}); !started) return started;

  std::optional<Decisions> decisions;
  if (!options.decisions_path.empty()) {
    auto created = Decisions::create(options.decisions_path, options.workers, options.flows / options.workers + 1);
    if (!created) return std::unexpected(created.error());
    decisions.emplace(std::move(*created));
  }
  std::unique_ptr<CaptureRun> capture_run;
  std::atomic<u64> settled_at{0};
  if (captures) {
    auto made =
        CaptureRun::make(ports, options.workers, *secret, decisions ? &*decisions : nullptr, stats->counters(0).unsent);
    if (!made) return std::unexpected(made.error());
    capture_run = std::move(*made);
    installer.replaced = [&] { settled_at = capture_run->given_out(); };
    installer.readers_done = [&] { return capture_run->written() >= settled_at; };
  }
  std::unique_ptr<DoorServer> door;
  if (!options.door_path.empty()) {
    auto opened = DoorServer::open(options.door_path, installer, bell, *stats, ordinary);
    if (!opened) return std::unexpected(opened.error());
    door = std::move(*opened);
  }
  say(fmt::format("{} pairs, {} workers, {}", options.pairs.size(), options.workers,
                  captures ? "capture files: their time is the clock" : "live"));
  if (captures) {
    run_captures(*capture_run, *cores, ordinary);
  } else if (auto ran = run_live(ports, *cores); !ran) {
    return ran;
  }
  door.reset();
  ports.stop();
  fmt::print(stderr, "weir-dataplane: {}", stats->summary());
  if (capture_run && capture_run->failed()) return std::unexpected(decisions->error());
  return {};
}

int run_program(int argc, char** argv) {
  const auto options = read_options(argc, argv);
  if (!options) return options.error();
  const OrdinaryCores ordinary = OrdinaryCores::of_this_thread();
  if (auto started = start_eal(*options); !started) return fail(started.error());
  stop_on_signals();
  int code = 0;
  if (auto enough = check_lcores(options->workers); !enough) {
    code = fail(enough.error());
  } else if (auto ports = Ports::open(*options); !ports) {
    code = fail(ports.error());
  } else if (!options->decisions_path.empty() && !ports->all_file_backed()) {
    say("--decisions is lossless and so for capture files only: a live port cannot wait");
    code = exit_usage;
  } else {
    bool has_policy = false;
    const auto ran = run(*options, *ports, ordinary, has_policy);
    code = !ran ? fail(ran.error()) : has_policy ? 0 : exit_failed;
  }
  rte_eal_cleanup();
  return code;
}

}  // namespace
}  // namespace weir::edge

int main(int argc, char** argv) try {
  return weir::edge::run_program(argc, argv);
} catch (const std::exception& error) {
  fmt::print(stderr, "weir-dataplane: {}\n", error.what());
  return weir::edge::exit_failed;
}
