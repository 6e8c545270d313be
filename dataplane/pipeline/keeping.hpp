// What a planned restart keeps of a worker's flows: rows without pointers, hashes or marks of an epoch, which another
// process takes up with another secret, another number of workers and another policy. A flow goes on as it was
// followed, TCP in its numbers and through the SYN proxy's; what was decided about it does not: the policy in force is
// asked again, by the sweep or by its next packet, whichever is first, as after a change of policy.
//
// Not kept: flows that an inspection reads or would read, since what it has seen is gone with the process, and a flow
// must not go on uninspected; fragments; what is counted and not a flow's.
//
// Threads: the pipeline's; no packet is inside. Memory: lent.
#pragma once
#include "dataplane/pipeline/burst.hpp"

namespace weir {

struct KeptFlow {
  u64 record[sizeof(FlowRecord) / 8];  // its deadline: beats that are left; its epoch: epoch_stale, or any other
  u32 offset;  // of a connection that the SYN proxy translates; 0: it does not
  u32 zero;
};
static_assert(sizeof(KeptFlow) == 72 && std::is_trivially_copyable_v<FlowRecord>);

// Whether a row can have been written by take_out(), of a process with so many pairs. What is not so is not put in.
bool is_sound(const KeptFlow& row, u32 pairs);

class Keeping {
 public:
  explicit Keeping(Pipeline& pipeline) : pipeline_(pipeline) {}

  // Rows of the next flows, as many as there is room for; 0 when there are no more. `policy` is the one in force.
  u32 take_out(const InstalledPolicy* policy, Tick now, std::span<KeptFlow> rows);
  // Of those looked at, how many flows live and are not kept.
  u64 left_behind() const { return left_behind_; }
  // Until when an answer to a SYN may come back.
  Tick cookies_until() const { return pipeline_.cookies_until_; }

  // Of a pipeline that has seen no packet.
  void begin(Tick now, Tick cookies_until);
  enum class Fate { taken, passed, no_room };  // passed: its time has
  // A sound row, so many beats after it was taken out. None of its key was put in before: else no_room.
  Fate put_in(const KeptFlow& row, u32 beats_since);

 private:
  bool may_keep(const InstalledPolicy* policy, u32 flow);

  Pipeline& pipeline_;
  u32 next_ = 0;
  u64 left_behind_ = 0;
};

}  // namespace weir
