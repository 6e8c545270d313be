// Random and crafted flow keys for the tests of the flow table, and memory to lend it.
#pragma once
#include "dataplane/packet/key.hpp"

#include <cstdlib>
#include <memory>
#include <new>
#include <random>
#include <span>

namespace weir {

using Random = std::mt19937_64;

inline HashKey random_secret(Random& random) { return {{random(), random(), random(), random()}}; }

// The last word of every IPv4 key below: a secret with it as words[1] gives all of them one hash.
inline constexpr u32 numbered_scope = FlowKey::scope_of(FlowClass::tcp, 0, 0, 0);
inline constexpr u64 numbered_tail = u64{numbered_scope} << 32 | 0x5000'5000;

// Number `n` of a family of distinct keys: neighbouring addresses, as one job's ranks have them.
inline FlowKey numbered_key(u32 n, bool ipv6) {
  bool swapped;
  const Address source =
      ipv6 ? Address{swap(u64{0xfd00'0000'0000'0001}), swap(u64{n})} : Address::ipv4(swap(0x0a00'0000u + n));
  const Address target = ipv6 ? Address{swap(u64{0xfd00'0000'0000'0002}), 1} : Address::ipv4(swap(0x0b00'0001u));
  return make_key(source, 0x5000, target, 0x5000, numbered_scope, swapped);
}

// Exactly so many zeroed bytes, so that a sanitizer sees the first one beyond.
class LentMemory {
 public:
  explicit LentMemory(std::size_t bytes)
      : bytes_(bytes), at_(static_cast<std::byte*>(::operator new(bytes, std::align_val_t{64}))) {
    std::memset(at_.get(), 0, bytes);
  }
  std::span<std::byte> span() { return {at_.get(), bytes_}; }

 private:
  struct Free {
    void operator()(std::byte* at) const { ::operator delete(at, std::align_val_t{64}); }
  };
  std::size_t bytes_;
  std::unique_ptr<std::byte, Free> at_;
};

}  // namespace weir
