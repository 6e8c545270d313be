#include "dataplane/edge/capture_run.hpp"

#include "dataplane/base/check.hpp"

#include <sched.h>

#include <algorithm>
#include <array>
#include <bit>

namespace weir::edge {
namespace {

constexpr u32 window_frames = 3072;  // between reader and writer, besides those that workers hold

bool is_charged(const InstalledPolicy* policy) { return policy != nullptr && policy->has_charges; }

}  // namespace

u32 CaptureRun::frames_inside(u32 workers) { return std::bit_ceil(window_frames + workers * held_frames_max); }

std::expected<std::unique_ptr<CaptureRun>, Error> CaptureRun::make(const Ports& ports, const Config& config,
                                                                   Decisions* decisions, Counter& unsent) {
  auto room = FrameRoom::make(frames_inside(config.workers));
  if (!room) return std::unexpected(room.error());
  return std::unique_ptr<CaptureRun>(new CaptureRun(ports, config, decisions, unsent, std::move(*room)));
}

CaptureRun::CaptureRun(const Ports& ports, const Config& config, Decisions* decisions, Counter& unsent, FrameRoom room)
    : ports_(ports),
      workers_(config.workers),
      secret_(config.secret),
      trust_checksums_(config.trust_checksums),
      slot_(*config.slot),
      budgets_(*config.budgets),
      decisions_(decisions),
      unsent_(unsent),
      transmit_(ports, 0, unsent),
      room_(std::move(room)),
      frames_(room_.size()),
      free_(frames_inside(workers_)),
      order_(frames_inside(workers_)) {
  for (u32 token = 0; token < frames_.size(); ++token) {
    frames_[token].token = token;
    frames_[token].frame = room_[token];
    WEIR_CHECK(free_.ring.put(&frames_[token]));
  }
  for (u32 worker = 0; worker < workers_; ++worker) {
    work_.push_back(std::make_unique<Queue>(frames_inside(workers_)));
    ended_.push_back(std::make_unique<Queue>(frames_inside(workers_)));
  }
}

void CaptureRun::read(const std::atomic<bool>& stop) {
  const auto stopped = [&] { return stop.load(std::memory_order_relaxed) || failed(); };
  const auto wait = [&] { return sched_yield(), !stopped(); };
  CaptureOrder order(ports_, wait);
  CapturedFrame captured{};
  while (!stopped() && order.next(captured)) {
    CaptureFrame* frame = nullptr;
    while (!free_.ring.take(frame)) sched_yield();
    give_out(*frame, captured);
  }
  all_read_.store(true, std::memory_order_release);
}

void CaptureRun::give_out(CaptureFrame& frame, const CapturedFrame& captured) {
  const u64 index = given_out_.load(std::memory_order_relaxed);
  frame.index = index;
  frame.time = captured.time;
  frame.packet = show(frame.frame, captured.mbuf, captured.port, captured.time, frame.token);
  if (trust_checksums_) frame.packet.checksum = Checksum::good;
  const Headers headers = parse({frame.packet.data, frame.packet.bytes}, {secret_, captured.port / 2u});
  frame.worker = headers.well_formed() ? owner_of(headers.hash, workers_) : 0;
  frame.is_judged.store(false, std::memory_order_relaxed);
  frame.is_handed.store(false, std::memory_order_relaxed);
  frame.ended = nullptr;
  // Both rings hold as many as there are frames: they always have room.
  WEIR_CHECK(order_.ring.put(&frame) && work_[frame.worker]->ring.put(&frame));
  given_out_.store(index + 1, std::memory_order_release);
  const bool is_fragment = headers.well_formed() && headers.kind == PacketKind::fragment;
  if (workers_ > 1 && (is_fragment || is_charged(slot_.current()))) await_judgement(frame);
}

void CaptureRun::await_judgement(CaptureFrame& frame) {
  while (!frame.is_judged.load(std::memory_order_acquire)) {
    if (!frame.is_handed.load(std::memory_order_acquire)) {
      sched_yield();
      continue;
    }
    const u32 owner = frame.owner;
    for (CaptureFrame *piece = frame.handed, *next = nullptr; piece != nullptr; piece = next) {
      next = piece->next;
      piece->packet.is_gathered = true;
      piece->worker = owner;
      WEIR_CHECK(work_[owner]->ring.put(piece));
    }
    return;
  }
}

void CaptureRun::judge(Core& core) {
  std::array<CaptureFrame*, burst_packets_max> frames;
  std::array<Packet, burst_packets_max> packets;
  Judged judged;
  const InstalledPolicy* policy = nullptr;
  Tick now = 0;
  while (true) {
    policy = core.begin_round();
    const bool all_read = all_read_.load(std::memory_order_acquire);
    const std::size_t most = !is_charged(policy) ? frames.size() : core.pipeline().idle() ? 1 : 0;
    const std::size_t count = work_[core.self()]->ring.take(std::span(frames).first(most));
    if (count == 0 && core.pipeline().idle()) {
      if (all_read) break;
      sched_yield();
      continue;
    }
    for (std::size_t i = 0; i < count; ++i) packets[i] = frames[i]->packet;
    if (count != 0) now = packets[count - 1].time;
    const BurstResult result = process(core, {packets.data(), count}, policy, now, judged);
    record(core, {judged.outcomes.data(), result.outcomes}, policy);
    hand_over({judged.misdirected.data(), result.misdirected});
  }
  record(core, {judged.outcomes.data(), core.pipeline().abandon(policy, judged.outcomes)}, policy);
  workers_done_.fetch_add(1, std::memory_order_acq_rel);
}

BurstResult CaptureRun::process(Core& core, std::span<const Packet> packets, const InstalledPolicy* policy, Tick now,
                                Judged& judged) {
  if (!is_charged(policy)) return core.pipeline().process(packets, policy, judged.outcomes, judged.misdirected);
  const std::lock_guard turn(budgets_.turn);
  budgets_.accounts.begin_packet(now);
  const BurstResult result = core.pipeline().process(packets, policy, judged.outcomes, judged.misdirected);
  budgets_.accounts.end_packet(core.till());
  return result;
}

void CaptureRun::record(Core& core, std::span<const Outcome> outcomes, const InstalledPolicy* policy) {
  CaptureFrame* ended = nullptr;
  CaptureFrame** last = &ended;
  for (const Outcome& outcome : outcomes) {
    CaptureFrame& frame = frames_[outcome.token];
    if (frame.frame.is_held) {
      if (outcome.verdict == Verdict::hold) continue;  // gathered once more: its line says so already
      frame.ending = outcome;
      frame.ending_worker = core.self();
      frame.next = nullptr;
      *last = &frame;
      last = &frame.next;
      continue;
    }
    frame.outcome = outcome;
    frame.policy = policy;
    frame.ended = ended;
    ended = nullptr;
    last = &ended;
    frame.frame.is_held = outcome.verdict == Verdict::hold;
    frame.is_judged.store(true, std::memory_order_release);
  }
  for (CaptureFrame* next = nullptr; ended != nullptr; ended = next) {
    next = ended->next;
    WEIR_CHECK(ended_[core.self()]->ring.put(ended));
  }
}

// Whole datagrams of other workers, one after the other: the frame that came last was not held, and says so to the
// reader.
void CaptureRun::hand_over(std::span<const Misdirected> misdirected) {
  CaptureFrame* first = nullptr;
  CaptureFrame** last = &first;
  for (const Misdirected& packet : misdirected) {
    CaptureFrame& frame = frames_[packet.token];
    WEIR_CHECK(packet.is_gathered);
    frame.next = nullptr;
    *last = &frame;
    last = &frame.next;
    if (frame.frame.is_held) continue;
    frame.handed = first;
    frame.owner = packet.owner;
    first = nullptr;
    last = &first;
    frame.is_handed.store(true, std::memory_order_release);
  }
}

void CaptureRun::write() {
  while (true) {
    const bool all_done = workers_done_.load(std::memory_order_acquire) == workers_;
    CaptureFrame* frame = nullptr;
    if (order_.ring.take(frame)) {
      while (!frame->is_judged.load(std::memory_order_acquire)) sched_yield();
      settle(*frame);
    } else if (all_done) {
      break;
    } else {
      sched_yield();
    }
  }
  end_held();
  transmit_.flush();
  if (decisions_ != nullptr && !decisions_->flush()) failed_.store(true, std::memory_order_release);
}

void CaptureRun::settle(CaptureFrame& frame) {
  for (CaptureFrame *ended = frame.ended, *next = nullptr; ended != nullptr; ended = next) {
    next = ended->next;
    write_line(*ended, ended->ending_worker, ended->ending, frame.policy);
    leave(*ended, ended->ending);
  }
  write_line(frame, frame.worker, frame.outcome, frame.policy);
  written_.store(frame.index + 1, std::memory_order_release);
  if (frame.outcome.verdict != Verdict::hold) leave(frame, frame.outcome);
}

void CaptureRun::write_line(const CaptureFrame& frame, u32 worker, const Outcome& outcome,
                            const InstalledPolicy* judged) {
  const Policy* policy = judged == nullptr ? nullptr : &judged->policy;
  if (decisions_ != nullptr &&
      !decisions_->write(frame.index, frame.time, frame.frame.port, worker, outcome, policy))
    failed_.store(true, std::memory_order_release);
}

void CaptureRun::leave(CaptureFrame& frame, const Outcome& outcome) {
  const Leaving leaving = end(frame.frame, outcome, ports_.pool());
  unsent_.add(leaving.lost);
  transmit_.send(leaving.answer, leaving.port ^ 1);
  if (leaving.mbuf != nullptr && leaving.mbuf->nb_segs > 1) {
    transmit_.send(straighten(leaving.mbuf, frame.frame.flat), leaving.port);
    transmit_.flush();  // before the room is used again
  } else {
    transmit_.send(leaving.mbuf, leaving.port);
  }
  frame.frame.is_held = false;
  WEIR_CHECK(free_.ring.put(&frame));
}

// net_pcap cuts long chains when it writes them. One that is flat leaves whole; longer than an mbuf can say, it does
// not leave.
rte_mbuf* CaptureRun::straighten(rte_mbuf* chain, std::byte* room) {
  static rte_mbuf_ext_shared_info shared{.free_cb = [](void*, void*) {}, .fcb_opaque = nullptr, .refcnt = 1};
  const u32 bytes = chain->pkt_len;
  rte_mbuf* mbuf = bytes <= 0xffff ? rte_pktmbuf_alloc(ports_.pool()) : nullptr;
  rte_pktmbuf_free(chain);
  if (mbuf == nullptr) {
    unsent_.add(1);
    return nullptr;
  }
  rte_mbuf_ext_refcnt_set(&shared, 1);
  rte_pktmbuf_attach_extbuf(mbuf, room, RTE_BAD_IOVA, static_cast<u16>(bytes), &shared);
  mbuf->data_off = 0;
  mbuf->data_len = static_cast<u16>(bytes);
  mbuf->pkt_len = bytes;
  return mbuf;
}

// What was held to the end, in the order in which it came. No rule and no segment stands in such a line, and the policy
// may be gone.
void CaptureRun::end_held() {
  std::vector<CaptureFrame*> ending;
  for (auto& queue : ended_)
    for (CaptureFrame* frame = nullptr; queue->ring.take(frame);) ending.push_back(frame);
  std::ranges::sort(ending, {}, &CaptureFrame::index);
  for (CaptureFrame* frame : ending) {
    write_line(*frame, frame->ending_worker, frame->ending, nullptr);
    leave(*frame, frame->ending);
  }
}

}  // namespace weir::edge
