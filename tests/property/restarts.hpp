// Carries the flows of some workers over to others, as a planned restart does: out as rows, in again under another
// secret, among as many workers as there are now. Every row must be sound, none may be left behind, none finds no room.
#pragma once
#include "dataplane/pipeline/keeping.hpp"

#include <memory>
#include <stdexcept>
#include <vector>

namespace weir {

inline FlowKey key_of_row(const KeptFlow& row) {
  FlowKey key{};
  std::memcpy(static_cast<void*>(&key), row.record, sizeof key);
  return key;
}

// The record of this key.
inline u32 flow_of(const FlowTable& table, const FlowKey& key) {
  for (u32 flow = 0; flow < table.used(); ++flow)
    if (table.is_live(flow) && table.record(flow).key == key) return flow;
  throw std::runtime_error("a flow that was kept is not there");
}

// Workers have a `pipeline`, a `table` and `serials` by flow. Those of `after` begin so many beats later.
template <class Workers>
void carry_over(Workers& before, Workers& after, const InstalledPolicy* policy, const HashKey& secret, Tick now,
                u32 beats) {
  std::vector<Keeping> into;
  for (auto& worker : after) into.emplace_back(worker->pipeline).begin(now + beats * beat_us, 0);
  std::vector<KeptFlow> rows(7);
  for (auto& worker : before) {
    Keeping out(worker->pipeline);
    while (const u32 count = out.take_out(policy, now, rows)) {
      for (u32 i = 0; i < count; ++i) {
        if (!is_sound(rows[i], pairs_max)) throw std::runtime_error("a row is not sound");
        const FlowKey key = key_of_row(rows[i]);
        const u32 owner = owner_of(hash_of(key, secret), static_cast<u32>(after.size()));
        const Keeping::Fate fate = into[owner].put_in(rows[i], beats);
        if (fate == Keeping::Fate::no_room) throw std::runtime_error("a flow finds no room");
        if (fate == Keeping::Fate::passed) continue;
        auto& taker = *after[owner];
        taker.serials[flow_of(taker.table, key)] = worker->serials[flow_of(worker->table, key)];
      }
    }
    if (out.left_behind() != 0) throw std::runtime_error("a flow is left behind");
  }
}

}  // namespace weir
