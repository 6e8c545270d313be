// What the thief sends is right to the byte as the engine reads it: nothing of it may be caught for being broken, but
// what is broken on purpose.
#include "dataplane/packet/checksum.hpp"
#include "dataplane/packet/icrc.hpp"
#include "dataplane/packet/mad.hpp"
#include "tools/thief/ways.hpp"

#include <catch2/catch.hpp>
#include <set>

using namespace weir;
using namespace weir::thief;

namespace {

Scene scene() {
  Scene made;
  made.holder = {{2, 0, 0, 0, 0, 1}, 0x0a280007, {0xfd, 0x40, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 7}};
  made.accomplice = {{2, 0, 0, 0, 0, 2}, 0x0a290007, {0xfd, 0x41, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 7}};
  made.has_ipv6 = true;
  made.other_holders = {0x0a280008, 0x0a280009};
  made.doors = {{6, 8443, false}, {6, 53, true}, {17, 53, true}};
  made.bytes = 30'000;
  return made;
}

const std::byte* bytes_of(const Bytes& frame) { return reinterpret_cast<const std::byte*>(frame.data()); }

Headers read(const Bytes& frame) { return parse(std::as_bytes(std::span(frame)), {HashKey{}, 0}); }

}  // namespace

TEST_CASE("every frame parses, and its checksums hold") {
  const std::set<std::string> broken{"SCTP",           "ESP",         "protocol 253", "behind ARP requests",
                                     "Ultra Ethernet", "data on SYNs"};
  for (const Way& way : ways(scene())) {
    u64 stolen = 0;
    Tick last = 0;
    Script script(
        30'000,
        [&](const Script::Step& step) {
          stolen += step.stolen;
          REQUIRE(step.time > last);
          last = step.time;
          const Headers headers = read(*step.frame);
          INFO(way.name << ": " << row(headers.drop).name);
          if (way.name.starts_with("frames ") || way.name.starts_with("fragments") || way.name.starts_with("in ") ||
              broken.contains(way.name))
            return;
          REQUIRE(headers.well_formed());
          REQUIRE(checksum_holds(headers, bytes_of(*step.frame)));
          if (headers.rdma_opcode != rdma_opcode_none) REQUIRE(icrc_holds(headers, bytes_of(*step.frame)));
        },
        [] { return Bytes(); });
    way.act(scene(), script);
    INFO(way.name);
    CHECK(stolen > 0);
    CHECK(stolen <= 30'000);
  }
}

TEST_CASE("the connection manager is asked to the letter") {
  std::vector<CmMessage> messages;
  for (const Way& way : queue_pair_ways(scene())) {
    if (way.name != "RDMA WRITE after meeting on port 4420") continue;
    Script script(
        5000,
        [&](const Script::Step& step) {
          const Headers headers = read(*step.frame);
          CmMessage message{};
          if (messages.size() == 3) return;
          REQUIRE(read_mad(headers, bytes_of(*step.frame), message) == CmRead::message);
          if (message.attribute == CmAttribute::req) REQUIRE(cm_addresses_hold(message, headers));
          messages.push_back(message);
        },
        [] { return Bytes(); });
    way.act(scene(), script);
  }
  REQUIRE(messages.size() == 3);
  CHECK(messages[0].attribute == CmAttribute::req);
  CHECK(is_tcp_service(messages[0].service));
  CHECK(port_of_service(messages[0].service) == 4420);
  CHECK(messages[0].transport == CmTransport::reliable);
  CHECK(messages[0].qp == 0x4711);
  CHECK(messages[1].attribute == CmAttribute::rep);
  CHECK(messages[1].qp == 0x1234);
  CHECK(messages[1].remote_id == messages[0].local_id);
  CHECK(messages[2].attribute == CmAttribute::rtu);
  CHECK(messages[2].remote_id == messages[1].local_id);
}

TEST_CASE("files begin as their formats do") {
  const auto begins = [](Format format, std::string_view with, std::size_t at = 0) {
    const Bytes& file = tensor_file(format);
    CHECK(std::string_view(reinterpret_cast<const char*>(file.data()) + at, with.size()) == with);
    CHECK(file.size() == file_bytes);
  };
  begins(Format::gguf, "GGUF\x03");
  begins(Format::safetensors, "{\"__metadata__\"", 8);
  begins(Format::torch, "PK\x03\x04");
  begins(Format::torch, "archive/data.pkl", 30);
  begins(Format::numpy, "\x93NUMPY\x01");
}
