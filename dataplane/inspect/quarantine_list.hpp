// Hosts and flows that an operator has put into quarantine: what comes from them or goes to them is dropped, whatever
// policy says, until they are let go or their time is over. Bounded; a full list takes no more and says so. It outlives
// every policy and ends with the process.
//
// Threads: one writes, any read. The version moves on after each change: what was judged while an entry changed is to
// be judged again then.
#pragma once
#include "dataplane/base/tick.hpp"
#include "dataplane/packet/key.hpp"

#include <atomic>

namespace weir {

// A host, or a flow by its key, whatever pair of ports and place it is met in.
struct Held {
  Address a, b;  // of a host: the same twice
  u16 a_number = 0, b_number = 0;
  FlowClass flow_class = FlowClass::ip;
  bool is_host = true;
  Tick until = 0;  // 0: until it is let go

  static Held host(const Address& address) { return {address, address}; }
  static Held flow(const FlowKey& key, Tick until) {
    return {key.a, key.b, key.a_number, key.b_number, key.flow_class(), false, until};
  }
  bool is_same(const Held& other) const {
    return a == other.a && b == other.b && a_number == other.a_number && b_number == other.b_number &&
           flow_class == other.flow_class && is_host == other.is_host;
  }
};

class QuarantineList {
 public:
  static constexpr u32 places = 256;

  u32 version() const { return version_.load(std::memory_order_acquire); }
  // How many places are looked at.
  u32 used() const { return used_.load(std::memory_order_relaxed); }

  // Whether what goes between these two, of this flow if it is of one, is in quarantine.
  bool holds(const Address& one, const Address& other, const FlowKey* key, Tick now) const {
    for (u32 place = 0; place < used(); ++place) {
      const Entry& entry = entries_[place];
      const u32 kind = entry.kind.load(std::memory_order_acquire);
      if (kind == kind_none) continue;
      const u64 until = load(entry.until);
      if (until != 0 && now >= until) continue;
      const Address a = entry.address(0);
      if (kind == kind_host) {
        if (a == one || a == other) return true;
      } else if (key != nullptr && key->a == a && key->b == entry.address(1) &&
                 numbers_of(*key) == static_cast<u32>(load(entry.numbers)) &&
                 key->flow_class() == static_cast<FlowClass>(kind - kind_flow)) {
        return true;
      }
    }
    return false;
  }

  // Writer. False when all places are taken. What is there already takes the new time.
  bool put(const Held& held, Tick now) {
    u32 place = place_of(held);
    for (u32 free = 0; place == places && free < places; ++free)
      if (!is_held(free, now)) place = free;
    if (place == places) return false;
    Entry& entry = entries_[place];
    entry.kind.store(kind_none, std::memory_order_release);
    const u64 words[] = {held.a.high, held.a.low, held.b.high, held.b.low};
    for (u32 word = 0; word < 4; ++word) entry.words[word].store(words[word], std::memory_order_relaxed);
    entry.numbers.store(u64{held.b_number} << 16 | held.a_number, std::memory_order_relaxed);
    entry.until.store(held.until, std::memory_order_relaxed);
    const u32 kind = held.is_host ? kind_host : kind_flow + static_cast<u32>(held.flow_class);
    entry.kind.store(kind, std::memory_order_release);
    if (place >= used()) used_.store(place + 1, std::memory_order_release);
    version_.store(version() + 1, std::memory_order_release);
    return true;
  }
  // Writer. False when it is not there.
  bool let_go(const Held& held) {
    const u32 place = place_of(held);
    if (place == places) return false;
    entries_[place].kind.store(kind_none, std::memory_order_release);
    u32 left = used();
    while (left != 0 && entries_[left - 1].kind.load(std::memory_order_relaxed) == kind_none) --left;
    used_.store(left, std::memory_order_release);
    version_.store(version() + 1, std::memory_order_release);
    return true;
  }
  // Writer. Calls told(held) for each whose time is not over.
  template <class Told>
  void each(Tick now, Told&& told) const {
    for (u32 place = 0; place < used(); ++place)
      if (is_held(place, now)) told(at(place));
  }

 private:
  static constexpr u32 kind_none = 0, kind_host = 1, kind_flow = 2;  // a flow's class is added

  struct alignas(64) Entry {
    std::atomic<u32> kind{kind_none};
    std::atomic<u64> words[4]{}, numbers{0}, until{0};
    Address address(u32 end) const { return {load(words[2 * end]), load(words[2 * end + 1])}; }
  };
  static u64 load(const std::atomic<u64>& word) { return word.load(std::memory_order_relaxed); }

  bool is_held(u32 place, Tick now) const {
    const Entry& entry = entries_[place];
    const u64 until = load(entry.until);
    return entry.kind.load(std::memory_order_relaxed) != kind_none && (until == 0 || now < until);
  }
  Held at(u32 place) const {
    const Entry& entry = entries_[place];
    const u32 kind = entry.kind.load(std::memory_order_relaxed);
    const u64 numbers = load(entry.numbers);
    return {entry.address(0),
            entry.address(1),
            static_cast<u16>(numbers),
            static_cast<u16>(numbers >> 16),
            kind <= kind_host ? FlowClass::ip : static_cast<FlowClass>(kind - kind_flow),
            kind == kind_host,
            load(entry.until)};
  }
  u32 place_of(const Held& held) const {
    for (u32 place = 0; place < used(); ++place)
      if (entries_[place].kind.load(std::memory_order_relaxed) != kind_none && at(place).is_same(held)) return place;
    return places;
  }

  std::atomic<u32> version_{0}, used_{0};
  Entry entries_[places];
};

}  // namespace weir
