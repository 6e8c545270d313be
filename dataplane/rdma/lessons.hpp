// Queue pairs that somebody has told of before their first packet: a handshake on another network, or another instance.
// A lesson says who may address whom by which number; where those packets will come by nobody knows yet. It is used up
// by the first packet of either direction, which opens the pair, and forgotten when none comes in time.
//
// Both directions of a pair stand in the table, each under its own name. When a set is full of living lessons, the
// oldest goes: a rail whose lesson is forgotten stays closed. Threads: one. Memory: lent, zeroed.
#pragma once
#include "dataplane/base/check.hpp"
#include "dataplane/base/tick.hpp"
#include "dataplane/packet/key.hpp"

#include <span>
#include <string_view>

namespace weir {

// Tells jobs apart whatever the policy in force numbers them (FNV-1a; never 0).
constexpr u64 job_mark(std::string_view name) {
  u64 mark = 0xcbf2'9ce4'8422'2325;
  for (const char letter : name) mark = (mark ^ static_cast<u8>(letter)) * 0x100'0000'01b3;
  return mark | 1;
}

// Of two endpoints, and which queue pair of each the other addresses.
struct LearnedPair {
  Address opener, replier;      // the opener is the side that dialled the handshake
  u32 opener_qp, replier_qp;
  u64 tag;                      // of the job, as the handshake named it
  Tick learned_at;
  u64 job = 0;                  // job_mark() of its name in the policy that was in force; 0: of none
};

class Lessons {
 public:
  struct Entry {
    LearnedPair pair;
    Tick until;       // 0: free
    u32 to_opener;    // the packets that it names go to the opener
    u32 zero;
  };
  static constexpr u32 ways = 8, sets = 1u << 13;
  struct Set {
    Entry entries[ways];
  };
  static constexpr std::size_t bytes_needed = sets * sizeof(Set);
  static constexpr Tick patience_us = 600'000'000;

  Lessons(std::span<std::byte> memory, const HashKey& secret)
      : sets_(reinterpret_cast<Set*>(memory.data())), secret_(secret) {
    WEIR_CHECK(memory.size() >= bytes_needed);
  }

  // A later lesson about a number replaces an earlier one: numbers are used again.
  void learn(const LearnedPair& pair, Tick now) {
    put(pair, false, now);
    put(pair, true, now);
  }
  // What is known of packets from `source` for queue pair `qp` of `target`; null: nothing.
  const LearnedPair* find(const Address& source, const Address& target, u32 qp, Tick now) const {
    const Entry* const entry = entry_of(source, target, qp);
    return entry != nullptr && now < entry->until ? &entry->pair : nullptr;
  }
  void forget(const LearnedPair& pair) {
    const LearnedPair copy = pair;
    for (const bool to_opener : {false, true}) {
      const Address& source = to_opener ? copy.replier : copy.opener;
      const Address& target = to_opener ? copy.opener : copy.replier;
      Entry* const entry = entry_of(source, target, to_opener ? copy.opener_qp : copy.replier_qp);
      if (entry != nullptr) *entry = {};
    }
  }

 private:
  Set& set_of(const Address& source, const Address& target, u32 qp) const {
    u64 hash = fold_multiply(source.high ^ secret_.words[1], source.low ^ secret_.words[0]);
    hash = fold_multiply(hash ^ target.high ^ secret_.words[3], target.low ^ secret_.words[2]);
    hash = fold_multiply(hash ^ secret_.words[0], qp ^ secret_.words[1]);
    return sets_[hash >> 32 & (sets - 1)];
  }
  Entry* entry_of(const Address& source, const Address& target, u32 qp) const {
    for (Entry& one : set_of(source, target, qp).entries) {
      const LearnedPair& pair = one.pair;
      const bool is_it = one.to_opener != 0
                             ? pair.replier == source && pair.opener == target && pair.opener_qp == qp
                             : pair.opener == source && pair.replier == target && pair.replier_qp == qp;
      if (one.until != 0 && is_it) return &one;
    }
    return nullptr;
  }
  void put(const LearnedPair& pair, bool to_opener, Tick now) {
    const Address& source = to_opener ? pair.replier : pair.opener;
    const Address& target = to_opener ? pair.opener : pair.replier;
    const u32 qp = to_opener ? pair.opener_qp : pair.replier_qp;
    Entry* entry = entry_of(source, target, qp);
    if (entry == nullptr) {
      Set& set = set_of(source, target, qp);
      entry = &set.entries[0];
      for (Entry& one : set.entries)
        if (one.until < entry->until) entry = &one;
    }
    *entry = {pair, now + patience_us, to_opener, 0};
  }

  Set* sets_;
  HashKey secret_;
};

}  // namespace weir
