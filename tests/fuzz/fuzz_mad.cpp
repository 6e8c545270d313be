// A UDP payload to RoCEv2's port, any bytes, in a frame that is right around it: read as the naive twin reads it, its
// ICRC is what a bit at a time makes of it, and a connection manager's message says what stands at the offsets of the
// specification's tables.
//
// The first byte chooses the family. Seeds: `fuzz_mad` with WEIR_FUZZ_WRITE_SEEDS=DIR writes the payloads of the rows
// of tests/unit/parse_rdma_rows.hpp and one message of each kind.
#include "dataplane/base/check.hpp"
#include "dataplane/base/machine.hpp"
#include "dataplane/packet/icrc.hpp"
#include "dataplane/packet/mad.hpp"
#include "dataplane/packet/rdma.hpp"
#include "tests/property/parse_twin.hpp"
#include "tests/unit/parse_frame.hpp"
#include "tests/unit/parse_rdma_rows.hpp"

#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <memory>
#include <string>
#include <vector>

using namespace weir;

namespace {

using Bytes = std::vector<u8>;
const ParseContext context{{{0x0123456789abcdef, 0xfedcba9876543210, 0x5555aaaa3333cccc, 0x0f0f0f0f00ff00ff}}, 1};

void add(Bytes& to, std::initializer_list<u32> words) {
  for (const u32 word : words)
    for (const u32 shift : {24u, 16u, 8u, 0u}) to.push_back(static_cast<u8>(word >> shift));
}

Bytes framed(bool ipv6, std::span<const u8> payload) {
  Bytes frame = ipv6 ? test::frame_of("ip6 2001:db8::1 2001:db8::2 next=17")
                     : test::frame_of("ip4 10.0.0.1 10.0.0.2 proto=17");
  const auto bytes = static_cast<u32>(payload.size() + 8);
  const u32 length = ipv6 ? bytes : bytes + 20;
  const std::size_t at = ipv6 ? 18 : 16;
  frame[at] = static_cast<u8>(length >> 8), frame[at + 1] = static_cast<u8>(length);
  add(frame, {49152u << 16 | 4791, bytes << 16});
  frame.insert(frame.end(), payload.begin(), payload.end());
  test::mend_ipv4(frame);
  return frame;
}

// The ICRC of a frame without options, extension headers and tags.
u32 naive_icrc(const Bytes& frame, bool ipv6) {
  const std::size_t udp = ipv6 ? 54 : 34;
  u32 crc = ~u32{0};
  const auto take = [&](u8 byte) {
    for (u32 bit = 0; bit < 8; ++bit) crc = crc >> 1 ^ (((crc ^ byte >> bit) & 1) != 0 ? 0xedb88320 : 0);
  };
  for (u32 i = 0; i < 8; ++i) take(0xff);
  for (std::size_t at = 14; at + 4 < frame.size(); ++at) {
    const bool router_v4 = !ipv6 && (at == 15 || at == 22 || at == 24 || at == 25);
    const bool router_v6 = ipv6 && ((at > 14 && at < 18) || at == 21);
    if (router_v4 || router_v6 || at == udp + 6 || at == udp + 7 || at == udp + 12) take(0xff);
    else take(ipv6 && at == 14 ? 0x6f : frame[at]);
  }
  return ~crc;
}

u64 big(const u8* at, u32 bytes) {
  u64 value = 0;
  for (u32 i = 0; i < bytes; ++i) value = value * 256 + at[i];
  return value;
}

// `body` is the message behind the MAD's header.
void check_message(const CmMessage& m, const u8* body) {
  const u32 kind = static_cast<u32>(m.attribute);
  WEIR_CHECK(kind >= 0x10 && kind <= 0x18);
  WEIR_CHECK(m.local_id == big(body, 4));
  WEIR_CHECK(m.remote_id == (kind == 0x10 || kind >= 0x17 ? 0 : big(body + 4, 4)));
  const u32 qp_at[] = {32, 0, 0, 12, 0, 8, 0, 0, 8}, service_at[] = {8, 0, 0, 0, 0, 0, 0, 8, 12};
  const u32 psn_at[] = {44, 0, 0, 20, 0, 0, 0, 0, 0}, key_at[] = {28, 0, 0, 8, 0, 0, 0, 0, 20};
  const u32 row = kind - 0x10;
  WEIR_CHECK(m.qp == (qp_at[row] != 0 ? big(body + qp_at[row], 3) : 0));
  WEIR_CHECK(m.psn == (psn_at[row] != 0 ? big(body + psn_at[row], 3) : 0));
  WEIR_CHECK(m.queue_key == (key_at[row] != 0 ? big(body + key_at[row], 4) : 0));
  WEIR_CHECK(m.service == (service_at[row] != 0 ? big(body + service_at[row], 8) : 0));
  const u64 service = m.service >> 16;
  const bool has_port = (kind == 0x10 || kind == 0x17) && (service == 0x0106 || service == 0x0111);
  WEIR_CHECK(m.has_addresses == has_port);
  if (kind == 0x10) WEIR_CHECK(m.path_mtu == 128u << (body[50] >> 4) && m.path_mtu <= 4096);
  if (kind == 0x10 || kind == 0x13) WEIR_CHECK(m.qp > 1 && m.qp < 0xffffff);
}

void read_all(const Bytes& frame, bool ipv6) {
  const std::unique_ptr<std::byte[]> room(new std::byte[frame.size()]);  // so that ASan sees a byte too far
  std::memcpy(room.get(), frame.data(), frame.size());
  const Headers headers = parse({room.get(), frame.size()}, context);
  if (!headers.well_formed() || headers.rdma_opcode == rdma_opcode_none) return;
  const u32 icrc = naive_icrc(frame, ipv6);
  WEIR_CHECK(icrc_of(headers, room.get()) == icrc);
  WEIR_CHECK(icrc_of(headers, room.get(), machine_has_carryless()) == icrc);
  WEIR_CHECK(icrc_holds(headers, room.get()) == (load<u32>(&frame[frame.size() - 4]) == icrc));
  CmMessage message;
  if (read_mad(headers, room.get(), message) != CmRead::message) return;
  check_message(message, reinterpret_cast<const u8*>(room.get()) + headers.payload_offset + 24);
  cm_addresses_hold(message, headers);
}

Bytes message_of(u8 attribute) {
  Bytes payload{0x64, 0, 0xff, 0xff, 0, 0, 0, 1, 0, 0, 0, 7};
  add(payload, {0x80010000, 1, 0x01070203, 0, 1, 2, u32{attribute} << 16, 0});
  Bytes body(232);
  if (attribute == 0x10) body[34] = 9, body[50] = 0x30, body[141] = 0x40;
  if (attribute == 0x13) body[14] = 9;
  if (attribute == 0x17) body[17] = 0x40;
  if (attribute == 0x18) body[10] = 9;
  if (attribute == 0x10 || attribute == 0x17) body[12] = 1, body[13] = 6, body[14] = 0x11;  // a TCP port's service
  payload.insert(payload.end(), body.begin(), body.end());
  add(payload, {0});
  return payload;
}

void write_seed(const std::string& path, u8 first, std::span<const u8> payload) {
  std::ofstream file(path, std::ios::binary);
  file.put(static_cast<char>(first));
  file.write(reinterpret_cast<const char*>(payload.data()), static_cast<std::streamsize>(payload.size()));
}

}  // namespace

extern "C" int LLVMFuzzerInitialize(int*, char***) {
  const char* folder = std::getenv("WEIR_FUZZ_WRITE_SEEDS");
  if (folder == nullptr) return 0;
  u32 index = 0;
  for (const test::ParseRow& row : test::rdma_rows) {
    const Bytes frame = test::frame_of(row.frame);
    const Headers headers = parse(std::as_bytes(std::span(frame)), context);
    if (!headers.well_formed() || headers.rdma_opcode == rdma_opcode_none || frame.size() > 1200) continue;
    const auto payload = std::span(frame).subspan(headers.l4_offset + 8u);
    write_seed(std::string(folder) + "/row-" + std::to_string(++index), !headers.is_ipv4, payload);
  }
  for (u8 attribute = 0x10; attribute <= 0x18; ++attribute)
    write_seed(std::string(folder) + "/message-" + std::to_string(attribute), 0, message_of(attribute));
  std::exit(0);
}

extern "C" int LLVMFuzzerTestOneInput(const u8* data, std::size_t bytes) {
  if (bytes == 0 || bytes > 8192) return 0;
  const bool ipv6 = (data[0] & 1) != 0;
  const std::span<const u8> payload(data + 1, bytes - 1);
  const Bytes frame = framed(ipv6, payload);
  const std::string found = test::differences(frame, context);
  if (!found.empty()) std::fprintf(stderr, "%s\n", found.c_str());
  WEIR_CHECK(found.empty());
  read_all(frame, ipv6);
  return 0;
}
