// What connection managers say to each other about queue pairs: from a request until both ends are ready, and from a
// disconnect until it is confirmed. It knows which message may follow which; what a message opens or closes, and
// whether policy agrees, is the caller's.
//
// A conversation is named by the addresses, where they are, and the identifier that its opener chose. Who speaks is
// told by the addresses, which the caller has checked. A table that is full refuses newcomers until time has passed.
//
// Source: InfiniBand Architecture Specification, volume 1, 12.9 (communication management: states and transitions).
// Invariants: no two entries have one name. Threads: one. Memory: lent, zeroed.
#pragma once
#include "dataplane/base/check.hpp"
#include "dataplane/base/tick.hpp"
#include "dataplane/packet/key.hpp"

#include <span>

namespace weir {

struct Conversation {
  enum class State : u8 {
    free,
    asked,      // a request has passed: the replier is to answer
    answered,   // and its answer: the opener is to confirm
    ready,      // both ends may use their queue pairs; kept for messages that are sent again
    resolving,  // a service is asked for its datagram queue pair
    resolved,
    closing,    // the opener of this conversation has ended a connection; the other is to confirm
  };
  Address opener, replier;
  u32 scope;        // FlowKey::scope, of where they are
  u32 opener_id;    // what names the conversation for its opener; in resolving the request's number
  u32 replier_id;   // likewise for its replier, once it has answered
  u32 opener_qp, replier_qp;
  u16 port;         // of the service that was asked for
  State state;
  bool opener_on_inside;
  bool replier_dialled;  // closing: who ends the connection is not who asked for it
  Tick until;       // when it is forgotten
};

// Messages as far as their order matters.
enum class CmStep : u8 { request, wait, reject, reply, ready, disconnect, disconnected, resolve, resolution };

class Conversations {
 public:
  static constexpr u32 ways = 8, sets = 512;
  struct Set {
    Conversation entries[ways];
  };
  static constexpr std::size_t bytes_needed = sets * sizeof(Set);
  // An end that is slow may say so (MRA); beyond this nobody waits. The specification's own times are of seconds.
  static constexpr Tick patience_us = 30'000'000;
  static constexpr Tick memory_us = 60'000'000;  // of what is complete, for messages that are sent again

  Conversations(std::span<std::byte> memory, const HashKey& secret);

  // The living conversation of this name, or null.
  Conversation* find(const Address& opener, const Address& replier, u32 scope, u32 opener_id, Tick now);
  // One of this name, all else zero; null where its set is full of living ones.
  Conversation* add(const Address& opener, const Address& replier, u32 scope, u32 opener_id, Tick now);

  // Whether this message may come now, from the opener of the conversation or from its replier. A message that is
  // sent again may; state and `until` move on.
  static bool step(Conversation& one, CmStep message, bool from_opener, Tick now);

 private:
  Set& set_of(const Address& opener, const Address& replier, u32 scope, u32 opener_id);

  Set* sets_;
  HashKey secret_;
};

}  // namespace weir
