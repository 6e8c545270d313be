// A keyed hash for small fixed-size keys: multiply-and-fold with secret keys (the construction of wyhash and
// of "MUM": one 64x64->128 multiplication per 16 bytes, halves xored). Not a seeded CRC: CRC is linear, so a
// seed does not stop aimed collisions. The key is secret and random per table.
#pragma once
#include "dataplane/base/bytes.hpp"

namespace weir {

struct HashKey {
  u64 words[4];
};

inline u64 fold_multiply(u64 a, u64 b) {
  const auto product = static_cast<u128>(a) * b;
  return static_cast<u64>(product) ^ static_cast<u64>(product >> 64);
}

}  // namespace weir
