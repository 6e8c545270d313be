// What is read of RDMA's headers, of the connection manager's messages and of Ultra Ethernet, beyond what the rows of
// the parser show: each field, and each refusal broken by one byte at a time.
#include "dataplane/packet/mad.hpp"
#include "dataplane/packet/rdma.hpp"
#include "dataplane/packet/uet.hpp"
#include "tests/unit/parse_frame.hpp"

#include <catch2/catch.hpp>
#include <string>
#include <vector>

using namespace weir;
using namespace weir::test;

namespace {

using Bytes = std::vector<u8>;
const ParseContext context{{{1, 2, 3, 4}}, 0};
constexpr std::size_t mad_at = 62, body_at = mad_at + 24;

Headers parse_bytes(const Bytes& bytes) { return parse(std::as_bytes(std::span(bytes)), context); }

void put(Bytes& frame, std::size_t at, u64 value, u32 bytes) {
  for (u32 i = 0; i < bytes; ++i) frame[at + i] = static_cast<u8>(value >> 8 * (bytes - 1 - i));
}

Bytes mad(u16 attribute) {
  Bytes frame = frame_of("ip4 10.0.0.1 10.0.0.2 / udp 49152 4791 / bth 64 1 / deth 1 / zero 260");
  put(frame, mad_at, 0x01070203, 4);
  put(frame, mad_at + 8, 0x1122334455667788, 8);
  put(frame, mad_at + 16, attribute, 2);
  put(frame, body_at, 0xa1a2a3a4, 4);
  return frame;
}

void put_addresses(Bytes& frame, std::size_t at) {
  put(frame, at, 0x0040'c000, 4);
  put(frame, at + 16, 0x0a000001, 4);
  put(frame, at + 32, 0x0a000002, 4);
}

Bytes req() {
  Bytes frame = mad(0x10);
  put(frame, body_at + 8, 0x0000'0000'0106'115c, 8);  // NVMe over Fabrics: 4444
  put(frame, body_at + 28, 0x1234, 4);
  put(frame, body_at + 32, 0x000777, 3);
  put(frame, body_at + 43, 0xf8, 1);  // reliable, and timeouts beside it
  put(frame, body_at + 44, 0xabcdef, 3);
  put(frame, body_at + 48, 0xffff, 2);
  put(frame, body_at + 50, 0x37, 1);  // 1024
  put(frame, body_at + 66, 0xffff'0a00'0001, 6);
  put(frame, body_at + 82, 0xffff'0a00'0002, 6);
  put_addresses(frame, body_at + 140);
  return frame;
}

CmRead read(const Bytes& frame, CmMessage& out) {
  const Headers headers = parse_bytes(frame);
  REQUIRE(headers.well_formed());
  return read_mad(headers, reinterpret_cast<const std::byte*>(frame.data()), out);
}
CmRead read(const Bytes& frame) {
  CmMessage message;
  return read(frame, message);
}
CmRead read_with(Bytes frame, std::size_t at, u64 value, u32 bytes) {
  put(frame, at, value, bytes);
  return read(frame);
}

Address v4(u32 host) { return Address::ipv4(swap(host)); }

}  // namespace

TEST_CASE("every opcode has one operation or none, and its place in a message") {
  u32 known = 0;
  for (u32 opcode = 0; opcode < 256; ++opcode) {
    const RdmaForm& form = rdma_forms[opcode];
    if (form.operation == 0) continue;
    ++known;
    INFO(opcode);
    CHECK((form.operation & (form.operation - 1)) == 0);
    CHECK(form.is_reliable == (opcode < 0x20));
    CHECK(form.is_mtu == (form.place == RdmaPlace::first || form.place == RdmaPlace::middle));
    CHECK(form.header_bytes >= bth_bytes);
  }
  CHECK(known == 23 + 12 + 2 + 1);
  CHECK(rdma_operation_of(rdma_read_request) == rdma_read);
  CHECK(rdma_operation_of(rdma_read_middle) == rdma_read);
  CHECK(rdma_operation_of(rdma_unreliable + rdma_write_only) == rdma_write);
  CHECK(rdma_operation_of(rdma_unreliable + rdma_read_request) == 0);
  CHECK(rdma_operation_of(rdma_opcode_none) == 0);
}

TEST_CASE("header fields are where the specification has them") {
  const Bytes frame = frame_of(
      "ip4 10.0.0.1 10.0.0.2 / udp 49152 4791 / bth 0c 1193046 flags=c0 key=8001 congestion=c0 ack=80 psn=9 / "
      "reth 2147483648 / zero 4");
  const Bth bth{frame.data() + 42};
  CHECK(bth.opcode() == rdma_read_request);
  CHECK((bth.is_solicited() && bth.has_migrated() && bth.wants_ack()));
  CHECK((bth.is_forward_congested() && bth.is_backward_congested()));
  CHECK(bth.partition_key() == 0x8001);
  CHECK(bth.target_qp() == 0x123456);
  CHECK(bth.psn() == 9);
  CHECK(bth.reth().address() == 0x00007f0100000000);
  CHECK(bth.reth().remote_key() == 0x1234);
  CHECK(bth.reth().length() == 0x80000000);
  const Bytes nak = frame_of("ip4 10.0.0.1 10.0.0.2 / udp 49152 4791 / bth 11 17 / aeth 62 / zero 4");
  const Aeth aeth = Bth{nak.data() + 42}.aeth();
  CHECK((aeth.syndrome() == 0x62 && aeth.is_nak() && !aeth.is_ack() && !aeth.is_not_ready()));
  CHECK(aeth.message_number() == 5);
  const Bytes datagram = frame_of("ip4 10.0.0.1 10.0.0.2 / udp 49152 4791 / bth 64 1 / deth 77 / zero 4");
  CHECK(Bth{datagram.data() + 42}.deth().queue_key() == mad_queue_key);
  CHECK(Bth{datagram.data() + 42}.deth().source_qp() == 77);
}

TEST_CASE("a REQ says who asks whom for what, and by which queue pair") {
  CmMessage message;
  REQUIRE(read(req(), message) == CmRead::message);
  CHECK(message.attribute == CmAttribute::req);
  CHECK(message.transaction == 0x1122334455667788);
  CHECK(message.local_id == 0xa1a2a3a4);
  CHECK(message.remote_id == 0);
  CHECK((is_tcp_service(message.service) && !is_udp_service(message.service)));
  CHECK(port_of_service(message.service) == 4444);
  CHECK(message.qp == 0x777);
  CHECK(message.psn == 0xabcdef);
  CHECK(message.queue_key == 0x1234);
  CHECK(message.partition_key == 0xffff);
  CHECK(message.path_mtu == 1024);
  CHECK(message.transport == CmTransport::reliable);
  CHECK(!message.has_alternate);
  CHECK((message.has_addresses && message.source == v4(0x0a000001) && message.target == v4(0x0a000002)));
  CHECK(message.source_port == 0xc000);
  CHECK((message.local_gid == v4(0x0a000001) && message.remote_gid == v4(0x0a000002)));
}

TEST_CASE("addresses outside and inside must be the same") {
  CmMessage message;
  const Headers headers = parse_bytes(req());
  REQUIRE(read(req(), message) == CmRead::message);
  CHECK(cm_addresses_hold(message, headers));
  for (const std::size_t offset : {140u + 19, 140u + 35, 52u + 19, 52u + 35}) {
    Bytes other = req();
    other[body_at + offset] = 9;
    REQUIRE(read(other, message) == CmRead::message);
    CHECK(!cm_addresses_hold(message, headers));
  }
  Bytes bare = req();  // a service of no port: GIDs alone
  put(bare, body_at + 8, 0x1000'0000'0000'0001, 8);
  bare[body_at + 140] = 0x77;
  REQUIRE(read(bare, message) == CmRead::message);
  CHECK(!message.has_addresses);
  CHECK(cm_addresses_hold(message, headers));
}

TEST_CASE("the other messages") {
  CmMessage message;
  Bytes rep = mad(0x13);
  put(rep, body_at + 4, 0xb1b2b3b4, 4);
  put(rep, body_at + 8, 0x55, 4);
  put(rep, body_at + 12, 0x000888, 3);
  put(rep, body_at + 20, 0x123456, 3);
  REQUIRE(read(rep, message) == CmRead::message);
  CHECK((message.local_id == 0xa1a2a3a4 && message.remote_id == 0xb1b2b3b4 && message.qp == 0x888));
  CHECK((message.psn == 0x123456 && message.queue_key == 0x55));
  Bytes dreq = mad(0x15);
  put(dreq, body_at + 8, 0x000777, 3);
  REQUIRE(read(dreq, message) == CmRead::message);
  CHECK((message.attribute == CmAttribute::dreq && message.qp == 0x777));
  Bytes rej = mad(0x12);
  put(rej, body_at + 8, 0x4000'001c, 4);
  REQUIRE(read(rej, message) == CmRead::message);
  CHECK((message.about == 1 && message.reason == 28));
  for (const CmAttribute bare : {CmAttribute::mra, CmAttribute::rtu, CmAttribute::drep})
    CHECK(read(mad(static_cast<u16>(bare))) == CmRead::message);
  Bytes ask = mad(0x17);
  put(ask, body_at + 4, 0x8001, 2);
  put(ask, body_at + 8, 0x0000'0000'0111'0035, 8);
  put_addresses(ask, body_at + 16);
  REQUIRE(read(ask, message) == CmRead::message);
  CHECK((is_udp_service(message.service) && port_of_service(message.service) == 53 && message.has_addresses));
  CHECK(message.partition_key == 0x8001);
  CHECK(cm_addresses_hold(message, parse_bytes(ask)));
  Bytes told = mad(0x18);
  put(told, body_at + 8, 0x000999, 3);
  put(told, body_at + 12, 0x0000'0000'0111'0035, 8);
  put(told, body_at + 20, 0x42, 4);
  REQUIRE(read(told, message) == CmRead::message);
  CHECK((message.qp == 0x999 && message.queue_key == 0x42 && message.status == 0));
}

TEST_CASE("a MAD is read to the letter") {
  const Bytes good = req();
  REQUIRE(read(good) == CmRead::message);
  CHECK(read(frame_of("ip4 10.0.0.1 10.0.0.2 / udp 49152 4791 / bth 64 1 / deth 1 / zero 256")) == CmRead::bad);
  CHECK(read(frame_of("ip4 10.0.0.1 10.0.0.2 / udp 49152 4791 / bth 65 1 / deth 1 / zero 264")) == CmRead::bad);
  CHECK(read(frame_of("ip4 10.0.0.1 10.0.0.2 / udp 49152 4791 / bth 64 2 / deth 1 / zero 260")) == CmRead::bad);
  CHECK(read_with(good, 54, 0x80010001, 4) == CmRead::bad);  // the key of queue pair 1
  CHECK(read_with(good, 59, 17, 3) == CmRead::bad);          // from another queue pair
  CHECK(read_with(good, mad_at, 2, 1) == CmRead::bad);
  CHECK(read_with(good, mad_at + 1, 4, 1) == CmRead::other);  // performance management
  CHECK(read_with(good, mad_at + 2, 1, 1) == CmRead::bad);
  CHECK(read_with(good, mad_at + 3, 1, 1) == CmRead::other);  // Get
  CHECK(read_with(good, mad_at + 4, 1, 2) == CmRead::bad);
  CHECK(read_with(good, mad_at + 18, 1, 2) == CmRead::bad);
  CHECK(read_with(good, mad_at + 20, 1, 4) == CmRead::bad);
  CHECK(read_with(good, mad_at + 16, 0x0f, 2) == CmRead::bad);
  CHECK(read_with(good, mad_at + 16, 0x110, 2) == CmRead::bad);
  CHECK(read_with(good, mad_at + 16, 0x19, 2) == CmRead::refused);  // another path for a connection
  CHECK(read_with(good, mad_at + 16, 0x1a, 2) == CmRead::refused);
  CHECK(read_with(good, mad_at + 16, 0x1b, 2) == CmRead::bad);
}

TEST_CASE("a REQ that contradicts itself is none") {
  const Bytes good = req();
  for (const u32 qp : {0u, 1u, 0xffffffu}) CHECK(read_with(good, body_at + 32, qp, 3) == CmRead::bad);
  CHECK(read_with(good, body_at + 43, 0x02, 1) == CmRead::message);  // unreliable
  CHECK(read_with(good, body_at + 43, 0x04, 1) == CmRead::refused);  // reliable datagram
  CHECK(read_with(good, body_at + 43, 0x06, 1) == CmRead::refused);  // extended
  CHECK(read_with(good, body_at + 50, 0x07, 1) == CmRead::bad);
  CHECK(read_with(good, body_at + 50, 0x67, 1) == CmRead::bad);
  CHECK(read_with(good, body_at + 140, 0x10, 1) == CmRead::bad);  // a version of RDMA_CM's addresses that is none
  CHECK(read_with(good, body_at + 141, 0x50, 1) == CmRead::bad);
  CHECK(read_with(good, body_at + 144, 1, 1) == CmRead::bad);  // an IPv4 address of more than four bytes
  CHECK(read_with(good, body_at + 171, 1, 1) == CmRead::bad);
  Bytes two_paths = good;
  two_paths[body_at + 96 + 20] = 1;
  CmMessage message;
  REQUIRE(read(two_paths, message) == CmRead::message);
  CHECK(message.has_alternate);
  Bytes rep = mad(0x13);
  CHECK(read(rep) == CmRead::bad);  // of queue pair 0
  Bytes told = mad(0x18);
  CHECK(read(told) == CmRead::bad);
  told[body_at + 4] = 1;
  CHECK(read(told) == CmRead::message);  // no: there is none
}

TEST_CASE("a GID is an IPv4 address where it is one mapped") {
  Bytes gid(16);
  gid[10] = gid[11] = 0xff;
  gid[12] = 10, gid[15] = 1;
  CHECK(address_of_gid(gid.data()) == v4(0x0a000001));
  gid[9] = 1;
  CHECK(address_of_gid(gid.data()) == Address::ipv6(gid.data()));
}

TEST_CASE("Ultra Ethernet: the job stands behind the packet type's header") {
  struct {
    u8 type, next;
    u32 pds_bytes;
  } const rows[] = {{2, 3, 12}, {3, 1, 12}, {4, 2, 8}, {5, 4, 8}, {6, 3, 4}, {7, 4, 12}, {8, 5, 32}, {9, 6, 32},
                    {13, 3, 16}, {14, 3, 16}};
  for (const auto& row : rows) {
    INFO(u32{row.type});
    Bytes bytes(row.pds_bytes + 8);
    bytes[0] = static_cast<u8>(row.type << 3 | row.next >> 1);
    bytes[1] = static_cast<u8>(row.next << 7);
    put(bytes, row.pds_bytes + 5, 0xabcdef, 3);
    UetPacket packet;
    REQUIRE(read_uet(bytes.data(), static_cast<u32>(bytes.size()), packet));
    CHECK(packet.type == static_cast<UetType>(row.type));
    CHECK((packet.has_job && packet.job == 0xabcdef && packet.pds_bytes == row.pds_bytes));
    CHECK(packet.semantics == row.next);
    CHECK(!read_uet(bytes.data(), static_cast<u32>(bytes.size()) - 1, packet));
    bytes[0] = static_cast<u8>(row.type << 3 | 3), bytes[1] = 0x80;  // next header 7
    CHECK(!read_uet(bytes.data(), static_cast<u32>(bytes.size()), packet));
    bytes[0] = static_cast<u8>(row.type << 3), bytes[1] = 0;
    REQUIRE(read_uet(bytes.data(), row.pds_bytes, packet));
    CHECK(!packet.has_job);
    CHECK(!read_uet(bytes.data(), row.pds_bytes - 1, packet));
  }
  UetPacket packet;
  for (u32 type = 0; type < 32; ++type) {
    Bytes bytes(64);
    bytes[0] = static_cast<u8>(type << 3);
    CHECK(read_uet(bytes.data(), 64, packet) == (type >= 1 && type <= 14));
  }
  const Bytes request_of_ack{7 << 3 | 1, 0x80, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0};
  CHECK(!read_uet(request_of_ack.data(), 20, packet));
  Bytes control(16);
  control[0] = 11 << 3 | 4, control[1] = 0x80;  // negotiation
  CHECK((read_uet(control.data(), 16, packet) && !packet.has_job));
  control[0] = 11 << 3 | 5, control[1] = 0;
  CHECK(!read_uet(control.data(), 16, packet));
  CHECK(!read_uet(control.data(), 1, packet));
}
