#include "dataplane/edge/nap.hpp"

#include <fmt/format.h>
#include <poll.h>
#include <rte_epoll.h>
#include <rte_ethdev.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/prctl.h>
#include <time.h>
#include <unistd.h>

#include <array>

namespace weir::edge {
namespace {

u64 monotonic_ns() {
  timespec time{};
  clock_gettime(CLOCK_MONOTONIC, &time);
  return static_cast<u64>(time.tv_sec) * 1'000'000'000 + static_cast<u64>(time.tv_nsec);
}

}  // namespace

std::expected<std::unique_ptr<Nap>, Error> Nap::make(const Ports& ports, u32 worker, Counter& slept_us) {
  std::unique_ptr<Nap> nap(new Nap(slept_us));
  nap->bell_ = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
  nap->frames_ = epoll_create1(EPOLL_CLOEXEC);
  if (nap->bell_ < 0 || nap->frames_ < 0) return std::unexpected(system_error("--sleep: nothing to wait by"));
  for (const Port& port : ports.all()) {
    if (worker >= port.rx_queues) continue;
    if (auto watched = nap->watch(port, static_cast<u16>(worker)); !watched) return std::unexpected(watched.error());
  }
  return nap;
}

Nap::~Nap() {
  if (frames_ >= 0) close(frames_);
  if (bell_ >= 0) close(bell_);
}

std::expected<void, Error> Nap::watch(const Port& port, u16 queue) {
  if (!port.interrupts) {
    bound_ns_ = std::min(bound_ns_, nap_bound_ns(port.ring_frames, port.megabits));
    return {};
  }
  const int result = rte_eth_dev_rx_intr_ctl_q(port.id, queue, frames_, RTE_INTR_EVENT_ADD, nullptr);
  if (result != 0)
    return std::unexpected(Error{fmt::format("port {}: --sleep: it interrupts, and queue {} cannot be waited for: {}",
                                             port.device, queue, rte_strerror(-result))});
  armed_.push_back({port.id, queue});
  return {};
}

// Ports first: what comes after that ends the nap, and what came before is found by the look that follows.
void Nap::begin() {
  for (const Armed& one : armed_) rte_eth_dev_rx_intr_enable(one.port, one.queue);
  is_asleep_.store(true, std::memory_order_relaxed);
  std::atomic_thread_fence(std::memory_order_seq_cst);
}

void Nap::sleep() {
  if (!is_exact_) is_exact_ = prctl(PR_SET_TIMERSLACK, 1, 0, 0, 0) == 0;  // else a nap may take 50 us more
  std::array<pollfd, 2> waited{{{bell_, POLLIN, 0}, {frames_, POLLIN, 0}}};
  const timespec length{0, static_cast<long>(length_ns_)};
  const u64 began_ns = monotonic_ns();
  const int woken = ppoll(waited.data(), waited.size(), &length, nullptr);
  slept_ns_ += monotonic_ns() - began_ns;
  slept_us_.add(slept_ns_ / 1000);
  slept_ns_ %= 1000;
  length_ns_ = longer_nap_ns(length_ns_, bound_ns_);
  if (woken > 0) take_in();
}

// What has woken it, so that it does not do so again.
void Nap::take_in() {
  eventfd_t rung = 0;
  eventfd_read(bell_, &rung);
  std::array<rte_epoll_event, ports_max> events;
  if (!armed_.empty()) rte_epoll_wait(frames_, events.data(), static_cast<int>(events.size()), 0);
}

void Nap::end() {
  is_asleep_.store(false, std::memory_order_relaxed);
  for (const Armed& one : armed_) rte_eth_dev_rx_intr_disable(one.port, one.queue);
}

// One call a nap, whoever rings first.
void Nap::wake() {
  std::atomic_thread_fence(std::memory_order_seq_cst);
  if (!is_asleep_.load(std::memory_order_relaxed)) return;
  if (is_asleep_.exchange(false, std::memory_order_relaxed)) eventfd_write(bell_, 1);
}

std::string nap_sentence(const Port& port) {
  if (port.interrupts) return fmt::format("--sleep: port {} wakes its workers", port.device);
  const u64 bound_ns = nap_bound_ns(port.ring_frames, port.megabits);
  const std::string ring = fmt::format("{} frames at {} Mb/s", port.ring_frames, port.megabits);
  if (bound_ns < nap_least_ns)
    return fmt::format("--sleep: port {} is looked at all the time: {} leave no time to sleep", port.device, ring);
  return fmt::format("--sleep: port {} is looked at every {} us at least: {}", port.device, bound_ns / 1000, ring);
}

}  // namespace weir::edge
