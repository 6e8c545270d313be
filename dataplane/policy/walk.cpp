// One walk, compiled twice. Everything below the two entries is inlined into them, so that no shared function carries
// instructions that the baseline lacks.
#include "dataplane/policy/walk.hpp"

#if defined(__x86_64__)
#define WEIR_WIDE \
  [[gnu::target("avx512f,avx512bw,avx512dq,avx512vl,avx512cd,avx512vpopcntdq,bmi,bmi2,lzcnt,popcnt")]]
#else
#define WEIR_WIDE
#endif

namespace weir::image {

void walk_ipv4_plain(const Trie& trie, std::span<const u32> addresses, u32* atoms) {
  Walk<u32>::run(trie, addresses, atoms);
}
WEIR_WIDE void walk_ipv4_wide(const Trie& trie, std::span<const u32> addresses, u32* atoms) {
  Walk<u32>::run(trie, addresses, atoms);
}
void walk_ipv6_plain(const Trie& trie, std::span<const u128> addresses, u32* atoms) {
  Walk<u128>::run(trie, addresses, atoms);
}

}  // namespace weir::image
