// Every way out of a segment is charged: whatever leaves by the outside port while a budget covers the inside, of any
// kind of frame, direction, fragment, tunnel or answer, has been debited by exactly its size; nothing leaves once the
// budget is spent, of established flows neither; and what comes in costs nothing.
#include "tests/property/vault.hpp"
#include "tests/unit/parse_rows.hpp"

#include <fmt/format.h>
#include <catch2/catch.hpp>

#include <map>
#include <random>
#include <set>

using namespace weir;
using test::Installed, test::World;

namespace {

constexpr u64 plenty = u64{1} << 40;
constexpr Tick began = 1'700'000'000'000'000;

// Who is inside is known by the port, or by addresses alone.
enum class Known : bool { by_port, by_address };

control::Model model_of(Known known, bool rejects) {
  control::Model model;
  model.name = "ways";
  control::Segment outer, vault;
  outer.name = "outer";
  outer.has_addresses = true;
  outer.addresses.ipv4 = {{0x0a010000, 0x0a01ffff}};
  vault.name = "vault";
  if (known == Known::by_port) {
    vault.attach = {"inside"};
  } else {
    vault.has_addresses = true;
    vault.addresses.ipv4 = {{0x0a000000, 0x0a00ffff}, {0x0a020000, 0x0affffff}, {0xc0000200, 0xc00002ff}};
    const auto ipv6 = [](u64 high) { return static_cast<control::Ipv6Number>(high) << 112; };
    vault.addresses.ipv6 = {{ipv6(0x2001), ipv6(0x2002) - 1}, {ipv6(0xfc00), ipv6(0xfe00) - 1}};
  }
  model.segments = {outer, vault};
  control::Statement all;
  all.name = "all";
  all.from_any = all.to_any = true;
  all.services.tcp = all.services.udp = all.services.sctp = {{0, 65535}};
  all.services.icmp4 = all.services.icmp6 = {{0, 65535}};
  for (u32 protocol = 0; protocol < 256; ++protocol) all.services.protocols.push_back(static_cast<u8>(protocol));
  model.statements = {all};
  control::Statement no = all;
  no.name = "no";
  no.is_forbid = true;
  no.services = {};
  no.services.tcp = {{9, 9}};
  no.services.udp = {{9, 9}};
  no.reject = rejects;
  model.statements.push_back(no);
  model.link = {true, true, true, true};
  model.tracking.trust_checksums = true;  // frames as text have none of their own
  control::Budget budget;
  budget.name = "out";
  budget.from = {1};
  budget.to_any = budget.any_service = true;
  budget.windows = {{plenty, 3600, {}}};
  model.budgets = {budget};
  return model;
}

std::vector<std::string> rows() {
  std::vector<std::string> all;
  for (const std::span<const test::ParseRow> some :
       {std::span<const test::ParseRow>(test::ethernet_rows), std::span<const test::ParseRow>(test::arp_rows),
        std::span<const test::ParseRow>(test::ipv4_rows), std::span<const test::ParseRow>(test::ipv6_rows),
        std::span<const test::ParseRow>(test::transport_rows), std::span<const test::ParseRow>(test::icmp_rows),
        std::span<const test::ParseRow>(test::error_rows), std::span<const test::ParseRow>(test::neighbour_rows),
        std::span<const test::ParseRow>(test::tunnel_rows)})
    for (const test::ParseRow& row : some) {
      all.emplace_back(row.frame);
      if (!all.back().starts_with("eth") && !all.back().starts_with("vlan")) all.push_back("vlan 5 / " + all.back());
    }
  return all;
}

// Frames of every EtherType and of every IP protocol, some of them whole.
std::vector<std::vector<u8>> sweeps() {
  std::vector<std::vector<u8>> all;
  for (u32 type = 0; type < 0x10000; ++type)
    all.push_back(test::frame_of(fmt::format("eth type={:04x} / zero 46", type)));
  for (u32 protocol = 0; protocol < 256; ++protocol)
    for (const u32 bytes : {0u, 8u, 24u, 200u}) {
      all.push_back(test::frame_of(fmt::format("ip4 10.0.0.1 10.1.0.2 proto={} / zero {}", protocol, bytes)));
      all.push_back(test::frame_of(fmt::format("ip6 fc00::1 fe00::2 next={} / zero {}", protocol, bytes)));
    }
  return all;
}

struct Step {
  const char* frame;
  u16 port;
};
// Conversations both ways, and what goes with them. Each ends with bytes of an established flow.
#define TO "ip4 10.0.0.1 10.1.0.2 / "
#define FROM "ip4 10.1.0.2 10.0.0.1 / "
#define TO6 "ip6 fc00::1 2002::2 / "
#define FROM6 "ip6 2002::2 fc00::1 / "
const std::vector<std::vector<Step>> conversations = {
    {{TO "udp 1000 53 / zero 30", 0}, {FROM "udp 53 1000 / zero 99", 1}, {TO "udp 1000 53 / zero 31", 0}},
    {{FROM "udp 1001 53 / zero 30", 1}, {TO "udp 53 1001 / zero 1400", 0}},
    {{TO6 "udp 1000 53 / zero 30", 0}, {FROM6 "udp 53 1000 / zero 99", 1}, {TO6 "udp 1000 53 / zero 31", 0}},
    {{TO "icmp4 8 id=7 / zero 40", 0}, {FROM "icmp4 0 id=7 / zero 40", 1}, {TO "icmp4 8 id=7 / zero 41", 0}},
    {{FROM "icmp4 8 id=8 / zero 40", 1}, {TO "icmp4 0 id=8 / zero 40", 0}},
    {{TO6 "icmp6 128 id=7 / zero 40", 0}, {TO6 "icmp6 128 id=7 / zero 43", 0}},
    {{"ip4 10.0.0.1 10.1.0.2 proto=50 / zero 48", 0}, {"ip4 10.0.0.1 10.1.0.2 proto=50 / zero 49", 0}},
    {{"vlan 7 / " TO "udp 1000 53 / zero 30", 0}, {"vlan 7 / " TO "udp 1000 53 / zero 31", 0}},
    {{TO "udp 9000 4789 / vxlan 5 / eth / " TO "udp 7 8 / zero 20", 0},
     {TO "udp 9000 4789 / vxlan 5 / eth / " TO "udp 7 8 / zero 21", 0}},
    {{TO "gre / " TO "udp 7 8 / zero 20", 0}, {TO "gre / " TO "udp 7 8 / zero 22", 0}},
    {{TO "ip4 10.0.0.3 10.1.0.4 / udp 7 8 / zero 20", 0}, {TO "ip4 10.0.0.3 10.1.0.4 / udp 7 8 / zero 23", 0}},
    {{"ip4 10.0.0.1 10.1.0.2 fragment=2000 / udp 70 80 length=308 / zero 248", 0},
     {"ip4 10.0.0.1 10.1.0.2 fragment=0020 proto=17 / zero 52", 0}},
    // An outsider asks, and an insider's router answers with an error; and the other way round.
    {{FROM "udp 1002 54 / zero 30", 1}, {"ip4 10.0.0.9 10.1.0.2 / icmp4 3 3 / " FROM "udp 1002 54 / zero 30", 0}},
    {{TO "udp 1003 54 / zero 30", 0}, {"ip4 10.1.0.9 10.0.0.1 / icmp4 3 3 / " TO "udp 1003 54 / zero 30", 1}},
    {{"arp 1 10.0.0.1 10.1.0.2", 0}, {"arp 2 10.0.0.1 10.1.0.2", 0}, {"arp 1 10.1.0.2 10.0.0.1", 1}},
};
#undef TO
#undef FROM
#undef TO6
#undef FROM6

// Every frame that leaves has been debited by its size, and nothing else has.
void check_exact(const World::Left& left, const std::string& frame) {
  INFO(frame);
  REQUIRE(left.debited == left.out);
}

// A connection of TCP, dialled by who is behind `port`, with a byte of data each way; true when it is established.
void speak_tcp(World& world, u16 port, u16 own, std::string_view dial) {
  const auto segment = [&](bool answers, std::string_view flags, u32 sequence, u32 acknowledges, u32 bytes) {
    const bool outward = (port == 0) != answers;
    std::vector<u8> frame = test::frame_of(fmt::format("ip4 {} / tcp {} {} {} / zero {}",
                                                       outward ? "10.0.0.1 10.1.0.2" : "10.1.0.2 10.0.0.1",
                                                       answers ? 443 : own, answers ? own : 443, flags, bytes));
    const auto put = [&](u32 at, u32 value) {
      for (u32 i = 0; i < 4; ++i) frame[34 + at + i] = static_cast<u8>(value >> (24 - 8 * i));
    };
    put(4, sequence), put(8, acknowledges);
    frame[48] = frame[49] = 0xff;
    frame[50] = frame[51] = 0;
    u32 sum = 6 + 20 + bytes;
    for (u32 at = 26; at + 1 < frame.size(); at += 2) sum += load_be16(reinterpret_cast<std::byte*>(&frame[at]));
    if (frame.size() % 2 != 0) sum += u32{frame.back()} << 8;
    while (sum >> 16) sum = (sum & 0xffff) + (sum >> 16);
    frame[50] = static_cast<u8>(~sum >> 8), frame[51] = static_cast<u8>(~sum);
    const World::Left left = world.send(frame, answers ? port ^ 1 : port);
    check_exact(left, fmt::format("TCP {} {} {}", dial, flags, bytes));
  };
  segment(false, "S", 100, 0, 0);
  segment(true, "SA", 500, 101, 0);
  segment(false, "A", 101, 501, 0);
  segment(false, "A", 101, 501, 700);
  segment(true, "A", 501, 801, 900);
}

}  // namespace

TEST_CASE("every way out is charged by its size, and closed once the budget is spent") {
  for (const Known known : {Known::by_port, Known::by_address}) {
    control::Model model = model_of(known, false);
    const Installed installed(model);
    World world(*installed);
    u64 left_out = 0, left_in = 0;
    for (const auto& conversation : conversations)
      for (const Step& step : conversation) {
        const World::Left left = world.send(step.frame, step.port);
        check_exact(left, step.frame);
        INFO(step.frame << ": " << row(left.reasons.empty() ? Reason::undecided : left.reasons.back()).name);
        CHECK((left.out + left.in != 0 || left.reasons.empty()));
        left_out += left.out, left_in += left.in;
      }
    speak_tcp(world, 0, 2000, "outward");
    speak_tcp(world, 1, 2001, "inward");
    CHECK(left_out > 3'000);
    CHECK(left_in > 300);
    if (known == Known::by_port) {
      for (const std::string& frame : rows())
        for (const u16 port : {u16{0}, u16{1}}) check_exact(world.send(frame, port), frame);
      u32 leaves = 0;
      for (auto& frame : sweeps()) {
        const World::Left left = world.send(frame, 0);
        REQUIRE(left.debited == left.out);
        leaves += left.out != 0;
      }
      CHECK(leaves > 500);
    }

    world.close();
    const u64 spent = world.spent();
    for (const auto& conversation : conversations)
      for (const Step& step : conversation) {
        INFO(step.frame);
        REQUIRE(world.send(step.frame, step.port).out == 0);
      }
    speak_tcp(world, 0, 2000, "outward");
    speak_tcp(world, 1, 2001, "inward");
    if (known == Known::by_port) {
      for (const std::string& frame : rows())
        for (const u16 port : {u16{0}, u16{1}}) REQUIRE(world.send(frame, port).out == 0);
      for (auto& frame : sweeps()) REQUIRE(world.send(frame, 0).out == 0);
    }
    REQUIRE(world.spent() == spent);
    for (const Reason reason : {Reason::flow_new, Reason::flow_established, Reason::icmp_related, Reason::link_arp,
                                Reason::budget_spent})
      CHECK(world.reached.contains(reason));
  }
}

TEST_CASE("what Weir itself writes is charged to whom it speaks for") {
  for (const bool proxies : {false, true}) {
    control::Model model = model_of(Known::by_port, true);
    if (proxies) model.tracking.syn_proxy = control::Tracking::SynProxy::always;
    const Installed installed(model);
    World world(*installed);
    const std::string denied = "ip4 10.1.0.2 10.0.0.1 / tcp 3000 9 S";
    const World::Left left = world.send(denied, 1);
    REQUIRE(left.out != 0);
    check_exact(left, denied);
    speak_tcp(world, 0, 2000, "outward");
    speak_tcp(world, 1, 2001, "inward");
    world.close();
    REQUIRE(world.send(denied, 1).out == 0);
    REQUIRE(world.send("ip4 10.1.0.2 10.0.0.1 / tcp 3001 443 S", 1).out == 0);
    speak_tcp(world, 1, 2001, "inward");
    CHECK(world.reached.contains(proxies ? Reason::syn_proxy_answered : Reason::rejected_reset));
  }
}

TEST_CASE("a tunnel is charged once, by its outer size, for whoever of the vault is in any of its layers") {
  const control::Model model = model_of(Known::by_address, false);
  const Installed installed(model);
  World world(*installed);
  const std::string inner = "ip4 10.0.0.1 10.1.0.2 / udp 7 8 / zero 20";
  const std::string strange = "ip4 10.1.0.7 10.1.0.2 / udp 7 8 / zero 9";
  const std::string outer = "ip4 10.0.0.1 10.1.0.2 / gre / ", foreign = "ip4 10.1.0.7 10.1.0.2 / gre / ";
  for (const std::string& frame : {outer + inner, foreign + inner, outer + strange, outer + outer + inner}) {
    const World::Left left = world.send(frame, 0);
    REQUIRE(left.out != 0);
    check_exact(left, frame);
  }
  const World::Left left = world.send(foreign + strange, 0);
  CHECK((left.out != 0 && left.debited == 0));
}

TEST_CASE("an account that layers meet with different reserves is debited once, by what the inner one may use") {
  control::Model model = model_of(Known::by_address, false);
  control::Budget::Reserve reserve;
  reserve.services.udp = {{8, 8}};
  reserve.share = 1'000;
  model.budgets[0].reserves = {reserve};  // purse 1; the rest is purse 2
  const std::string outer = "ip4 10.0.0.1 10.1.0.2 / gre / ", inner = "ip4 10.0.0.1 10.1.0.2 / udp 7 8 / zero 20";
  const Installed installed(model);
  for (const u32 closed : {1u, no_purse, 2u}) {
    World world(*installed);
    world.bank().more = 0;  // exactly one frame's worth is lent
    world.bank().closed = closed;
    for (u32 i = 0; i < 3; ++i) {
      const World::Left left = world.send(outer + inner, 0);
      INFO("closed " << closed);
      REQUIRE(left.out != 0);
      check_exact(left, outer + inner);
    }
  }
}

TEST_CASE("what the link needs never is more than its bytes a day, and does not begin with all of them") {
  control::Model model = model_of(Known::by_address, false);
  model.link.bytes_a_day = 200'000;
  const Installed installed(model);
  World world(*installed);
  const std::vector<u8> request = test::frame_of("arp 1 10.0.0.1 10.1.0.2");
  std::map<u64, u64> by_hour;
  for (u64 seconds = 0; seconds < 3 * 86'400; seconds += 10) {
    world.now = began + seconds * tick_second;
    by_hour[seconds / 3600] += world.send(request, 0).out;
    if (seconds == 0)
      for (u32 i = 0; i < 1000; ++i) by_hour[0] += world.send(request, 0).out;
  }
  CHECK(by_hour[0] < 75'000);
  u64 most = 0, sum = 0;
  for (u64 hour = 0; hour < 72; ++hour) {
    sum += by_hour[hour];
    if (hour >= 24) sum -= by_hour[hour - 24];
    most = std::max(most, sum);
  }
  CHECK(most <= 200'000);
  CHECK(most > 90'000);
  CHECK(world.reached.contains(Reason::link_spent));
}

TEST_CASE("without accounts everything that a budget covers is closed") {
  const control::Model model = model_of(Known::by_port, true);
  const Installed installed(model);
  InstalledPolicy closed = *installed;
  closed.seats = {};
  World world(closed);
  for (const auto& conversation : conversations)
    for (const Step& step : conversation) REQUIRE(world.send(step.frame, step.port).out == 0);
  CHECK(world.reached.contains(Reason::budget_closed));
}
