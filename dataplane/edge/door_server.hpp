// The door: a UNIX socket (SOCK_SEQPACKET, mode 0600) by which a policy is installed, state is asked for, and flow
// tables are emptied; from here a policy on trial falls back. It has a thread of its own, which is no lcore: no packet
// ever waits for it, and whatever comes in by it that is not a request of dataplane/share/door.hpp is answered with a
// refusal or a closed connection.
//
// Threads: open() and the destructor belong to main; between them one thread serves.
#pragma once
#include "dataplane/edge/bell.hpp"
#include "dataplane/edge/clock.hpp"
#include "dataplane/edge/door_message.hpp"
#include "dataplane/edge/fallback.hpp"
#include "dataplane/edge/flow_desk.hpp"
#include "dataplane/edge/install.hpp"
#include "dataplane/edge/job_desk.hpp"
#include "dataplane/edge/keeper.hpp"
#include "dataplane/edge/launch.hpp"
#include "dataplane/edge/mirror_desk.hpp"
#include "dataplane/edge/quarantine_desk.hpp"
#include "dataplane/edge/restart.hpp"
#include "dataplane/edge/shadow_desk.hpp"

#include <atomic>
#include <chrono>
#include <memory>
#include <thread>
#include <vector>

namespace weir::edge {

class DoorServer {
 public:
  // A socket file that nobody serves is replaced; one that somebody serves is an error. `keeper` may be null.
  static std::expected<std::unique_ptr<DoorServer>, Error> open(const std::string& path, Installer& installer,
                                                                FlushBell& bell, const StatsSegment& stats,
                                                                Keeper* keeper, JobDesk& jobs, FlowDesk& flows,
                                                                const Restart& restart, Fallback& fallback,
                                                                Quarantine& quarantine, MirrorDesk& mirrors,
                                                                const OrdinaryCores& ordinary, const LiveClock& clock);
  ~DoorServer();  // finishes the request at hand, closes and removes the socket
  DoorServer(const DoorServer&) = delete;

 private:
  DoorServer(int listener, std::string path, Installer& installer, FlushBell& bell, const StatsSegment& stats,
             Keeper* keeper, JobDesk& jobs, FlowDesk& flows, const Restart& restart, Fallback& fallback,
             Quarantine& quarantine, MirrorDesk& mirrors, const OrdinaryCores& ordinary, const LiveClock& clock);
  void serve();
  void take_client();
  void leave(int client);
  bool serve_one(int client);
  door::Answer install(const door::Request& request, std::span<const int> descriptors);
  door::Answer confirm(const door::Request& request);
  door::Answer flush();
  door::Answer shadow(const door::Request& request, std::span<const int> descriptors);
  door::Answer seal(const door::Request& request);
  door::Answer cut(const door::Request& request);
  door::Answer quarantine(const door::Request& request, std::span<const int> descriptors);
  std::string quarantined() const;
  door::Answer teach(const door::Request& request, std::span<const int> descriptors);
  door::Answer tell_flows(const door::Request& request, std::span<const int> descriptors);
  door::Answer mirror(int client, std::span<const int> descriptors);
  door::Answer refuse(const Refusal& refusal);
  bool send_pairs(int client, const door::Request& request);
  door::Answer answer(door::Result result);
  bool send_status(int client);
  bool send_workers(int client) const;

  const int listener_;
  const std::string path_;
  Installer& installer_;
  FlushBell& bell_;
  const StatsSegment& stats_;
  Keeper* const keeper_;
  JobDesk& jobs_;
  FlowDesk& flows_;
  const Restart& restart_;
  Fallback& fallback_;
  QuarantineDesk quarantine_;
  ShadowDesk shadow_;
  MirrorDesk& mirrors_;
  LiveClock clock_;
  const std::chrono::steady_clock::time_point started_ = std::chrono::steady_clock::now();
  std::vector<int> clients_;
  std::atomic<bool> stop_{false};
  std::thread thread_;
};

}  // namespace weir::edge
