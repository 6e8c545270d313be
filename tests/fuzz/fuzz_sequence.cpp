// Fuzzes sequences of packets, flips, flushes and time against the naive firewall.
#include "tests/property/sequence.hpp"

#include <cstdio>

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static const weir::Policies policies(weir::Policies::Ceilings::low);
  try {
    std::make_unique<weir::Sequence>(policies)->run(weir::Choices({data, size}));
  } catch (const std::runtime_error& difference) {
    std::fprintf(stderr, "%s\n", difference.what());
    std::abort();
  }
  return 0;
}
