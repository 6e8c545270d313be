// Everything between open ports and the last summary: what judges, what feeds it, the door; up in order, down in
// reverse. It chooses between live ports and capture files, and decides nothing else.
#pragma once
#include "dataplane/edge/capture_run.hpp"
#include "dataplane/edge/door_server.hpp"
#include "dataplane/edge/evidence_desk.hpp"
#include "dataplane/edge/keeper.hpp"
#include "dataplane/edge/supervisor.hpp"
#include "dataplane/edge/telemetry.hpp"
#include "dataplane/edge/worker.hpp"

#include <optional>

namespace weir::edge {

// One line to stderr.
void say(const std::string& sentence);

class Dataplane {
 public:
  Dataplane(const Options& options, Ports& ports, const OrdinaryCores& ordinary)
      : options_(options), ports_(ports), ordinary_(ordinary), captures_(ports.all_file_backed()) {}

  // Until the end of the captures or `stop`; an error also when there was nothing but refused policies.
  std::expected<void, Error> run(const std::atomic<bool>& stop);

 private:
  std::expected<void, Error> start_ports();
  std::expected<void, Error> give_up();      // privileges, as far as the options ask
  std::expected<void, Error> make_judges();  // policy, tables and counters
  std::expected<void, Error> make_cores();
  void make_keeper(const std::vector<std::string>& port_names);
  void make_capture_budgets(const std::vector<std::string>& port_names);
  bool start_policy();
  bool start_kept();
  void keep();
  std::expected<void, Error> make_capture_run();
  std::expected<void, Error> open_door();
  std::expected<void, Error> let_sleep(Handover& handover, std::vector<std::unique_ptr<Worker>>& workers);
  std::expected<void, Error> run_live(const std::atomic<bool>& stop);
  void run_captures(const std::atomic<bool>& stop);

  const Options& options_;
  Ports& ports_;
  const OrdinaryCores& ordinary_;
  const bool captures_;
  HashKey secret_{};
  SipKey cookie_secret_{};
  PolicySlot slot_;
  FlushBell bell_;
  std::optional<StatsSegment> stats_;
  std::optional<RuleTally> tally_;
  LiveClock clock_ = LiveClock::start();
  std::unique_ptr<Keeper> keeper_;  // on live ports; else:
  std::unique_ptr<CaptureBudgets> capture_budgets_;
  std::optional<Installer> installer_;
  bool was_refused_ = false;  // the policy to start with
  Mapping limit_memory_;
  LimitCells limits_;
  std::optional<Classroom> classroom_;  // of all workers
  Quarantine quarantine_;  // of all workers
  std::unique_ptr<EvidenceDesk> evidence_;
  std::optional<Inquiry> inquiry_;
  std::optional<JobDesk> jobs_;
  std::optional<FlowDesk> flows_;
  std::unique_ptr<MirrorDesk> mirrors_;
  std::vector<std::unique_ptr<Core>> cores_;
  std::optional<Decisions> decisions_;
  std::unique_ptr<CaptureRun> capture_run_;
  u64 settled_at_ = 0;  // the door's: frames that an older policy may have judged
  std::optional<Restart> restart_;
  std::optional<Fallback> fallback_;
  u64 last_look_us_ = 0;  // boot_time_us(), of the worker that stopped first
  std::unique_ptr<DoorServer> door_;
  std::optional<Telemetry> telemetry_;
};

}  // namespace weir::edge
