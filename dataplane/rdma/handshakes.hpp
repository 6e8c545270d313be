// TCP connections whose first bytes are read for what NCCL's ranks tell each other (dataplane/inspect/nccl.hpp): each
// has a slot while it is undecided. There are few, since nearly every connection is decided by its first twelve
// bytes; who finds no slot is not read, and teaches nothing.
//
// A slot belongs to a flow's record and key; a record that is used again has to be forgotten here first. The oldest
// slot of a set goes when it is older than patience_us, and its flow is told. Invariants: a flow has one slot or
// none. Threads: one. Memory: lent, zeroed.
#pragma once
#include "dataplane/base/check.hpp"
#include "dataplane/base/tick.hpp"
#include "dataplane/inspect/nccl.hpp"
#include "dataplane/inspect/reader.hpp"

#include <span>

namespace weir {

struct Handshake {
  FlowKey key;
  u32 flow;
  u32 is_live;
  Tick since;
  StreamReader readers[2];  // of the opener's bytes and the replier's
  u8 history[2][nccl_bytes_max];

  std::span<const u8> so_far(u32 from) const { return readers[from].so_far(history[from]); }
};

class Handshakes {
 public:
  static constexpr u32 ways = 4, sets = 256;
  struct Set {
    Handshake slots[ways];
  };
  static constexpr std::size_t bytes_needed = sets * sizeof(Set);
  static constexpr Tick patience_us = 60'000'000;

  explicit Handshakes(std::span<std::byte> memory) : sets_(reinterpret_cast<Set*>(memory.data())) {
    WEIR_CHECK(memory.size() >= bytes_needed);
  }

  // The slot of this flow, or null.
  Handshake* find(u32 flow, const FlowKey& key) {
    for (Handshake& one : set_of(flow).slots)
      if (one.is_live != 0 && one.flow == flow && one.key == key) return &one;
    return nullptr;
  }
  // A slot for a flow that has none, its readers not set; null when there is no room. Calls leave(flow, key) for who
  // had to go for it.
  template <class Leave>
  Handshake* begin(u32 flow, const FlowKey& key, Tick now, const Leave& leave) {
    Handshake* oldest = nullptr;
    for (Handshake& one : set_of(flow).slots) {
      if (one.is_live == 0 || one.flow == flow) return take(one, flow, key, now);
      if (oldest == nullptr || one.since < oldest->since) oldest = &one;
    }
    if (now - oldest->since < patience_us) return nullptr;
    leave(oldest->flow, oldest->key);
    return take(*oldest, flow, key, now);
  }
  // A record that begins anew.
  void forget(u32 flow) {
    for (Handshake& one : set_of(flow).slots)
      if (one.is_live != 0 && one.flow == flow) end(one);
  }
  void end(Handshake& one) {
    one.is_live = 0;
    --live_;
  }
  bool is_empty() const { return live_ == 0; }

 private:
  Set& set_of(u32 flow) { return sets_[flow & (sets - 1)]; }
  Handshake* take(Handshake& one, u32 flow, const FlowKey& key, Tick now) {
    live_ += one.is_live == 0;
    one.key = key;
    one.flow = flow;
    one.is_live = 1;
    one.since = now;
    return &one;
  }

  Set* sets_;
  u32 live_ = 0;
};

}  // namespace weir
