// Capture files from anybody: whatever the bytes, the reader stays inside them, ends, and either gives packets within
// the limits or one error; the split by interface and by prefix, and the merge of the file with itself, likewise.
#include "dataplane/base/check.hpp"
#include "tools/capture/merge.hpp"

using namespace weir;
using namespace weir::capture;

namespace {

// Packets of `merged`, each at least a header of the file: more of them than bytes would be no progress.
void walk(MergedInput merged, std::size_t file_bytes) {
  Tick last = 0;
  MergedPacket packet;
  for (std::size_t packets = 0;; ++packets) {
    WEIR_CHECK(packets <= 2 * file_bytes);
    const auto more = merged.next(packet);
    if (!more) {
      WEIR_CHECK(more.error().offset <= file_bytes && !more.error().sentence.empty());
      return;
    }
    if (!*more) return;
    WEIR_CHECK(packet.time >= last && packet.time <= time_max && packet.side < 2);
    WEIR_CHECK(packet.bytes.size() <= frame_bytes_max && packet.original_bytes >= packet.bytes.size());
    last = packet.time;
    volatile u8 sum = 0;
    for (const std::byte byte : packet.bytes) sum = static_cast<u8>(sum + static_cast<u8>(byte));
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const u8* data, std::size_t bytes) {
  const std::span file(reinterpret_cast<const std::byte*>(data), bytes);
  const auto open = [&] { return CaptureReader::over(file, "fuzz"); };
  if (auto reader = open(); !reader) return 0;
  walk(MergedInput::pair(*open(), *open()), bytes);
  walk(MergedInput::by_interface(*open()), bytes);
  walk(MergedInput::by_prefix(*open(), {*Prefix::parse("10.0.0.0/9"), *Prefix::parse("fd00::/7")}), bytes);
  return 0;
}
