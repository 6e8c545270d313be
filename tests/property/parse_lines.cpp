// Says in one JSON line a frame how the parser reads a classic little-endian Ethernet capture, for other dissectors to
// be compared with (parse_scapy.py). usage: parse_lines CAPTURE
#include "dataplane/packet/parse.hpp"

#include <arpa/inet.h>
#include <fmt/format.h>

#include <fstream>
#include <iostream>
#include <vector>

using namespace weir;

namespace {

constexpr ParseContext context{{{1, 2, 3, 4}}, 0};

std::string written(const Address& address) {
  char text[INET6_ADDRSTRLEN] = {};
  inet_ntop(address.is_ipv4() ? AF_INET : AF_INET6, address.is_ipv4() ? &address.low : &address.high, text,
            sizeof text);
  return text;
}

std::string endpoint(const FlowKey& key, bool is_a) {
  const u16 number = is_a ? key.a_number : key.b_number;
  return fmt::format("{} {}", written(is_a ? key.a : key.b), key.flow_class() == FlowClass::ip ? number : swap(number));
}

std::string line_of(const Headers& headers) {
  if (!headers.well_formed()) return fmt::format(R"({{"reason":"{}"}})", row(headers.drop).name);
  constexpr const char* kinds[] = {"flow", "icmp_error", "arp", "nd", "ra", "dhcp", "fragment"};
  const bool numbered = in_network(headers.key.place());
  const bool keyed = headers.kind == PacketKind::flow || headers.kind == PacketKind::icmp_error;
  return fmt::format(
      R"({{"reason":"","kind":"{}","source":"{}","target":"{}","protocol":{},"l3":{},"l4":{},"payload":{},)"
      R"("payload_bytes":{},"ports":[{},{}],"flags":{},"icmp":[{},{}],"vlans":[{},{}],)"
      R"("tunnels":{},"network":{},"from":"{}","to":"{}","hash":{}}})",
      kinds[static_cast<u8>(headers.kind)], written(headers.source), written(headers.target), headers.protocol,
      headers.l3_offset, headers.l4_offset, headers.payload_offset, headers.payload_bytes, headers.source_port,
      headers.target_port, headers.tcp_flags, headers.icmp_type, headers.icmp_code,
      numbered ? 0 : headers.key.place() >> 8 & 0xfff, numbered ? 0 : headers.key.place() >> 20, headers.tunnels,
      numbered ? network_of(headers.key.place()) : 0, keyed ? endpoint(headers.key, headers.source_is_a) : "",
      keyed ? endpoint(headers.key, !headers.source_is_a) : "", headers.hash);
}

}  // namespace

int main(int count, char** arguments) {
  if (count != 2) {
    std::cerr << "usage: parse_lines CAPTURE\n";
    return 2;
  }
  std::ifstream stream(arguments[1], std::ios::binary);
  struct {
    u32 magic, version, zone, figures, snap, link;
  } file;
  struct {
    u32 seconds, fraction, present, length;
  } record;
  if (!stream.read(reinterpret_cast<char*>(&file), sizeof file) || file.magic != 0xa1b2c3d4 || file.link != 1) {
    std::cerr << arguments[1] << ": not a classic little-endian Ethernet capture\n";
    return 1;
  }
  std::vector<std::byte> frame;
  while (stream.read(reinterpret_cast<char*>(&record), sizeof record)) {
    frame.resize(record.present);
    if (!stream.read(reinterpret_cast<char*>(frame.data()), static_cast<std::streamsize>(frame.size()))) return 1;
    std::cout << line_of(parse(frame, context)) << "\n";
  }
  return 0;
}
