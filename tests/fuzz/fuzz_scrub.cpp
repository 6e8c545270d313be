// Fuzzes what is written over in packets: a packet stays the packet that it was to the parser, its checksum as right as
// it was, and a second time changes nothing.
#include "dataplane/packet/checksum.hpp"
#include "dataplane/packet/scrub.hpp"

#include <cstdlib>
#include <vector>

using namespace weir;

namespace {

void must(bool holds) {
  if (!holds) std::abort();
}

bool is_same_flow(const Headers& one, const Headers& other) {
  return other.well_formed() && one.kind == other.kind && one.hash == other.hash &&
         one.payload_offset == other.payload_offset && one.payload_bytes == other.payload_bytes &&
         one.source == other.source && one.target == other.target && one.protocol == other.protocol &&
         (one.tcp_flags & ~tcp_urg) == other.tcp_flags;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const HashKey secret{{1, 2, 3, 4}};
  std::vector<std::byte> frame(reinterpret_cast<const std::byte*>(data),
                               reinterpret_cast<const std::byte*>(data) + size);
  const auto bytes = static_cast<u32>(size);
  const Headers before = parse(frame, {secret, 0});
  if (!before.well_formed()) return 0;
  if (before.kind != PacketKind::flow && before.kind != PacketKind::icmp_error) return 0;
  const bool held = checksum_holds(before, frame.data());
  const std::vector<std::byte> as_it_came = frame;
  const bool has_changed = scrub(frame.data(), bytes, before, 7);
  must(has_changed == (frame != as_it_came));
  const Headers after = parse(frame, {secret, 0});
  must(is_same_flow(before, after));
  must(!held || checksum_holds(after, frame.data()));
  must(!scrub(frame.data(), bytes, after, 7));
  if (before.kind == PacketKind::flow && is_icmp_protocol(before.protocol) && is_echo(before)) {
    const bool is_summed = normalise_echo(frame.data(), after);
    must(!(is_summed || held) || checksum_holds(parse(frame, {secret, 0}), frame.data()));
  }
  return 0;
}
