// A worker's purses, by number: what it may still forward of every account that its packets draw on, what it has to
// tell the keeper of accounts, and what the keeper tells it. Numbers are the keeper's, the same for all workers and for
// the process's life. Purse 0 belongs to nobody and never holds anything: what nobody has opened is closed.
//
// Memory is lent, zeroed, and touched only for purses in use. Threads: one, the worker's. It knows no ring, disk or
// clock.
#pragma once
#include "dataplane/base/check.hpp"
#include "dataplane/base/limits.hpp"
#include "dataplane/base/tick.hpp"
#include "dataplane/budget/purse.hpp"
#include "dataplane/packet/key.hpp"

#include <span>
#include <utility>

namespace weir {

inline constexpr u32 no_purse = 0;

// Where bytes of a packet may be taken from, and how they are counted.
struct Draw {
  u32 purse;
  u32 surcharge : 24;      // bytes a packet, where the payload counts
  u32 counts_payload : 1;
  u32 is_open : 1;         // counts and never refuses: alert, or monitor
  u32 or_next : 1;         // where this one does not hold it, the next may pay instead
  u32 is_bucket : 1;       // of a throttle: what it gets is asked for in the name of the purse before it
  u32 unused : 4;
  bool operator==(const Draw&) const = default;
};
static_assert(sizeof(Draw) == 8);
static_assert(surcharge_max == (1u << 24) - 1);

// What leaves: one frame, or all frames of a datagram.
struct Load {
  u64 frame_bytes, payload_bytes;
  u32 frames;
};
inline u64 bytes_of(const Draw& draw, const Load& load) {
  return draw.counts_payload ? load.payload_bytes + u64{draw.surcharge} * load.frames : load.frame_bytes;
}

// Where an account's purses are: of its reserves in order, of the rest, and, where it throttles, of the bucket. Of an
// account for each host: of none, and the keeper knows each host's by `seat`.
struct AccountSeat {
  u32 seat = 0;        // tells apart accounts by host, over all policies; 0: none
  u32 first = no_purse;
  u32 share_seat = 0;  // of max_share: one more purse for each host; 0: none
};

// A host that is a port has this for `high`, and the port's index. No packet has such an address: it would be a
// multicast one of reserved flags.
inline constexpr u64 host_port_mark = 0xffff'ffff'ffff'fffe;

// Worker to keeper.
struct PurseNews {
  enum class Kind : u8 { purse, host } kind = Kind::purse;
  u32 number = 0;   // of the purse; of the seat, where a host has none yet
  u64 spent = 0;    // of what was lent
  u64 returned = 0;
  u64 over = 0;     // forwarded beyond it, of purses that are open
  u64 least = 0;    // wanted: at least so many bytes; 0: nothing
  Address host{};
};

// Keeper to worker.
struct PurseGift {
  enum class Kind : u8 {
    lease,      // `bytes`, recorded; 0: not now
    give_back,  // everything, with the next news
    host,       // `host` of seat `number` has its first purse at `bytes`, or may have none (0)
  } kind = Kind::lease;
  u32 number = 0;
  u64 bytes = 0;
  Address host{};
};

class Till;
// Who lends at once, where time stands still meanwhile (replay): settles what was spent and puts what it lends.
struct Lender {
  void* self = nullptr;
  void (*lend)(void* self, Till& till, u32 purse, u64 least) = nullptr;
  u32 (*open_host)(void* self, u32 seat, const Address& host) = nullptr;  // its first purse, or no_purse
};

class Till {
 public:
  static constexpr u32 purses_max = 1u << 22, hosts_max = 1u << 22, notes_max = 4096;
  static constexpr std::size_t bytes_needed() {
    return purses_max * (sizeof(Slot) + sizeof(u32)) + hosts_max * sizeof(Host) + notes_max * sizeof(Note);
  }

  // The secret finds hosts, so that nobody can choose addresses that crowd others out.
  explicit Till(std::span<std::byte> memory, const Lender& lender = {}, const HashKey& secret = {})
      : lender_(lender), secret_(secret) {
    WEIR_CHECK(memory.size() >= bytes_needed());
    slots_ = reinterpret_cast<Slot*>(memory.data());
    hosts_ = reinterpret_cast<Host*>(slots_ + purses_max);
    notes_ = reinterpret_cast<Note*>(hosts_ + hosts_max);
    active_ = reinterpret_cast<u32*>(notes_ + notes_max);
  }
  Till(const Till&) = delete;

  // Whether a packet may leave; nothing is debited. What is short is asked for.
  bool affords(std::span<const Draw> draws, const Load& load);
  // Debits what affords() has just said yes to.
  void spend(std::span<const Draw> draws, const Load& load);

  void prefetch(const Draw& draw) const { __builtin_prefetch(slots_ + draw.purse, 1, 3); }

  // The first purse of a host at a seat; no_purse while it has none, which is asked for.
  u32 host_purse(u32 seat, const Address& host);

  void take(const PurseGift& gift);
  // So many gifts may be taken now: what is asked back is answered by a note each.
  u32 room() const { return notes_max - notes_count_; }
  // What there is to tell, at most news.size() of it; returns how much. To be called after the frames of a burst were
  // handed to their ports. `now` beats time: purses in use are told of ten times a second, idle ones go back.
  u32 tell(Tick now, std::span<PurseNews> news);

  // For lenders: what was spent since the last time; and bytes that may be.
  Purse::Report report(u32 purse) { return slots_[purse].purse.report(); }
  Purse::Report give_back(u32 purse) { return slots_[purse].purse.give_back(); }
  u64 take_over(u32 purse) { return std::exchange(slots_[purse].over, 0); }
  void put(u32 purse, u64 bytes) { slots_[checked(purse)].purse.put(bytes); }
  u64 left(u32 purse) const { return slots_[purse].purse.left(); }

 private:
  struct Slot {
    Purse purse;
    u32 low;  // below this it asks
    u32 place : 23;  // in active_, from 1; 0: in use by nobody
    u32 asked : 1;
    u32 idle : 7;  // rounds without a debit
    u32 gives_back : 1;
    u64 over;
  };
  static_assert(sizeof(Slot) == 32);
  struct Host {
    Address host;
    u32 seat;   // 0: free
    u32 first;  // no_purse: asked for
  };
  struct Note {
    u32 purse, seat;  // seat 0: of a purse
    u64 least;
    Address host;
  };
  static constexpr u32 host_probes = 16, rounds_idle = 100, looks_max = 32;
  static constexpr u64 kept_bytes = 4096;  // by an idle purse, so that who begins to speak is not held up
  static constexpr Tick round_us = 100'000;

  static u32 checked(u32 purse) {
    WEIR_CHECK(purse != no_purse && purse < purses_max);
    return purse;
  }
  bool holds(const Draw& draw, u64 bytes) { return draw.is_open || slots_[draw.purse].purse.holds(bytes); }
  bool some_holds(std::span<const Draw> alternatives, const Load& load);
  void used_up(const Draw& draw, u64 bytes);
  void ask(u32 purse, u64 least);
  void use(u32 purse);
  bool note(const Note& note);
  PurseNews news_of(u32 purse, u64 least);
  PurseNews idle_news_of(u32 purse);
  void leave(u32 purse);

  u64 hash_of(u32 seat, const Address& host) const;

  Lender lender_;
  HashKey secret_;
  Slot* slots_;
  Host* hosts_;
  Note* notes_;
  u32* active_;
  u32 notes_count_ = 0, active_count_ = 0, cursor_ = 0, left_in_round_ = 0;
  Tick round_began_ = 0;
};

// The draws up to and with the one that has no other after it.
inline std::size_t alternatives(std::span<const Draw> draws) {
  std::size_t count = 1;
  while (draws[count - 1].or_next && count < draws.size()) ++count;
  return count;
}

inline bool Till::affords(std::span<const Draw> draws, const Load& load) {
  while (!draws.empty()) {
    if (!holds(draws[0], bytes_of(draws[0], load)) && !some_holds(draws.first(alternatives(draws)), load)) [[unlikely]]
      return false;
    draws = draws.subspan(alternatives(draws));
  }
  return true;
}

inline void Till::spend(std::span<const Draw> draws, const Load& load) {
  bool paid = false;
  for (const Draw& draw : draws) {
    const u64 bytes = bytes_of(draw, load);
    if (!paid && holds(draw, bytes)) {
      Slot& slot = slots_[draw.purse];
      if (!slot.purse.spend(bytes)) slot.over += bytes;
      if (slot.purse.left() < slot.low || draw.is_open) [[unlikely]]
        used_up(draw, bytes);
      paid = true;
    }
    if (draw.or_next) continue;
    WEIR_CHECK(paid);
    paid = false;
  }
}

}  // namespace weir
