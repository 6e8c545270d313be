// Random and crafted flow keys for the tests of the flow table, and memory to lend it.
#pragma once
#include "dataplane/packet/key.hpp"

#include <cstdlib>
#include <memory>
#include <random>
#include <span>

namespace weir {

using Random = std::mt19937_64;

inline HashKey random_secret(Random& random) { return {{random(), random(), random(), random()}}; }

// Number `n` of a family of distinct keys: neighbouring addresses and ports, as one job's ranks have them.
inline FlowKey numbered_key(u32 n, bool ipv6) {
  bool swapped;
  const u16 port = static_cast<u16>(swap(static_cast<u16>(1024 + n % 50000)));
  const u32 scope = FlowKey::scope_of(FlowClass::tcp, 0, 0, 0);
  if (!ipv6)
    return make_key(Address::ipv4(swap(0x0a000000u + n)), port, Address::ipv4(swap(0x0b000001u)), 0x5000, scope, swapped);
  const Address source{swap(u64{0xfd00'0000'0000'0001}), swap(u64{n})}, target{swap(u64{0xfd00'0000'0000'0002}), 1};
  return make_key(source, port, target, 0x5000, scope, swapped);
}

// Exactly so many zeroed bytes, so that a sanitizer sees the first one beyond.
class LentMemory {
 public:
  explicit LentMemory(std::size_t bytes) : bytes_(bytes), at_(static_cast<std::byte*>(std::aligned_alloc(64, bytes))) {
    std::memset(at_.get(), 0, bytes);
  }
  std::span<std::byte> span() { return {at_.get(), bytes_}; }

 private:
  struct Free {
    void operator()(std::byte* at) const { std::free(at); }
  };
  std::size_t bytes_;
  std::unique_ptr<std::byte, Free> at_;
};

}  // namespace weir
