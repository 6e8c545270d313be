#include "dataplane/edge/dataplane.hpp"

#include "dataplane/edge/confine.hpp"
#include "dataplane/edge/link_watch.hpp"

#include <fmt/format.h>
#include <sys/random.h>

#include <cstdio>
#include <thread>

namespace weir::edge {
namespace {

constexpr u32 limit_cells = 1u << 20;

u32 flows_of_worker(const Options& options) { return (options.flows + options.workers - 1) / options.workers; }

struct Secrets {
  HashKey flows;
  SipKey cookies;
};

std::expected<Secrets, Error> new_secrets() {
  Secrets secrets;
  if (getrandom(&secrets, sizeof secrets, 0) == ssize_t{sizeof secrets}) return secrets;
  return std::unexpected(system_error("no random keys for the flow tables and SYN cookies"));
}

}  // namespace

void say(const std::string& sentence) { fmt::print(stderr, "weir-dataplane: {}\n", sentence); }

std::expected<void, Error> Dataplane::run(const std::atomic<bool>& stop) {
  for (const auto step : {&Dataplane::start_ports, &Dataplane::give_up, &Dataplane::make_judges,
                          &Dataplane::make_capture_run, &Dataplane::open_door})
    if (auto done = (this->*step)(); !done) return done;
  say(fmt::format("{} pairs, {} workers, {}", options_.pairs.size(), options_.workers,
                  captures_ ? "capture files: their time is the clock" : "live"));
  if (captures_) {
    run_captures(stop);
  } else if (auto ran = run_live(stop); !ran) {
    return ran;
  }
  door_.reset();
  if (!captures_) keep();
  ports_.stop();
  if (evidence_) evidence_->close();
  fmt::print(stderr, "weir-dataplane: {}", stats_->summary());
  if (capture_run_ && capture_run_->failed()) return std::unexpected(decisions_->error());
  if (was_refused_ && slot_.current() == nullptr) return std::unexpected(Error{"no policy but a refused one"});
  return {};
}

// Before anything else is opened: only ports need what the process was started with.
std::expected<void, Error> Dataplane::start_ports() {
  const u32 workers = options_.workers;
  const u32 inside = captures_ ? CaptureRun::frames_inside(workers) : Worker::frames_inside(workers);
  return ports_.start({workers, inside, options_.sleep});
}

std::expected<void, Error> Dataplane::give_up() { return confine(options_, ports_.any_with_program()); }

std::expected<void, Error> Dataplane::make_judges() {
  const auto secrets = new_secrets();
  if (!secrets) return std::unexpected(secrets.error());
  restart_.emplace(options_, ports_);
  secret_ = secrets->flows;
  cookie_secret_ = secrets->cookies;
  if (const KeptState* kept = restart_->state())
    cookie_secret_ = {{kept->head->cookie_secret[0], kept->head->cookie_secret[1]}};
  InstallConfig config{{}, options_.workers, &quarantine_, options_.inspect_reading, options_.strict_ports};
  for (const Port& port : ports_.all()) config.port_names.push_back(port.name);
  auto stats = StatsSegment::make(options_.stats_path, options_.workers, config.port_names);
  if (!stats) return std::unexpected(stats.error());
  stats_.emplace(std::move(*stats));
  tally_.emplace(*stats_);
  config.tally = &*tally_;
  installer_.emplace(config, slot_, stats_->header());
  fallback_.emplace(*installer_);
  restart_->restore(*installer_, quarantine_, clock_.now());
  captures_ ? make_capture_budgets(config.port_names) : make_keeper(config.port_names);
  was_refused_ = !start_kept() && !start_policy();
  if (auto made = make_cores(); !made) return made;
  restart_->put_in(cores_, secret_, clock_.now());
  return {};
}

void Dataplane::make_keeper(const std::vector<std::string>& port_names) {
  const ledger::Places places{options_.ledger_path, options_.ledger_key_path, options_.ledger_anchor_path};
  keeper_ = std::make_unique<Keeper>(KeeperConfig{places, options_.workers, port_names}, slot_, clock_, ordinary_);
  installer_->open_accounts = [this](const Policy& policy) { return keeper_->prepare(policy); };
  installer_->flipped = [this](const InstalledPolicy* policy) { keeper_->flipped(policy); };
  installer_->goes_on_as = [this](const InstalledPolicy* policy) { keeper_->goes_on_as(policy); };
}

void Dataplane::make_capture_budgets(const std::vector<std::string>& port_names) {
  capture_budgets_ = std::make_unique<CaptureBudgets>();
  using Seats = std::expected<std::span<const AccountSeat>, Error>;
  installer_->open_accounts = [this, port_names](const Policy& policy) -> Seats {
    const std::lock_guard turn(capture_budgets_->turn);
    const auto seats = capture_budgets_->accounts.prepare(policy, port_names);
    if (seats) return *seats;
    return std::unexpected(Error{seats.error().sentence});
  };
}

// Whether the policy is in force that the run before has kept, on trial if it was.
bool Dataplane::start_kept() {
  const Restart::Beginning kept = restart_->beginning(!options_.door_path.empty());
  if (kept.image.empty()) return false;
  std::expected<ReadyImage, Refusal> fallback;
  if (kept.trial) fallback = installer_->examine(kept.trial->image);
  const auto installed = fallback ? installer_->start_with(kept.image) : std::unexpected(fallback.error());
  if (!installed) {
    say(fmt::format("THE POLICY THAT WAS KEPT IS REFUSED: {}: {}", installed.error().section,
                    installed.error().sentence));
    return false;
  }
  if (kept.trial) fallback_->await_again(std::move(*fallback), *kept.trial);
  say(fmt::format("policy `{}`, generation {}, goes on{}", installer_->policy_name(), installed->generation,
                  kept.trial ? ", on trial" : ""));
  return true;
}

// False when a policy was given and is not in force. Either way everything that it does not allow is denied, and where
// that is everything, it is said.
bool Dataplane::start_policy() {
  if (options_.policy_path.empty()) {
    say("NO POLICY: every packet is denied until one is installed through the door");
    return true;
  }
  const auto installed = installer_->start_with(options_.policy_path);
  if (!installed) {
    say(fmt::format("POLICY REFUSED: {}: {}: {}: every packet is denied", options_.policy_path,
                    installed.error().section, installed.error().sentence));
    return false;
  }
  if (!installed->warning.empty()) say("warning: " + installed->warning);
  say(fmt::format("policy `{}`, generation {}", installer_->policy_name(), installed->generation));
  return true;
}

std::expected<void, Error> Dataplane::make_cores() {
  const u32 flows = flows_of_worker(options_);
  auto limits = Mapping::sparse(limit_cells * sizeof(LimitCells::Cell));
  if (!limits) return std::unexpected(limits.error());
  limit_memory_ = std::move(*limits);
  limits_ = LimitCells({reinterpret_cast<LimitCells::Cell*>(limit_memory_.bytes().data()), limit_cells});
  classroom_.emplace(options_.workers);
  if (!options_.evidence_path.empty()) {
    auto desk = EvidenceDesk::open(options_, ports_);
    if (!desk) return std::unexpected(desk.error());
    evidence_ = std::move(*desk);
  }
  inquiry_.emplace(options_.workers);
  auto keys = load_job_keys(options_.job_keys);
  if (!keys) return std::unexpected(keys.error());
  jobs_.emplace(std::move(*keys), *installer_, *inquiry_, *classroom_, *stats_);
  std::vector<std::string> port_names;
  for (const Port& port : ports_.all()) port_names.push_back(port.name);
  flows_.emplace(*inquiry_, *installer_, *stats_, port_names);
  auto mirrors = MirrorDesk::make(options_.workers, std::move(port_names), options_.evidence_whole);
  if (!mirrors) return std::unexpected(mirrors.error());
  mirrors_ = std::move(*mirrors);
  const InspectorSize inspects{options_.inspect_flows, options_.inspect_reading};
  const u64 rate = u64{options_.inspect_rate} * 1'000'000;
  const WatchShare share{rate, rate / 100};  // 10 ms at once
  bool all_huge = true;
  for (u32 self = 0; self < options_.workers; ++self) {
    auto memory = Mapping::anonymous(Core::bytes_needed(flows));
    auto charging = Mapping::sparse(Core::charging_bytes_needed(flows));
    auto inspecting = Mapping::sparse(Core::inspecting_bytes_needed(inspects));
    for (const auto* one : {&memory, &charging, &inspecting})
      if (!*one) return std::unexpected(one->error());
    all_huge = all_huge && (memory->is_huge() || memory->bytes().size() < huge_page_bytes());
    const CoreConfig config{secret_, cookie_secret_, options_.workers, self, flows,
                            !options_.decisions_path.empty(), &limits_, &*classroom_, &*inquiry_,
                            inspects, share, &quarantine_, evidence_ ? &evidence_->ring(self) : nullptr,
                            &mirrors_->ring(self), capture_budgets_ ? capture_budgets_->accounts.lender() : Lender{}};
    Core::Memory lent{std::move(*memory), std::move(*charging), std::move(*inspecting)};
    cores_.push_back(std::make_unique<Core>(config, std::move(lent), slot_, bell_, *stats_));
    if (keeper_) cores_.back()->connect(keeper_->line(self));
  }
  if (!all_huge)
    say(fmt::format("flow tables stand in ordinary pages: no free huge pages of {} KiB (slower, nothing else)",
                    huge_page_bytes() / 1024));
  return {};
}

std::expected<void, Error> Dataplane::make_capture_run() {
  if (!captures_) return {};
  const u32 workers = options_.workers;
  if (!options_.decisions_path.empty()) {
    auto created = Decisions::create(options_.decisions_path, workers, flows_of_worker(options_));
    if (!created) return std::unexpected(created.error());
    decisions_.emplace(std::move(*created));
  }
  auto made = CaptureRun::make(ports_, {workers, secret_, options_.trust_checksums, &slot_, capture_budgets_.get()},
                               decisions_ ? &*decisions_ : nullptr, stats_->counters(0).unsent);
  if (!made) return std::unexpected(made.error());
  capture_run_ = std::move(*made);
  capture_budgets_->accounts.in_force();
  installer_->replaced = [this] {
    settled_at_ = capture_run_->given_out();
    const std::lock_guard turn(capture_budgets_->turn);
    capture_budgets_->accounts.in_force();
  };
  installer_->readers_done = [this] { return capture_run_->written() >= settled_at_; };
  return {};
}

std::expected<void, Error> Dataplane::open_door() {
  telemetry_.emplace(*stats_);
  if (options_.door_path.empty()) return {};
  auto opened = DoorServer::open(options_.door_path, *installer_, bell_, *stats_, keeper_.get(), *jobs_, *flows_,
                                 *restart_, *fallback_, quarantine_, *mirrors_, ordinary_, clock_);
  if (!opened) return std::unexpected(opened.error());
  door_ = std::move(*opened);
  return {};
}

std::expected<void, Error> Dataplane::let_sleep(Handover& handover, std::vector<std::unique_ptr<Worker>>& workers) {
  for (const Port& port : ports_.all()) say(nap_sentence(port));
  for (u32 self = 0; self < workers.size(); ++self) {
    auto nap = Nap::make(ports_, self, stats_->counters(self).slept_us);
    if (!nap) return std::unexpected(nap.error());
    handover.wakes(self, **nap);
    workers[self]->may_sleep(std::move(*nap));
  }
  return {};
}

std::expected<void, Error> Dataplane::run_live(const std::atomic<bool>& stop) {
  const u32 workers = options_.workers;
  Handover handover(workers);
  std::vector<std::unique_ptr<Worker>> all;
  for (auto& core : cores_) {
    auto frames = FrameRoom::make(Worker::frames_max);
    if (!frames) return std::unexpected(frames.error());
    all.push_back(std::make_unique<Worker>(*core, ports_, handover, std::move(*frames), clock_));
  }
  if (options_.sleep)
    if (auto done = let_sleep(handover, all); !done) return done;
  const Supervisor supervisor(*stats_, ordinary_);
  const LinkWatch links(ports_, *stats_, ordinary_);
  run_on_lcores(workers, [&](u32 worker) {
    restart_->worker_begins(workers);
    all[worker]->run(stop);
  });
  Tick last_look = clock_.now();
  const Tick now = last_look;
  for (const auto& worker : all) last_look = std::min(last_look, worker->last_look());
  last_look_us_ = boot_time_us() - (now - last_look);
  for (const auto& core : cores_) keeper_->take_back(core->self(), core->till());
  return {};
}

void Dataplane::keep() {
  restart_->keep({*installer_, cores_, fallback_->awaited(), cookie_secret_, quarantine_, clock_.now(),
                  last_look_us_});
}

void Dataplane::run_captures(const std::atomic<bool>& stop) {
  std::thread writer([&] { ordinary_.enter(), capture_run_->write(); });
  std::thread reader([&] { ordinary_.enter(), capture_run_->read(stop); });
  run_on_lcores(options_.workers, [&](u32 worker) { capture_run_->judge(*cores_[worker]); });
  reader.join();
  writer.join();
}

}  // namespace weir::edge
