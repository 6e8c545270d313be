// What a pipeline knows of the order to show packets (dataplane/share/mirror.hpp): mostly that there is none, and then
// nothing else of it is read. Internal to dataplane/pipeline.
#pragma once
#include "dataplane/pipeline/slot.hpp"
#include "dataplane/share/mirror.hpp"

namespace weir {

struct Mirroring {
  MirrorRing* ring = nullptr;                // while an order is armed and wants more of this worker
  const InstalledPolicy* judging = nullptr;  // the policy of this call, or null
  u64 heard = 0;                             // the order's number that holds here
  u32 left = 0;                              // packets that may still be shown
  bool takes_whole_way = false;              // what goes the short way is not seen: so nothing does
  MirroredFlow before;                       // the flow of the packet being decided, before it was
};

}  // namespace weir
