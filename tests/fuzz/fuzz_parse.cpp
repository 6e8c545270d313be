// One frame, any bytes: the parser reads nothing outside it, and says by both its paths what the naive twin says. The
// mutator mends the IPv4 checksums of three frames in four, since nearly every change would end there.
//
// Seeds are the well-formed rows of tests/unit/parse_rows.hpp: `fuzz_parse` with WEIR_FUZZ_WRITE_SEEDS=DIR writes them.
#include "dataplane/base/check.hpp"
#include "tests/property/parse_twin.hpp"
#include "tests/unit/parse_frame.hpp"
#include "tests/unit/parse_rows.hpp"

#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <string>

using namespace weir;

namespace {

const ParseContext context{{{0x0123456789abcdef, 0xfedcba9876543210, 0x5555aaaa3333cccc, 0x0f0f0f0f00ff00ff}}, 1};

void write_seeds(const std::string& folder) {
  u32 index = 0;
  for (const auto& table : test::parse_tables)
    for (const test::ParseRow& row : table) {
      const auto frame = test::frame_of(row.frame);
      if (!parse(std::as_bytes(std::span(frame)), context).well_formed()) continue;
      std::ofstream(folder + "/row-" + std::to_string(++index))
          .write(reinterpret_cast<const char*>(frame.data()), static_cast<std::streamsize>(frame.size()));
    }
}

}  // namespace

extern "C" std::size_t LLVMFuzzerMutate(u8* data, std::size_t bytes, std::size_t bytes_max);

extern "C" int LLVMFuzzerInitialize(int*, char***) {
  if (const char* folder = std::getenv("WEIR_FUZZ_WRITE_SEEDS")) {
    write_seeds(folder);
    std::exit(0);
  }
  return 0;
}

extern "C" std::size_t LLVMFuzzerCustomMutator(u8* data, std::size_t bytes, std::size_t bytes_max, unsigned seed) {
  const std::size_t changed = LLVMFuzzerMutate(data, bytes, bytes_max);
  if (seed % 4 != 0) test::mend_ipv4({data, changed});
  if (seed % 4 != 0) test::mend_inside({data, changed}, context);
  return changed;
}

extern "C" int LLVMFuzzerTestOneInput(const u8* data, std::size_t bytes) {
  const std::string found = test::differences({data, bytes}, context);
  if (!found.empty()) std::fprintf(stderr, "%s\n", found.c_str());
  WEIR_CHECK(found.empty());
  return 0;
}
