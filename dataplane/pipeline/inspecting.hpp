// What a policy's inspections ask of each rule's flows, in the words of those who look (dataplane/inspect/watch.hpp).
// For whoever installs a policy; dataplane/scan has what goes with it.
#pragma once
#include "dataplane/pipeline/burst.hpp"

namespace weir {

// For InstalledPolicy::wishes: as many as the policy has rules. `magics`, which must live as long, are those of NCCL
// that the policy's jobs have.
void write_wishes(const Policy& policy, std::span<const u64> magics, std::span<WatchWish> wishes);

}  // namespace weir
