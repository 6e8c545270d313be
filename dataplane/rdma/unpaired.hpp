// Queue pairs that were opened by first use, of which only one direction is known yet: packets of reliable connections
// say whom they are for and not whom they are from. The other direction shows itself by its answers, which name the
// sequence numbers of what they answer.
//
// A few for each two hosts; the oldest is forgotten. Threads: one. Memory: lent, zeroed.
#pragma once
#include "dataplane/base/check.hpp"
#include "dataplane/base/tick.hpp"
#include "dataplane/packet/key.hpp"

#include <span>

namespace weir {

class Unpaired {
 public:
  struct Entry {
    u64 key;   // keyed hash of opener, replier and where they are; 0: free
    u32 qp;    // of the replier, which the opener's packets name
    u32 zero;
    Tick since;
  };
  static constexpr u32 ways = 8, sets = 1024;
  struct Set {
    Entry entries[ways];
  };
  static constexpr std::size_t bytes_needed = sets * sizeof(Set);

  Unpaired(std::span<std::byte> memory, const HashKey& secret)
      : sets_(reinterpret_cast<Set*>(memory.data())), secret_(secret) {
    WEIR_CHECK(memory.size() >= bytes_needed);
  }

  void add(const Address& opener, const Address& replier, u32 scope, u32 qp, Tick now) {
    const u64 key = key_of(opener, replier, scope);
    Entry* entry = &set_of(key).entries[0];
    for (Entry& one : set_of(key).entries)
      if (one.since < entry->since) entry = &one;
    *entry = {key, qp, 0, now + 1};
  }
  // The first of these two hosts for whose queue pair is_it(qp) holds is no longer unpaired; ~0: none.
  template <class IsIt>
  u32 take(const Address& opener, const Address& replier, u32 scope, const IsIt& is_it) {
    const u64 key = key_of(opener, replier, scope);
    for (Entry& one : set_of(key).entries) {
      if (one.key != key || !is_it(one.qp)) continue;
      const u32 qp = one.qp;
      one = {};
      return qp;
    }
    return ~u32{0};
  }

 private:
  u64 key_of(const Address& opener, const Address& replier, u32 scope) const {
    u64 hash = fold_multiply(opener.high ^ secret_.words[3], opener.low ^ secret_.words[1]);
    hash = fold_multiply(hash ^ replier.high ^ secret_.words[0], replier.low ^ secret_.words[2]);
    return fold_multiply(hash ^ secret_.words[1], scope ^ secret_.words[3]) | 1;
  }
  Set& set_of(u64 key) { return sets_[key >> 32 & (sets - 1)]; }

  Set* sets_;
  HashKey secret_;
};

}  // namespace weir
