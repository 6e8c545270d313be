// The flow table's three steps as the pipeline takes them: for the benchmarks that measure the table alone.
#pragma once
#include "dataplane/flow/table.hpp"

namespace weir::bench {

inline constexpr u32 burst = 32;

// The three steps, each for another burst: of burst k the first, of k-1 the second, of k-2 the third, then `use`. In
// groups of 8, so that no more lines are asked for at a time than a core can wait for. A lookup has `hash` and key().
template <class Lookup, class Use>
void look_up(const FlowTable& table, const Lookup* lookups, u32 bursts, Use&& use) {
  constexpr u32 group = 8, groups_in_burst = burst / group;
  u32 guesses[2 * burst];
  const u32 groups = bursts * groups_in_burst;
  for (u32 g = 0; g < groups + 2 * groups_in_burst; ++g) {
    const Lookup* now = lookups + std::size_t{g} * group;
    u32* slot = guesses + g * group % (2 * burst);
    if (g < groups)
      for (u32 i = 0; i < group; ++i) table.prefetch_bucket(now[i].hash);
    if (g >= 2 * groups_in_burst)
      for (u32 i = 0; i < group; ++i) use(table.find((now - 2 * burst)[i].key(), (now - 2 * burst)[i].hash, slot[i]));
    if (g >= groups_in_burst && g - groups_in_burst < groups)
      for (u32 i = 0; i < group; ++i)
        guesses[(g * group + burst + i) % (2 * burst)] = table.guess((now - burst)[i].hash);
  }
}

}  // namespace weir::bench
