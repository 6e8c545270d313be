#include "dataplane/edge/worker.hpp"

#include "dataplane/base/check.hpp"

#include <rte_ethdev.h>
#include <sched.h>

#include <array>

namespace weir::edge {
namespace {

// Set in the port of a frame on its way to the owner of its datagram, beside Weir's port index.
constexpr u16 gathered_bit = 0x8000;

// About a millisecond: longer than the pauses of a conversation, which would otherwise wait for the others of a shared
// core at every turn. Costs a lone worker nothing.
constexpr u32 idle_rounds_before_yield = 16384;
// Between two naps: ageing goes on, at a thousandth of the pace of a worker that never sleeps.
constexpr u32 idle_rounds_between_naps = 4;

}  // namespace

Handover::Handover(u32 workers) : workers_(workers), slots_(std::size_t{workers} * workers * frames_per_ring) {
  for (u32 ring = 0; ring < workers * workers; ++ring)
    rings_.push_back(std::make_unique<Ring<rte_mbuf*>>(
        std::span(slots_).subspan(std::size_t{ring} * frames_per_ring, frames_per_ring)));
}

Worker::Worker(Core& core, const Ports& ports, Handover& handover, FrameRoom frames, const LiveClock& clock)
    : core_(core),
      ports_(ports),
      handover_(handover),
      frames_(std::move(frames)),
      transmit_(ports, static_cast<u16>(core.self()), core.counters().unsent),
      clock_(clock) {
  for (u32 token = 0; token < frames_.size(); ++token) free_.push_back(token);
}

void Worker::run(const std::atomic<bool>& stop) {
  for (u32 idle = 0; !stop.load(std::memory_order_relaxed);) {
    idle = round(true) != 0 ? 0 : idle + 1;
    if (idle < idle_rounds_before_yield) continue;
    if (nap_ == nullptr || !nap_->is_possible()) sched_yield();
    else idle = nap(stop) ? idle - idle_rounds_between_naps : 0;
  }
  last_look_ = now_;
  round(false);
  settle(handover_.quiet);
  settle(handover_.done);
  finish({outcomes_.data(), core_.pipeline().abandon(policy_, outcomes_)});
  transmit_.flush();
}

// False when something came, before it slept or by the time it woke. What it may spend is taken first then: a packet
// that finds its lease in the ring would be dropped for want of it.
bool Worker::nap(const std::atomic<bool>& stop) {
  if (core_.has_work() || !core_.pipeline().idle()) return true;
  nap_->begin();
  const u32 came = round(true);
  if (came == 0 && !stop.load(std::memory_order_relaxed)) nap_->sleep();
  nap_->end();
  core_.end_round(clock_.now());
  const bool has_slept_on = came == 0 && round(true) == 0;
  if (!has_slept_on) nap_->frames_came();
  return has_slept_on;
}

// Until all workers have come so far, and then until nothing is left of what they handed over before.
void Worker::settle(std::atomic<u32>& workers) {
  workers.fetch_add(1, std::memory_order_acq_rel);
  while (workers.load(std::memory_order_acquire) < handover_.workers()) round(false);
  while (round(false) != 0 || !core_.pipeline().idle()) {
  }
}

u32 Worker::round(bool receiving) {
  policy_ = core_.begin_round();
  now_ = clock_.now();
  u32 taken = 0;
  for (const Port& port : ports_.all())
    if (receiving && core_.self() < port.rx_queues) taken += receive(port);
  for (u32 from = 0; from < handover_.workers(); ++from)
    if (from != core_.self()) taken += take_handed(from);
  if (taken == 0) {
    if (core_.pipeline().idle()) {
      finish({outcomes_.data(), core_.pipeline().age(now_, policy_, outcomes_)});
    } else {
      judge({});
    }
  }
  transmit_.flush();
  core_.end_round(now_);
  return taken;
}

// All that waits at a port of the kernel goes on with one system call, as far as a send gathers: each call costs as
// much as a frame, and wakes who receives.
u32 Worker::receive(const Port& port) {
  const u32 bursts_most = port.kernel_backed ? Transmit::gathered_max / burst_packets_max : 1;
  u32 taken = 0;
  for (u32 burst = 0, count = burst_packets_max; burst < bursts_most && count == burst_packets_max; ++burst)
    taken += count = receive_burst(port);
  if (taken != 0) transmit_.flush();
  return taken;
}

u32 Worker::receive_burst(const Port& port) {
  std::array<rte_mbuf*, burst_packets_max> mbufs;
  const u16 count = rte_eth_rx_burst(port.id, static_cast<u16>(core_.self()), mbufs.data(), burst_packets_max);
  for (u16 i = 0; i < count; ++i) mbufs[i]->port = port.index;  // inside Weir a frame carries Weir's port index
  if (count == 0) return 0;
  // Where no more is waiting there is nothing to overlap with, and where the kernel brings frames a miss of the cache
  // is little beside what it costs: they go on while they are in the cache.
  const bool at_once = count < burst_packets_max || port.kernel_backed;
  while (at_once && !core_.pipeline().idle()) judge({});
  judge({mbufs.data(), count}, at_once);
  return count;
}

u32 Worker::take_handed(u32 from) {
  std::array<rte_mbuf*, burst_packets_max> mbufs;
  const std::size_t count = handover_.ring(from, core_.self()).take(mbufs);
  if (count != 0) judge({mbufs.data(), count});
  return static_cast<u32>(count);
}

// One call of the pipeline: these frames in, an earlier burst's outcomes out.
void Worker::judge(std::span<rte_mbuf*> mbufs, bool at_once) {
  std::array<Packet, burst_packets_max> packets;
  WEIR_CHECK(free_.size() >= mbufs.size());
  for (std::size_t i = 0; i < mbufs.size(); ++i) {
    const u32 token = free_.back();
    free_.pop_back();
    const u16 port = mbufs[i]->port;
    packets[i] = show(frames_[token], mbufs[i], port & ~gathered_bit, now_, token);
    packets[i].is_gathered = (port & gathered_bit) != 0;
  }
  const std::span<const Packet> burst(packets.data(), mbufs.size());
  const BurstResult result =
      at_once ? core_.pipeline().process_at_once(burst, policy_, outcomes_, misdirected_)
              : core_.pipeline().process(burst, policy_, outcomes_, misdirected_);
  finish({outcomes_.data(), result.outcomes});  // first: a frame may be held and then handed over in one call
  hand_over({misdirected_.data(), result.misdirected});
}

void Worker::hand_over(std::span<const Misdirected> misdirected) {
  u32 given = 0;  // bit by worker
  for (const Misdirected& packet : misdirected) {
    rte_mbuf* mbuf = frames_[packet.token].mbuf;
    mbuf->port = static_cast<u16>(frames_[packet.token].port | (packet.is_gathered ? gathered_bit : 0));
    release(packet.token);
    if (handover_.ring(core_.self(), packet.owner).put(mbuf)) {
      given |= u32{1} << packet.owner;
      continue;
    }
    core_.counters().handed_over.add(~u64{0});  // it was not: one less
    ReasonCounter& counter = core_.counters().reasons[static_cast<u8>(Reason::handover_full)];
    counter.packets.add(1);
    counter.bytes.add(mbuf->pkt_len);
    rte_pktmbuf_free(mbuf);
  }
  handover_.wake(given);
}

void Worker::finish(std::span<const Outcome> outcomes) {
  for (const Outcome& outcome : outcomes) {
    Frame& frame = frames_[outcome.token];
    if (outcome.verdict == Verdict::hold) {
      WEIR_CHECK(!frame.is_held && ++held_ <= held_frames_max);
      frame.is_held = true;
      continue;
    }
    const Leaving leaving = end(frame, outcome, ports_.pool());
    core_.counters().unsent.add(leaving.lost);
    transmit_.send(leaving.mbuf, leaving.port);
    transmit_.send(leaving.answer, leaving.port ^ 1);
    release(outcome.token);
  }
}

void Worker::release(u64 token) {
  frames_[token].mbuf = nullptr;
  held_ -= frames_[token].is_held;
  frames_[token].is_held = false;
  free_.push_back(static_cast<u32>(token));
}

}  // namespace weir::edge
