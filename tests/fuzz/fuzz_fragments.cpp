// Fuzzes mixes of fragments, in bursts and over time, against the naive reassembly.
#include "tests/property/fragment_run.hpp"

#include <cstdio>

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static const weir::Policies policies;
  try {
    weir::FragmentRun run(*policies[0].installed);
    weir::run_fragments(run, weir::Choices({data, size}));
  } catch (const std::runtime_error& difference) {
    std::fprintf(stderr, "%s\n", difference.what());
    std::abort();
  }
  return 0;
}
