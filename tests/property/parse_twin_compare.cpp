// Compares what the parser says of a frame, by its short cut and by its general path, with what the twin reads.
#include "dataplane/packet/layers.hpp"
#include "tests/property/parse_twin.hpp"
#include "tests/property/parse_twin_reading.hpp"

#include <fmt/format.h>

#include <array>
#include <utility>

namespace weir::test {
namespace {

Bytes wire_address(const Address& address) {
  Bytes bytes(16);
  std::memcpy(bytes.data(), &address.high, 8);
  std::memcpy(bytes.data() + 8, &address.low, 8);
  if (!address.is_ipv4()) return bytes;
  return {bytes.begin() + 8, bytes.begin() + 12};
}

Endpoint endpoint(const FlowKey& key, bool is_a) {
  const Bytes address = wire_address(is_a ? key.a : key.b);
  const unsigned long numbers = key.a_number + 65536ul * key.b_number;
  if (key.flow_class() == FlowClass::rdma)
    return {address, static_cast<unsigned>(numbers / 0x1000000 == (is_a ? 1 : 0) ? numbers % 0x1000000 : 0)};
  const u16 number = is_a ? key.a_number : key.b_number;
  return {address, key.flow_class() == FlowClass::ip ? number : swap(number)};
}

// The bits of a key that say where its addresses are, put together from what they mean.
u32 place(const std::vector<unsigned>& vlans, bool numbered, bool unnumbered, unsigned number) {
  const u32 high = numbered ? number : (vlans[0] | vlans[1] << 12);
  return high << 8 | (unnumbered ? 0x80 : 0) | (numbered ? 8 : 0);
}

std::string tunnel_difference(const Reading& r, const Headers& h) {
  if (h.tunnels != r.outsides.size()) return "tunnels";
  if (h.tunnels != 0 && h.place != place(r.vlans, r.numbered, r.unnumbered, r.number)) return "the place";
  for (std::size_t index = 0; index < r.outsides.size(); ++index) {
    const Around& around = r.outsides[index];
    const Outside& outside = h.outsides[index];
    if (around.source != wire_address(outside.source) || around.target != wire_address(outside.target))
      return "an outside's addresses";
    if (outside.place != place(around.vlans, around.numbered, around.unnumbered, around.number))
      return "an outside's place";
    if (outside.protocol != around.protocol || outside.target_port != around.target_port) return "an outside's service";
  }
  return "";
}

std::string key_difference(const Reading& r, const Headers& h, const ParseContext& context) {
  if (r.kind == PacketKind::fragment) {
    if (h.fragment != r.fragment) return "where the fragment begins";
    if (wire_address(h.key.a) != r.source || wire_address(h.key.b) != r.target) return "the datagram's addresses";
    if (h.key.a_number != swap(static_cast<u16>(r.identification[0])) ||
        h.key.b_number != swap(static_cast<u16>(r.identification[1])))
      return "the identification";
    const u32 place = place_of_vlans(r.vlans[0], r.vlans[1]);
    return h.key.scope == FlowKey::scope_of(FlowClass::ip, context.pair, place) ? "" : "scope";
  }
  if (!r.keyed) return h.key == FlowKey{} && !h.source_is_a ? "" : "a key where there is no flow";
  if (h.key.scope != FlowKey::scope_of(r.flow_class, context.pair, place(r.vlans, r.numbered, r.unnumbered, r.number)))
    return "scope";
  if (!(endpoint(h.key, h.source_is_a) == r.from)) return "the source's endpoint";
  if (!(endpoint(h.key, !h.source_is_a) == r.to)) return "the target's endpoint";
  const FlowKey& key = h.key;
  if (r.flow_class == FlowClass::rdma) {
    if (std::pair(key.b.high, key.b.low) < std::pair(key.a.high, key.a.low)) return "the order of the key's ends";
    FlowKey pair = key;
    pair.a_number = pair.b_number = 0;
    const u64 worker = hash_of(pair, context.secret) >> 48, own = hash_with(key, numbers_of(key), context.secret);
    return h.hash >> 48 == worker && h.hash << 16 == own << 16 ? "" : "the hash of a queue pair";
  }
  bool swapped;
  if (!(make_key(key.b, key.b_number, key.a, key.a_number, key.scope, swapped) == key)) return "the key's order";
  return h.hash == hash_of(h.key, context.secret) ? "" : "the hash";
}

std::string difference(const Reading& r, const Headers& h, const ParseContext& context, std::size_t frame_bytes) {
  if (r.drop != h.drop) return fmt::format("reason: twin {}, parser {}", row(r.drop).name, row(h.drop).name);
  if (r.drop != Reason::undecided) return "";
  const std::array<std::array<std::size_t, 2>, 15> numbers{{{static_cast<u8>(r.kind), static_cast<u8>(h.kind)},
                                                            {r.ipv4, h.is_ipv4},
                                                            {r.protocol, h.protocol},
                                                            {r.flags, h.tcp_flags},
                                                            {r.type, h.icmp_type},
                                                            {r.code, h.icmp_code},
                                                            {r.l3, h.l3_offset},
                                                            {r.l4, h.l4_offset},
                                                            {r.payload, h.payload_offset},
                                                            {r.payload_bytes, h.payload_bytes},
                                                            {r.source_port, h.source_port},
                                                            {r.target_port, h.target_port},
                                                            {h.payload_offset + h.payload_bytes <= frame_bytes, 1},
                                                            {r.quote, h.quote_offset},
                                                            {r.opcode, h.rdma_opcode}}};
  for (std::size_t index = 0; index < numbers.size(); ++index)
    if (numbers[index][0] != numbers[index][1])
      return fmt::format("field {}: twin {}, parser {}", index, numbers[index][0], numbers[index][1]);
  if (std::string found = tunnel_difference(r, h); !found.empty()) return found;
  if (r.source != wire_address(h.source)) return "source";
  if (r.target != wire_address(h.target)) return "target";
  return key_difference(r, h, context);
}

}  // namespace

std::string differences(std::span<const u8> frame, const ParseContext& context) {
  const Reading reading = read_frame({frame.begin(), frame.end()});
  Headers headers;
  std::memset(static_cast<void*>(&headers), 0xa5, sizeof headers);  // what parse_into() leaves unwritten would differ
  parse_into(headers, std::as_bytes(frame), context);
  if (std::string found = difference(reading, headers, context, frame.size()); !found.empty()) return found;
  parse_general(headers, std::as_bytes(frame), context);
  const std::string found = difference(reading, headers, context, frame.size());
  return found.empty() ? "" : "general path: " + found;
}

void mend_inside(std::span<u8> frame, const ParseContext& context) {
  for (u32 times = 0; times < tunnels_max; ++times) {
    const Headers headers = parse(std::as_bytes(frame), context);
    if (headers.drop != Reason::ipv4_checksum_bad || headers.tunnels == 0) return;
    u8* header = frame.data() + headers.l3_offset;
    header[10] = header[11] = 0;
    u32 sum = 0;
    for (u32 at = 0; at < (header[0] & 15u) * 4; at += 2) sum += load_be16(header + at);
    sum = (sum & 0xffff) + (sum >> 16);
    sum = ~((sum & 0xffff) + (sum >> 16)) & 0xffff;
    header[10] = static_cast<u8>(sum >> 8);
    header[11] = static_cast<u8>(sum);
  }
}

}  // namespace weir::test
