// Which packets of a long stream are looked into after its first bytes: the one that holds a certain byte of each MiB.
// Where that byte is follows from a secret, so that nobody can put what he hides beside it; and from the place in the
// stream alone, so that cutting it otherwise or sending it again changes nothing. After 4 GiB the places come again.
// No state. Source: none; a keyed choice.
#pragma once
#include "dataplane/base/hash.hpp"

namespace weir {

inline constexpr u32 probe_log2 = 20;  // one in so many bytes

// The place of the probe in the MiB that `sequence` is in.
inline u32 probe_place(const HashKey& secret, u64 flow, u32 sequence) {
  const u32 window = sequence >> probe_log2;
  const u64 mixed = fold_multiply(flow ^ secret.words[0], (u64{window} << 32) ^ secret.words[1]);
  const u64 drawn = fold_multiply(mixed ^ secret.words[2], window ^ secret.words[3]);
  return window << probe_log2 | static_cast<u32>(drawn & ((1u << probe_log2) - 1));
}

// Whether these bytes are to be looked into. `flow` tells flow and direction apart (the flow's hash, say).
inline bool holds_probe(const HashKey& secret, u64 flow, u32 sequence, u32 bytes) {
  if (bytes == 0) return false;
  const u32 last = sequence + bytes - 1;
  return probe_place(secret, flow, sequence) - sequence < bytes || probe_place(secret, flow, last) - sequence < bytes;
}

}  // namespace weir
