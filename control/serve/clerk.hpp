// A thread that does one thing after another for an event loop that must not wait, and a bounded pile of what it has
// still to do.
//
// Threads: give() from any; what was given runs on the clerk's own.
#pragma once
#include <condition_variable>
#include <deque>
#include <functional>
#include <mutex>
#include <thread>

namespace weir::control {

class Clerk {
 public:
  explicit Clerk(std::size_t pile_max) : pile_max_(pile_max), thread_([this] { run(); }) {}
  ~Clerk() {
    {
      const std::lock_guard lock(mutex_);
      stops_ = true;
      pile_.clear();  // what has not begun is not done
    }
    wakes_.notify_one();
    thread_.join();
  }
  Clerk(const Clerk&) = delete;

  // False when the pile is full.
  bool give(std::function<void()> work) {
    {
      const std::lock_guard lock(mutex_);
      if (pile_.size() >= pile_max_) return false;
      pile_.push_back(std::move(work));
    }
    wakes_.notify_one();
    return true;
  }

 private:
  void run() {
    for (std::unique_lock lock(mutex_);;) {
      wakes_.wait(lock, [this] { return stops_ || !pile_.empty(); });
      if (stops_) return;
      const std::function<void()> work = std::move(pile_.front());
      pile_.pop_front();
      lock.unlock();
      work();
      lock.lock();
    }
  }

  const std::size_t pile_max_;
  std::mutex mutex_;
  std::condition_variable wakes_;
  std::deque<std::function<void()>> pile_;
  bool stops_ = false;
  std::thread thread_;
};

}  // namespace weir::control
