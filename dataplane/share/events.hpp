// The event ring of one worker: 64-byte records, one writer, one reader, lossy by design; what did not fit is
// counted. It lives in the stats segment, so that the reader is another process and a packet costs no system call.
//
// Threads: the worker pushes, one reader pops, any number look on. Invariant: tail <= head <= tail + events_per_ring.
#pragma once
#include "dataplane/base/tick.hpp"
#include "dataplane/packet/key.hpp"
#include "dataplane/packet/reason.hpp"
#include "dataplane/share/stats.hpp"

#include <array>
#include <atomic>
#include <bit>

namespace weir {

// packet_dropped: denied or refused, also where that was answered. inspect_alert: what an inspection found and passed.
// rdma_*: dataplane/rdma/alarms.hpp. job_*: dataplane/rdma/job_watch.hpp, from who sends to who gets. shadow_*: the
// policy in force and its shadow disagree, of what source asks of target: `reason` is that of the one which denies, of
// the other it is flow_new; `rule` is that of the policy in force, `detail` the shadow's (shadow_detail).
enum class EventKind : u8 {
  flow_opened,
  flow_revoked,
  packet_dropped,
  scan_detected,
  inspect_alert,
  rdma_refused,
  rdma_gaps,
  rdma_unknown,
  rdma_requests,
  job_burst,
  job_turned,
  shadow_would_pass,
  shadow_would_deny,
};
inline constexpr u32 event_kinds = 13;
inline constexpr u32 no_detail = ~u32{0};
constexpr bool is_of_shadow(EventKind kind) {
  return kind == EventKind::shadow_would_pass || kind == EventKind::shadow_would_deny;
}

// A rule of the shadow and the last 16 bits of the shadow's generation, which nothing in force shares with it.
inline constexpr u32 no_shadow_rule = 0xffff;
constexpr u32 shadow_detail(u32 rule, u64 generation) {
  return (rule < no_shadow_rule ? rule : no_shadow_rule) | static_cast<u32>(generation & 0xffff) << 16;
}
constexpr u32 shadow_rule_in(u32 detail) { return detail & 0xffff; }
constexpr u16 shadow_generation_in(u32 detail) { return static_cast<u16>(detail >> 16); }
static_assert(decisions_max <= no_shadow_rule);

struct alignas(64) Event {
  Tick time;
  u32 generation;  // low half of the policy's
  u32 rule;        // index in that policy, or no_rule
  Address source, target;
  u16 source_port, target_port;  // host order; ICMP: type << 8 | code in target_port
  EventKind kind;
  Reason reason;
  u8 protocol;
  u8 port;         // 2 * pair + side the packet came in by
  u32 detail = no_detail;  // of inspect_signature, the pattern's number in that policy; of shadow_*, see above
  u32 place = 0;           // VLANs or the network, as FlowKey has them
};
static_assert(sizeof(Event) == 64);

inline constexpr u32 events_per_ring = 4096;

class EventRing {
 public:
  // Writer. A full ring loses the new event and counts it.
  void push(const Event& event) {
    const u64 head = head_.load(std::memory_order_relaxed);
    if (head - tail_.load(std::memory_order_acquire) == events_per_ring) return lost_.add(1);
    slots_[head % events_per_ring] = event;
    head_.store(head + 1, std::memory_order_release);
  }
  // Reader. False when there is none.
  bool pop(Event& event) {
    const u64 tail = tail_.load(std::memory_order_relaxed);
    if (tail == head_.load(std::memory_order_acquire)) return false;
    event = slots_[tail % events_per_ring];
    tail_.store(tail + 1, std::memory_order_release);
    return true;
  }
  // Who looks on, beside the reader: the event at `cursor`, which goes on; false when there is none yet. What was
  // written over before it was seen is added to `missed`.
  bool look(u64& cursor, Event& event, u64& missed) const {
    for (;;) {
      const u64 head = head_.load(std::memory_order_acquire);
      if (cursor >= head) return false;
      if (head - cursor >= events_per_ring) {  // the slot of the oldest is the writer's now
        missed += head - cursor - events_per_ring + 1;
        cursor = head - events_per_ring + 1;
      }
      std::array<u64, sizeof(Event) / sizeof(u64)> words;
      const auto* const slot = reinterpret_cast<const u64*>(&slots_[cursor % events_per_ring]);
      for (std::size_t at = 0; at < words.size(); ++at) words[at] = __atomic_load_n(slot + at, __ATOMIC_RELAXED);
      std::atomic_thread_fence(std::memory_order_acquire);
      if (head_.load(std::memory_order_relaxed) - cursor >= events_per_ring) continue;  // perhaps half of another
      event = std::bit_cast<Event>(words);
      ++cursor;
      return true;
    }
  }
  u64 lost() const { return lost_.read(); }
  u64 pushed() const { return head_.load(std::memory_order_acquire); }
  u64 waiting() const { return pushed() - tail_.load(std::memory_order_relaxed); }
  bool is_half_full() const { return waiting() >= events_per_ring / 2; }

 private:
  alignas(64) std::atomic<u64> head_{0};
  alignas(64) std::atomic<u64> tail_{0};
  alignas(64) Counter lost_;
  Event slots_[events_per_ring];
};

}  // namespace weir
