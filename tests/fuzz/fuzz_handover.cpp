// Fuzzes sequences of packets, flips, flushes and time over two to four workers, any of which receives any packet,
// against the one naive firewall.
#include "tests/property/sequence.hpp"

#include <cstdio>

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static const weir::Policies policies;
  weir::Choices choices({data, size});
  const weir::u32 workers = 2 + choices.below(3);
  try {
    std::make_unique<weir::Sequence>(policies, weir::Sequence::Wish{.workers = workers})->run(choices);
  } catch (const std::runtime_error& difference) {
    std::fprintf(stderr, "%s\n", difference.what());
    std::abort();
  }
  return 0;
}
