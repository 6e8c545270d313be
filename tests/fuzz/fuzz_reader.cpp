// Fuzzes the reader of a stream's beginning: cuts, order, repetitions, changes and acknowledgements come from the
// bytes, and its naive twin must answer alike.
#include "tests/property/reader_world.hpp"

#include <cstdio>
#include <cstdlib>

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  std::array<weir::u64, weir::StreamReader::answers> answers{};
  try {
    weir::ReaderWorld(weir::Choices({data, size})).run(answers);
  } catch (const std::runtime_error& difference) {
    std::fprintf(stderr, "%s\n", difference.what());
    std::abort();
  }
  return 0;
}
