// What a policy that is not in force would have decided, beside what the one in force did: counted, and told where the
// two disagree. It is asked where the other was asked, and says nothing about the packet: nothing here gives an answer
// that anybody acts on.
//
// One event for the same hosts, service and rules within a minute, and none where the ring is half full already: what
// floods can take no more of the ring than its drops do. What was not told is counted.
//
// Threads: one. Memory: its own.
#pragma once
#include "dataplane/base/hash.hpp"
#include "dataplane/pipeline/slot.hpp"
#include "dataplane/share/events.hpp"

namespace weir {

// How a question was met, beside what it asks.
struct Encounter {
  Tick time;
  u16 source_port;  // of who asks; 0 where there is none
  u32 port;         // by which packets of who asks come in
  u32 place;        // VLANs or the network, as FlowKey has them
};

class ShadowWatch {
 public:
  static constexpr Tick repeated_after = 60 * tick_second;

  // `events` may be null: nothing is told.
  ShadowWatch(EventRing* events, WorkerCounters& counters, const HashKey& secret)
      : events_(events), counters_(counters), secret_(secret) {}

  // `live`: what the policy in force has said. `question`: the same, with the classes that the shadow has for ports.
  void compare(const InstalledPolicy& installed, const Judgement& live, const Question& question,
               const Encounter& met) {
    note(installed, live, installed.shadow->policy.judge(question, met.time), question, met);
  }
  // The same where the shadow has been asked.
  void note(const InstalledPolicy& installed, const Judgement& live, const Judgement& shadow, const Question& question,
            const Encounter& met);

 private:
  static constexpr u32 places = 1024;
  struct Told {
    u64 mark = 0;
    Tick time = 0;
  };
  bool is_told_lately(const Event& event);

  EventRing* const events_;
  WorkerCounters& counters_;
  const HashKey secret_;
  Told told_[places] = {};
};

}  // namespace weir
