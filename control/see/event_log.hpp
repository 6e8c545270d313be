// The event log: takes events out of the rings and writes them as EVE lines. A file that takes nothing (a full disk, a
// pipe that nobody reads, a name that cannot be made) costs lines, which are counted and told in a line of their own
// once it takes them again; it never holds up the rings. It turns over by size, and opens anew when it is told to.
//
// Threads: one. The process ignores SIGPIPE, if the file may be a pipe.
#pragma once
#include "control/see/eve.hpp"
#include "control/see/segment.hpp"

#include <functional>
#include <string>

namespace weir::see {

struct EventLogOptions {
  std::string path;                      // "-": standard output, which never turns over; "": no file
  u64 turn_over_bytes = 64u << 20;       // 0: never
  u32 keep = 5;                          // older files, PATH.1 the newest
  u64 lines_per_second = 20'000;         // what is more is suppressed and counted; 0: no bound
};

class EventLog {
 public:
  explicit EventLog(EventLogOptions options);
  ~EventLog();
  EventLog(const EventLog&) = delete;

  // Told of each line before it is written: for who follows events as they happen.
  std::function<void(const Event&, const EventNames&, const std::string& line)> on_line;

  // Up to a ring's length of events of each worker, and what the file takes of them. `now` is the wall clock. Returns
  // how many events it took.
  u64 drain(StatsFile& stats, Names& names, Tick now);
  // SIGHUP: what was renamed is let go. A file that no longer stands by its name is, within a second, too.
  void reopen();
  // Since it began, and since the last line about them.
  const LogCounts& counts() const { return counts_; }
  u64 lines() const { return lines_; }
  // Why the file takes nothing at the moment, as a sentence; "" while it does.
  const std::string& fault() const { return fault_; }

 private:
  void log(const Event& event, const EventNames& names, std::string_view port_name);
  void append(const std::string& line);
  void tell_counts(Tick now);
  void begin_second(Tick now);
  void flush(Tick now);
  bool open(Tick now);
  bool is_elsewhere() const;
  std::size_t write_some(std::string_view text);
  void turn_over();
  void close();

  const EventLogOptions options_;
  int file_ = -1;
  u64 file_bytes_ = 0, file_node_ = 0;
  std::string pending_;  // whole lines, but the first may have begun
  bool has_begun_ = false;  // the first has
  LogCounts counts_, told_;
  u64 ring_lost_ = 0, lines_ = 0, second_ = 0, lines_of_second_ = 0;
  Tick opened_at_ = 0;  // last try
  std::string fault_;
};

}  // namespace weir::see
