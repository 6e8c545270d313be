#include "control/serve/event_pump.hpp"

#include "control/door/door.hpp"
#include "control/see/door_view.hpp"

#include <fmt/format.h>

#include <chrono>
#include <csignal>
#include <cstdio>

namespace weir::control {
namespace {

constexpr auto drain_period = std::chrono::milliseconds(50);
constexpr Tick look_again_us = tick_second;
constexpr std::size_t streams_max = 16;
constexpr std::size_t on_the_way_max = std::size_t{16} << 20;
constexpr int names_wait_s = 3;

void say(const std::string& sentence) { fmt::print(stderr, "weir-control: {}\n", sentence); }

Tick now_us() {
  const auto now = std::chrono::system_clock::now().time_since_epoch();
  return static_cast<Tick>(std::chrono::duration_cast<std::chrono::microseconds>(now).count());
}

std::int64_t steady_s() {
  const auto now = std::chrono::steady_clock::now().time_since_epoch();
  return std::chrono::duration_cast<std::chrono::seconds>(now).count();
}

see::Names::Ask names_by(const std::string& path) {
  return
      [path](const std::vector<std::string>& ports,
             see::Names::Whose whose) -> std::expected<std::unique_ptr<see::PolicyNames>, std::string> {
        auto door = Door::reach(path, names_wait_s);
        if (!door) return std::unexpected(door.error().sentence);
        auto names = see::ask_names(*door, ports, whose);
        if (!names) return std::unexpected(names.error().sentence);
        return std::move(*names);
      };
}

}  // namespace

EventPump::EventPump(Server& server, const ServeOptions& options)
    : server_(server), options_(options), log_({.path = options.events}) {
  std::signal(SIGPIPE, SIG_IGN);
  log_.on_line = [this](const Event& event, const see::EventNames& names, const std::string& line) {
    heard(event, names, line);
  };
  thread_ = std::thread([this] { run(); });
}

EventPump::~EventPump() {
  {
    const std::lock_guard lock(mutex_);
    stops_ = true;
  }
  wakes_.notify_one();
  thread_.join();
}

void EventPump::run() {
  for (std::unique_lock lock(mutex_); !stops_; wakes_.wait_for(lock, drain_period, [this] { return stops_; })) {
    lock.unlock();
    began_s_.store(steady_s(), std::memory_order_relaxed);
    drain();
    began_s_.store(0, std::memory_order_relaxed);
    lock.lock();
  }
}

void EventPump::drain() {
  if (reopens_.exchange(false)) log_.reopen();
  const Tick now = now_us();
  if (open(now)) {
    log_.drain(*stats_, *names_, now);
    for (const std::string& one : names_->complaints()) say(one);
    if (log_.fault() != log_fault_) {
      log_fault_ = log_.fault();
      say(log_fault_.empty() ? "the event log takes lines again" : "event log: " + log_fault_);
    }
  }
  hand_on();
  note();
}

// The rings of the dataplane that runs now; tried once a second.
bool EventPump::open(Tick now) {
  const bool looks = now < looked_ || now - looked_ >= look_again_us;
  if (looks) looked_ = now;
  if (stats_ && looks && stats_->is_replaced()) stats_.reset();
  if (stats_ || !looks) return stats_.has_value();
  auto opened = see::StatsFile::open(options_.stats, see::StatsFile::Access::take);
  if (!opened) {
    if (opened.error().sentence != stats_fault_) say(stats_fault_ = opened.error().sentence);
    return false;
  }
  stats_fault_.clear();
  stats_.emplace(std::move(*opened));
  names_.emplace(std::vector{options_.state + "/history"}, stats_->port_names(), names_by(options_.door));
  return true;
}

void EventPump::heard(const Event& event, const see::EventNames& names, const std::string& line) {
  const std::lock_guard lock(mutex_);
  if (followers_.empty()) return;
  const see::Facts facts = see::facts_of(event, names);
  for (auto& [number, one] : followers_) {
    if (!one.filter.matches(facts)) continue;
    if (bytes_on_the_way_.fetch_add(line.size()) + line.size() <= on_the_way_max) one.lines.push_back(line);
    else bytes_on_the_way_ -= line.size();  // the loop is too slow for everybody
  }
}

void EventPump::hand_on() {
  if (is_handing_on_) return;  // the loop is behind
  Lines lines;
  {
    const std::lock_guard lock(mutex_);
    if (followers_.empty()) return;
    for (auto& [number, one] : followers_) lines.emplace_back(number, std::exchange(one.lines, {}));
  }
  is_handing_on_ = true;
  server_.post([this, lines = std::move(lines)] {
    write(lines);
    is_handing_on_ = false;
  });
}

// On the loop, which alone may touch a stream. Who is gone is forgotten.
void EventPump::write(const Lines& lines) {
  for (const auto& [number, some] : lines) {
    const auto found = streams_.find(number);
    for (const std::string& line : some) {
      bytes_on_the_way_ -= line.size();
      if (found != streams_.end()) found->second->write(line);
    }
    if (found == streams_.end() || found->second->is_open()) continue;
    streams_.erase(found);
    const std::lock_guard lock(mutex_);
    followers_.erase(number);
  }
}

bool EventPump::follow(see::Filter filter, std::shared_ptr<Stream> stream) {
  if (streams_.size() >= streams_max) return false;
  streams_.emplace(++next_, std::move(stream));
  const std::lock_guard lock(mutex_);
  followers_.emplace(next_, Follower{std::move(filter), {}});
  return true;
}

void EventPump::note() {
  const std::lock_guard lock(mutex_);
  report_ = {stats_.has_value(), stats_ ? "" : stats_fault_, log_.fault(), log_.lines(), log_.counts(), 0};
}

EventReport EventPump::report() const {
  const std::lock_guard lock(mutex_);
  EventReport told = report_;
  if (const std::int64_t began = began_s_.load(std::memory_order_relaxed); began != 0)
    told.stuck_s = steady_s() - began;
  return told;
}

}  // namespace weir::control
