// Takes events out of the dataplane's rings for as long as weir-control runs, logs them, and hands them to who follows.
// A disk that hangs holds up this and nothing else: workers then lose events to full rings, and count them. Who follows
// and is too slow loses lines.
//
// Threads: one of its own takes and logs; follow() belongs to the loop, on which lines are handed on; report() is for
// any.
#pragma once
#include "control/see/event_log.hpp"
#include "control/see/filter.hpp"
#include "control/serve/options.hpp"
#include "control/serve/server.hpp"

#include <atomic>
#include <condition_variable>
#include <map>
#include <mutex>
#include <optional>
#include <thread>

namespace weir::control {

struct EventReport {
  bool is_reading = false;  // the rings of a dataplane are at hand
  std::string why_not;
  std::string log_fault;    // why the log takes nothing now; "" while it does
  std::uint64_t lines = 0;  // given to the log
  see::LogCounts counts;    // what was not
  std::int64_t stuck_s = 0; // for how long its thread has waited for the log
};

class EventPump {
 public:
  EventPump(Server& server, const ServeOptions& options);
  ~EventPump();
  EventPump(const EventPump&) = delete;

  // False where too many do.
  bool follow(see::Filter filter, std::shared_ptr<Stream> stream);
  EventReport report() const;
  // The log's file is let go and opened anew. Any thread.
  void reopen() { reopens_ = true; }

 private:
  struct Follower {
    see::Filter filter;
    std::vector<std::string> lines;  // the pump's, until they are handed on
  };
  using Lines = std::vector<std::pair<std::uint64_t, std::vector<std::string>>>;
  void run();
  void drain();
  bool open(Tick now);
  void heard(const Event& event, const see::EventNames& names, const std::string& line);
  void hand_on();
  void write(const Lines& lines);
  void note();

  Server& server_;
  const ServeOptions options_;
  // The pump's thread.
  std::optional<see::StatsFile> stats_;
  std::optional<see::Names> names_;
  see::EventLog log_;
  std::string stats_fault_, log_fault_;
  Tick looked_ = 0;
  // The loop's.
  std::map<std::uint64_t, std::shared_ptr<Stream>> streams_;
  std::uint64_t next_ = 0;
  // Everybody's.
  std::atomic<std::size_t> bytes_on_the_way_{0};
  std::atomic<bool> is_handing_on_{false}, reopens_{false};
  std::atomic<std::int64_t> began_s_{0};  // of what the thread is at; 0: it rests
  mutable std::mutex mutex_;              // over what follows
  std::condition_variable wakes_;
  bool stops_ = false;
  std::map<std::uint64_t, Follower> followers_;
  EventReport report_;
  std::thread thread_;
};

}  // namespace weir::control
