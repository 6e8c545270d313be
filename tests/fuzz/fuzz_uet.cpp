// A UDP payload to Ultra Ethernet's port, any bytes: read as a plain reader of the specification's tables reads it,
// bit by bit and without one of the reader's own tables; the frame around it is parsed as UDP, whatever it carries.
//
// The first byte chooses the family and from how many bytes of the rest a packet is made.
#include "dataplane/base/check.hpp"
#include "dataplane/packet/uet.hpp"
#include "tests/property/parse_twin.hpp"
#include "tests/unit/parse_frame.hpp"

#include <cstring>
#include <memory>
#include <optional>
#include <set>
#include <vector>

using namespace weir;

namespace {

struct Naive {
  u32 type = 0, next = 0, header = 0;
  std::optional<u32> job;
};

u32 bits(std::span<const u8> bytes, std::size_t first, u32 count) {
  u32 value = 0;
  for (std::size_t bit = first; bit < first + count; ++bit) value = value << 1 | (bytes[bit / 8] >> (7 - bit % 8) & 1);
  return value;
}

// Bytes of the delivery header (PDS), by the names of the specification.
std::optional<u32> header_bytes(u32 type) {
  switch (type) {
    case 1: return 4;                            // TSS
    case 2: case 3: return 12;                   // RUD and ROD request
    case 4: case 5: return 8;                    // RUDI request and response
    case 6: return 4;                            // UUD request
    case 7: return 12;                           // ACK
    case 8: case 9: return 32;                   // ACK with congestion control, and extended
    case 10: case 11: return 16;                 // NACK, control
    case 12: return 24;                          // NACK, extended
    case 13: case 14: return 16;                 // RUD and ROD request with congestion control
    default: return {};
  }
}

std::optional<Naive> read_naively(std::span<const u8> bytes) {
  static const std::set<u32> requests{2, 3, 4, 6, 13, 14}, responses{5, 7, 8, 9};
  if (bytes.size() < 2) return {};
  Naive packet{.type = bits(bytes, 0, 5), .next = bits(bytes, 5, 4)};
  const auto header = header_bytes(packet.type);
  if (!header || bytes.size() < *header) return {};
  if (packet.type == 1) return Naive{.type = 1};
  packet.header = *header;
  if (packet.type == 11) return packet.next <= 9 ? std::optional(Naive{.type = 11, .header = *header}) : std::nullopt;
  if (packet.next == 0) return packet;
  const bool asks = requests.contains(packet.type) && packet.next >= 1 && packet.next <= 3;
  const bool answers = responses.contains(packet.type) && packet.next >= 4 && packet.next <= 6;
  if (!asks && !answers) return {};
  if (bytes.size() < *header + 8) return {};
  packet.job = bits(bytes, (*header + 5) * 8, 24);
  return packet;
}

void compare(std::span<const u8> payload) {
  const std::unique_ptr<u8[]> room(new u8[payload.size()]);  // so that ASan sees a byte too far
  if (!payload.empty()) std::memcpy(room.get(), payload.data(), payload.size());
  UetPacket packet{};
  const bool is_read = read_uet(room.get(), static_cast<u32>(payload.size()), packet);
  const auto naive = read_naively(payload);
  WEIR_CHECK(is_read == naive.has_value());
  if (!is_read) return;
  WEIR_CHECK(static_cast<u32>(packet.type) == naive->type && packet.pds_bytes == naive->header);
  WEIR_CHECK(packet.semantics == naive->next && packet.has_job == naive->job.has_value());
  WEIR_CHECK(!packet.has_job || packet.job == *naive->job);
}

void parse_around(bool ipv6, std::span<const u8> payload) {
  auto frame = ipv6 ? test::frame_of("ip6 2001:db8::1 2001:db8::2 next=17")
                    : test::frame_of("ip4 10.0.0.1 10.0.0.2 proto=17");
  const auto bytes = static_cast<u32>(payload.size() + 8);
  const u32 length = ipv6 ? bytes : bytes + 20;
  const std::size_t at = ipv6 ? 18 : 16;
  frame[at] = static_cast<u8>(length >> 8), frame[at + 1] = static_cast<u8>(length);
  for (const u32 half : {49152u, u32{uet_port}, bytes, 0u})
    frame.push_back(static_cast<u8>(half >> 8)), frame.push_back(static_cast<u8>(half));
  frame.insert(frame.end(), payload.begin(), payload.end());
  test::mend_ipv4(frame);
  const std::string found = test::differences(frame, {{{1, 2, 3, 4}}, 1});
  if (!found.empty()) std::fprintf(stderr, "%s\n", found.c_str());
  WEIR_CHECK(found.empty());
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const u8* data, std::size_t bytes) {
  if (bytes == 0 || bytes > 4096) return 0;
  const std::span<const u8> payload(data + 1, bytes - 1);
  compare(payload);
  compare(payload.first(std::min<std::size_t>(payload.size(), data[0] >> 1)));
  parse_around((data[0] & 1) != 0, payload);
  return 0;
}
