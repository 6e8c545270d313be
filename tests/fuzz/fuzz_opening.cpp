// Fuzzes how a connection opens: a decision stays whatever comes after it, and falls within what is promised.
// Bytes: the client's length (LE16), what the client sends, what the server sends.
#include "dataplane/inspect/opening.hpp"

#include <algorithm>
#include <cstdlib>

using namespace weir;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size < 2) return 0;
  const std::span<const u8> streams(data + 2, size - 2);
  const std::size_t bytes = std::min<std::size_t>(load<u16>(data), streams.size());
  const auto client = streams.first(bytes), server = streams.subspan(bytes);
  const Opening whole = recognise({client, server});
  if (whole == Opening::undecided && client.size() >= opening_bytes_max) std::abort();
  if (recognise({client, server, true}) == Opening::undecided) std::abort();
  for (std::size_t cut = 0; cut <= client.size(); cut += 1 + cut / 64) {
    const Opening part = recognise({client.first(cut), server});
    if (part != Opening::undecided && part != whole) std::abort();
  }
  return 0;
}
