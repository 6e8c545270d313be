#include "control/see/event_log.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <poll.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <climits>
#include <cstdio>
#include <cstring>
#include <utility>

namespace weir::see {
namespace {

constexpr std::size_t pending_most = std::size_t{4} << 20;
constexpr Tick retry_us = tick_second;

std::string fault_of(const std::string& path) { return fmt::format("{}: {}", path, strerror(errno)); }

}  // namespace

EventLog::EventLog(EventLogOptions options) : options_(std::move(options)) {}

EventLog::~EventLog() { close(); }

void EventLog::close() {
  if (file_ > STDERR_FILENO) ::close(file_);
  file_ = -1;
  if (!std::exchange(has_begun_, false)) return;
  pending_.erase(0, pending_.find('\n') + 1);  // the rest of it would be half a line of the next file
  ++counts_.unwritten;
}

void EventLog::reopen() {
  close();
  opened_at_ = 0;
}

u64 EventLog::drain(StatsFile& stats, Names& names, Tick now) {
  begin_second(now);
  u64 taken = 0, lost = 0;
  for (u32 worker = 0; worker < stats.workers(); ++worker) {
    Event event;
    for (u32 count = 0; count < events_per_ring && stats.take(worker, event); ++count) {
      ++taken;
      if (!is_sound(event)) {
        ++counts_.unsound;
      } else if (options_.lines_per_second != 0 && ++lines_of_second_ > options_.lines_per_second) {
        ++counts_.suppressed;
      } else {
        log(event, names.of(event), stats.port_name(event.port));
      }
    }
    lost += stats.events(worker).lost();
  }
  counts_.lost += lost < ring_lost_ ? lost : lost - ring_lost_;  // a new dataplane counts from nothing
  ring_lost_ = lost;
  flush(now);
  return taken;
}

void EventLog::log(const Event& event, const EventNames& names, std::string_view port_name) {
  const std::string line = eve_line(event, names, port_name);
  if (on_line) on_line(event, names, line);
  append(line);
}

void EventLog::append(const std::string& line) {
  if (options_.path.empty()) return;
  if (pending_.size() + line.size() > pending_most) {
    ++counts_.unwritten;
    return;
  }
  pending_ += line;
  ++lines_;
}

// What was not logged in a second is told in the next.
void EventLog::begin_second(Tick now) {
  if (now / tick_second == second_) return;
  second_ = now / tick_second;
  lines_of_second_ = 0;
  if (file_ >= 0 && is_elsewhere()) close();
  tell_counts(now);
}

// Whether what is written to was removed, or renamed by somebody else.
bool EventLog::is_elsewhere() const {
  struct stat facts{};
  return options_.path != "-" && (stat(options_.path.c_str(), &facts) != 0 || facts.st_ino != file_node_);
}

void EventLog::tell_counts(Tick now) {
  const LogCounts fresh{counts_.lost - told_.lost, counts_.suppressed - told_.suppressed,
                        counts_.unwritten - told_.unwritten, counts_.unsound - told_.unsound};
  const std::string line = eve_counts_line(now, fresh);
  if (!fresh.any() || options_.path.empty() || pending_.size() + line.size() > pending_most) return;
  pending_ += line;
  told_ = counts_;
}

void EventLog::flush(Tick now) {
  if (pending_.empty() || (file_ < 0 && !open(now))) return;
  if (options_.turn_over_bytes != 0 && file_bytes_ != 0 && options_.path != "-" &&
      file_bytes_ + pending_.size() > options_.turn_over_bytes)
    turn_over();
  if (file_ < 0 && !open(now)) return;
  const std::size_t done = write_some(pending_);
  const int why = errno;
  if (done != 0) has_begun_ = pending_[done - 1] != '\n';
  file_bytes_ += done;
  pending_.erase(0, done);
  if (pending_.empty()) return fault_.clear();
  errno = why;
  fault_ = fault_of(options_.path);
  if (why != EAGAIN && why != ENOSPC && why != EDQUOT) close();
}

// How much of it the file took; errno says why not more. Standard output may be somebody's pipe that waits: of what is
// ready to take something, a pipe takes PIPE_BUF at once.
std::size_t EventLog::write_some(std::string_view text) {
  std::size_t done = 0;
  while (done < text.size()) {
    std::size_t most = text.size() - done;
    if (options_.path == "-") {
      pollfd ready{file_, POLLOUT, 0};
      if (poll(&ready, 1, 0) != 1) {
        errno = EAGAIN;
        break;
      }
      most = std::min<std::size_t>(most, PIPE_BUF);
    }
    const ssize_t wrote = write(file_, text.data() + done, most);
    if (wrote < 0 && errno == EINTR) continue;
    if (wrote <= 0) break;
    done += static_cast<std::size_t>(wrote);
  }
  return done;
}

// At most once a second. A new file is for its owner and group.
bool EventLog::open(Tick now) {
  if (options_.path == "-") {
    file_ = STDOUT_FILENO;
    return true;
  }
  if (opened_at_ != 0 && now - opened_at_ < retry_us) return false;
  opened_at_ = now;
  const int file = ::open(options_.path.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC | O_NONBLOCK, 0640);
  struct stat facts{};
  if (file < 0 || fstat(file, &facts) != 0) {
    fault_ = fault_of(options_.path);
    if (file >= 0) ::close(file);
    return false;
  }
  file_ = file;
  file_node_ = facts.st_ino;
  file_bytes_ = S_ISREG(facts.st_mode) ? static_cast<u64>(facts.st_size) : 0;
  return true;
}

// PATH to PATH.1, PATH.1 to PATH.2 and so on; the oldest goes. A line that was begun is ended in the file it began in,
// so this waits for one that is.
void EventLog::turn_over() {
  struct stat facts{};
  if (fstat(file_, &facts) != 0 || !S_ISREG(facts.st_mode) || !fault_.empty()) return;
  close();
  opened_at_ = 0;
  const auto name = [&](u32 number) { return fmt::format("{}.{}", options_.path, number); };
  for (u32 number = options_.keep; number > 1; --number) std::rename(name(number - 1).c_str(), name(number).c_str());
  const int gone =
      options_.keep == 0 ? std::remove(options_.path.c_str()) : std::rename(options_.path.c_str(), name(1).c_str());
  if (gone != 0) fault_ = fault_of(options_.path);
}

}  // namespace weir::see
