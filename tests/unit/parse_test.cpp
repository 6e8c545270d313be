// Each rule of the parser as a row, the reasons that rows must reach, and the key's promise: one for both directions.
#include "dataplane/packet/layers.hpp"
#include "tests/unit/parse_frame.hpp"
#include "tests/unit/parse_rows.hpp"

#include <fmt/format.h>
#include <catch2/catch.hpp>

#include <algorithm>
#include <set>
#include <string>

using namespace weir;
using namespace weir::test;

namespace {

const ParseContext context{{{11, 22, 33, 44}}, 5};

Headers parse_text(const std::string& text, const ParseContext& with = context) {
  const auto frame = frame_of(text);
  return parse(std::as_bytes(std::span(frame)), with);
}

std::string describe_quote(const Headers& headers) {
  const FlowKey& key = headers.key;
  if (key.flow_class() == FlowClass::ip) return fmt::format(" quote={0}:{0}>{1}", key.a_number, key.b_number);
  if (key.flow_class() == FlowClass::rdma)
    return fmt::format(" quote=rdma:{}{}", qp_of(key), target_is_a(key) != headers.source_is_a ? "" : " wrong end");
  const u8 protocols[] = {6, 17, 1, 58, 132};
  const u16 a = swap(key.a_number), b = swap(key.b_number);
  return fmt::format(" quote={}:{}>{}", protocols[static_cast<u8>(key.flow_class())], headers.source_is_a ? a : b,
                     headers.source_is_a ? b : a);
}

// A drop as its reason, anything else in the words of the rows; ICMP's numbers only where `expected` asks for them.
std::string describe(const Headers& headers, const std::string& expected) {
  if (!headers.well_formed()) return std::string(row(headers.drop).name);
  const char* kinds[] = {"flow", "icmp_error", "arp", "nd", "ra", "dhcp", "fragment"};
  std::string text = fmt::format("{} {} {}>{} l3={} l4={} payload={}+{}", kinds[static_cast<u8>(headers.kind)],
                                 headers.protocol, headers.source_port, headers.target_port, headers.l3_offset,
                                 headers.l4_offset, headers.payload_offset, headers.payload_bytes);
  const u32 place = headers.key.place(), vlans = place >> 8;
  if (headers.tunnels != 0) text += fmt::format(" tunnels={}", headers.tunnels);
  if (in_network(place)) text += fmt::format(" network={}", network_of(place));
  else if (vlans != 0) text += fmt::format(" vlans={},{}", vlans & 0xfff, vlans >> 12);
  if (!headers.is_ipv4) text += " v6";
  if (headers.rdma_opcode != rdma_opcode_none) text += fmt::format(" op={:02x}", headers.rdma_opcode);
  if (headers.kind == PacketKind::flow && headers.key.flow_class() == FlowClass::rdma)
    text += fmt::format(" qp={}{}", qp_of(headers.key),
                        target_is_a(headers.key) != headers.source_is_a ? "" : " wrong end");
  if (expected.find(" icmp=") != std::string::npos)
    text += fmt::format(" icmp={}/{}", headers.icmp_type, headers.icmp_code);
  if (expected.find(" number=") != std::string::npos) text += fmt::format(" number={}", swap(headers.key.a_number));
  if (headers.kind == PacketKind::icmp_error) text += describe_quote(headers);
  return text;
}

void check_rows(std::span<const ParseRow> rows, std::set<std::string>* reached = nullptr) {
  for (const ParseRow& line : rows) {
    INFO(line.frame);
    const std::string read = describe(parse_text(line.frame), line.expected);
    CHECK(read == line.expected);
    if (reached) reached->insert(read);
  }
}

std::string reversed(std::string text, const std::string& one, const std::string& other) {
  const auto first = text.find(one + " " + other);
  REQUIRE(first != std::string::npos);
  return text.replace(first, one.size() + other.size() + 1, other + " " + one);
}

}  // namespace

TEST_CASE("Ethernet and VLAN tags") { check_rows(ethernet_rows); }
TEST_CASE("ARP") { check_rows(arp_rows); }
TEST_CASE("IPv4") { check_rows(ipv4_rows); }
TEST_CASE("IPv6") { check_rows(ipv6_rows); }
TEST_CASE("transport") { check_rows(transport_rows); }
TEST_CASE("ICMP") { check_rows(icmp_rows); }
TEST_CASE("ICMP errors") { check_rows(error_rows); }
TEST_CASE("neighbour discovery") { check_rows(neighbour_rows); }
TEST_CASE("tunnels") { check_rows(tunnel_rows); }
TEST_CASE("RDMA") { check_rows(rdma_rows); }

TEST_CASE("the rows reach every reason of the parse stage") {
  std::set<std::string> reached;
  for (const auto& table : parse_tables) check_rows(table, &reached);
  for (const ReasonRow& reason : reason_rows) {
    INFO(reason.name);
    if (reason.stage == "parse") CHECK(reached.contains(std::string(reason.name)));
  }
  CHECK(reached.contains("link_redirect"));
  CHECK(reached.contains("link_nd_bad"));
}

TEST_CASE("both directions have one key and one hash, and source_is_a tells them apart") {
  struct {
    const char* text;
    const char* addresses[2];
    const char* numbers[2];
  } const flows[] = {
      {"ip4 10.0.0.1 9.0.0.2 / tcp 1024 443", {"10.0.0.1", "9.0.0.2"}, {"1024", "443"}},
      {"ip4 10.0.0.1 10.0.0.2 options=94040000 / tcp 1024 443", {"10.0.0.1", "10.0.0.2"}, {"1024", "443"}},
      {"vlan 7 / ip4 10.0.0.1 10.0.0.2 / udp 1024 443", {"10.0.0.1", "10.0.0.2"}, {"1024", "443"}},
      {"ip6 2001:db8::1 2001:db8::2 / tcp 5 5", {"2001:db8::1", "2001:db8::2"}, {"5", "5"}},
      {"ip6 2001:db8:1::1 2001:db8::2 / udp 5 6", {"2001:db8:1::1", "2001:db8::2"}, {"5", "6"}},
      {"ip6 2001:db8::1 2001:db8::2 / sctp 5 6 / chunk 3 / zero 12", {"2001:db8::1", "2001:db8::2"}, {"5", "6"}},
      {"ip6 ::5 2001:db8::2 / udp 5 6", {"::5", "2001:db8::2"}, {"5", "6"}},
      {"ip4 10.0.0.1 10.0.0.2 / icmp4 8 id=3", {"10.0.0.1", "10.0.0.2"}, {nullptr, nullptr}},
      {"ip6 2001:db8::1 2001:db8::2 / icmp6 128 id=3", {"2001:db8::1", "2001:db8::2"}, {nullptr, nullptr}},
      {"ip4 10.0.0.1 10.0.0.2 proto=50 / zero 8", {"10.0.0.1", "10.0.0.2"}, {nullptr, nullptr}},
  };
  for (const auto& flow : flows) {
    INFO(flow.text);
    std::string back = reversed(flow.text, flow.addresses[0], flow.addresses[1]);
    if (flow.numbers[0] && std::string(flow.numbers[0]) != flow.numbers[1])
      back = reversed(back, flow.numbers[0], flow.numbers[1]);
    const std::pair<std::string, std::string> answers[] = {{"icmp4 8", "icmp4 0"}, {"icmp6 128", "icmp6 129"}};
    for (const auto& [query, reply] : answers)
      if (const auto at = back.find(query); at != std::string::npos) back.replace(at, query.size(), reply);
    const Headers there = parse_text(flow.text), here = parse_text(back);
    REQUIRE(there.well_formed());
    REQUIRE(here.well_formed());
    CHECK(there.key == here.key);
    CHECK(there.hash == here.hash);
    CHECK(there.hash == hash_of(there.key, context.secret));
    CHECK(there.source_is_a != here.source_is_a);
    CHECK((there.source_is_a ? there.key.a : there.key.b) == there.source);
    CHECK((here.source_is_a ? here.key.a : here.key.b) == here.source);
    CHECK(there.key.pair() == context.pair);
  }
}

TEST_CASE("an ICMP error has the key of the flow it quotes, the quoted way round, and its own addresses") {
  const Headers sent = parse_text("ip4 10.0.0.1 10.0.0.2 / udp 40000 53");
  const Headers error = parse_text("ip4 10.0.0.9 10.0.0.1 / icmp4 3 3 / ip4 10.0.0.1 10.0.0.2 / udp 40000 53");
  CHECK(error.key == sent.key);
  CHECK(error.hash == sent.hash);
  CHECK(error.source_is_a == sent.source_is_a);
  CHECK(error.source == parse_text("ip4 10.0.0.9 10.0.0.1 / udp 1 2").source);
  CHECK(error.target == sent.source);
  const Headers echo = parse_text("vlan 3 / ip6 2001:db8::1 2001:db8::2 / icmp6 128 id=5");
  const Headers too_big =
      parse_text("vlan 3 / ip6 2001:db8::9 2001:db8::1 / icmp6 2 / ip6 2001:db8::1 2001:db8::2 / icmp6 128 id=5");
  CHECK(too_big.key == echo.key);
  CHECK(too_big.source_is_a == echo.source_is_a);
}

TEST_CASE("what tells flows apart is in the key") {
  const std::string rest = "ip4 10.0.0.1 10.0.0.2 / tcp 1024 443";
  const Headers plain = parse_text(rest);
  CHECK(parse_text("vlan 7 / " + rest).key.scope != plain.key.scope);
  CHECK(parse_text("vlan 7 / vlan 8 / " + rest).key != parse_text("vlan 8 / vlan 7 / " + rest).key);
  CHECK(parse_text("vlan 0 / " + rest).key == plain.key);
  CHECK(parse_text(rest, {context.secret, 6}).key != plain.key);
  CHECK(parse_text("ip4 10.0.0.1 10.0.0.2 / udp 1024 443").key != plain.key);
  CHECK(parse_text("ip4 10.0.0.1 10.0.0.2 / tcp 443 1024").key != plain.key);
  CHECK(parse_text("ip4 10.0.0.1 10.0.0.2 / icmp4 8 id=1").key !=
        parse_text("ip4 10.0.0.1 10.0.0.2 / icmp4 8 id=2").key);
  CHECK(parse_text(rest, {{{11, 22, 33, 45}}, 5}).hash != plain.hash);
}

TEST_CASE("link kinds have no key and one hash for both directions") {
  const Headers request = parse_text("arp 1 10.0.0.1 10.0.0.2"), reply = parse_text("arp 2 10.0.0.2 10.0.0.1");
  CHECK(request.key == FlowKey{});
  CHECK(request.hash != 0);
  CHECK(request.hash == reply.hash);
  CHECK(request.source == Address::ipv4(swap(u32{0x0a000001})));
  CHECK(request.target == Address::ipv4(swap(u32{0x0a000002})));
}

TEST_CASE("every combination of TCP flags") {
  for (u32 flags = 0; flags < 256; ++flags) {
    const bool fin = flags & tcp_fin, syn = flags & tcp_syn, rst = flags & tcp_rst, ack = flags & tcp_ack;
    const bool urg = flags & tcp_urg;
    bool legal = syn || rst || ack;
    if (fin && (!ack || syn || rst)) legal = false;
    if (syn && rst) legal = false;
    if (urg && (!ack || syn || rst)) legal = false;
    auto frame = frame_of("ip4 10.0.0.1 10.0.0.2 / tcp 1 2");
    frame[47] = static_cast<u8>(flags);
    const Headers headers = parse(std::as_bytes(std::span(frame)), context);
    INFO(flags);
    CHECK(headers.drop == (legal ? Reason::undecided : Reason::tcp_flags_bad));
    CHECK(headers.tcp_flags == flags);
  }
}
