// Flows in the guard, frame by frame in the kernel's own test run: what an opening lets back in and what not, errors
// about it, its end, its idle time, a full table, an allow that ends, another policy, and a lease that is paid from.
// Needs root.
#include "control/compile/compile.hpp"
#include "dataplane/policy/verify.hpp"
#include "tests/guard/test_run.hpp"
#include "tests/property/frame_writer.hpp"
#include "tests/property/image_memory.hpp"

#include <unistd.h>
#include <catch2/catch.hpp>
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <thread>

using namespace weir;
using guard::Program;

namespace {

constexpr u32 own = 0x0a630001, other = 0x0a630002, router = 0x0a6300fe;
constexpr u8 fin = 1, syn = 2, rst = 4, ack = 16;
constexpr Tick begins = 1'000 * tick_second;

const bool is_root = [] {
  if (geteuid() == 0) return true;
  std::puts("skipped: only root may load programs into the kernel");
  std::exit(77);
}();

struct Terms {
  std::int64_t expires_s = 0;  // 0: never
  bool allows = true, has_budget = false;
};

control::Model model_of(const Terms& terms) {
  control::Model model;
  model.name = "flows";
  model.files = {"flows.toml"};
  model.line_starts = {{0}};
  control::Segment machine, rest;
  machine.name = "machine", rest.name = "rest";
  machine.has_addresses = rest.has_addresses = true;
  machine.addresses.ipv4 = {{own, own}};
  rest.addresses.ipv4 = {{other, other}};
  model.segments = {machine, rest};
  control::Statement allow;
  allow.name = "out";
  allow.from = {0}, allow.to = {1};
  allow.services.tcp = {{443, 443}};
  allow.services.udp = {{514, 514}};
  if (terms.expires_s != 0) allow.expires_s = terms.expires_s;
  if (terms.allows) model.statements = {allow};
  model.tracking.timeouts_ms = {{"udp_one_way", 1000}, {"tcp_opening", 1000}};
  if (!terms.has_budget) return model;
  control::Budget budget;
  budget.name = "all";
  budget.from = {0};
  budget.to_any = budget.any_service = true;
  const std::vector<control::PortRange> every{{0, 65535}};
  budget.services = {every, every, every, every, every, {}, every};
  for (u32 protocol = 0; protocol < 256; ++protocol) budget.services.protocols.push_back(static_cast<u8>(protocol));
  budget.windows = {{1'000'000, 3600, {}}};
  model.budgets = {budget};
  return model;
}

struct World {
  guard::Kernel kernel;
  u64 generation = 0;

  // Time of day is `begins` now, and goes on.
  void install(const Terms& terms) {
    const ImageMemory memory(control::compile(model_of(terms), ++generation)->image);
    const auto tables = guard::tables_of(*verify(memory.bytes()), std::vector<guard::Interface>{{"lo", {}, 0}},
                                         begins - guard::boot_ns() / 1000);
    REQUIRE(tables);
    REQUIRE(kernel.install(*tables));
    REQUIRE(kernel.set_interface(guard::loopback, guard::guard_interface{}));
  }
  u64 counted(guard::guard_way way, Reason reason) const {
    return kernel.count(0, way, static_cast<u8>(reason)).packets;
  }
  bool sends(const naive::MeantPacket& packet, bool outward, Reason reason) const {
    const auto way = outward ? guard::guard_out : guard::guard_in;
    const u64 before = counted(way, reason);
    const auto program = outward ? Program::guard_out_tc : Program::guard_in_xdp;
    const bool passes = guard::test_run(kernel, program, FrameWriter::write(packet)).passes;
    return passes == (verdict_of(reason) == Verdict::forward) && counted(way, reason) == before + 1;
  }
};

std::unique_ptr<World> world_of(const Terms& terms, u32 flows = 64) {
  auto kernel = guard::Kernel::load({.policy_bytes = 1u << 20, .flows = flows});
  REQUIRE(is_root);
  if (!kernel) FAIL(kernel.error().sentence);
  auto world = std::make_unique<World>(World{std::move(*kernel)});
  world->install(terms);
  return world;
}

naive::MeantPacket packet(u8 protocol, bool outward, u8 flags, u16 own_port = 40'000) {
  naive::MeantPacket made;
  made.protocol = protocol;
  made.source = outward ? own : other;
  made.target = outward ? other : own;
  const u16 far_port = protocol == 6 ? 443 : 514;
  made.source_port = outward ? own_port : far_port;
  made.target_port = outward ? far_port : own_port;
  made.tcp_flags = flags;
  made.payload = 20;
  return made;
}
naive::MeantPacket tcp(bool outward, u8 flags) { return packet(6, outward, flags); }

// "Too big", or whatever a router says about what `from` sent.
naive::MeantPacket error_about(u32 from, u32 to, u16 from_port, u16 to_port) {
  naive::MeantPacket made;
  made.protocol = 1;
  made.source = router, made.target = from;
  made.icmp_type = 3, made.icmp_code = 4;
  made.quotes = true;
  made.quoted_protocol = 6;
  made.quoted_source = from, made.quoted_target = to;
  made.quoted_source_port = from_port, made.quoted_target_port = to_port;
  return made;
}

constexpr bool out = true, in = false;

}  // namespace

TEST_CASE("an opening lets its replies in, and nothing else") {
  const auto world = world_of({});
  CHECK(world->sends(tcp(in, ack), in, Reason::tcp_not_syn));
  CHECK(world->sends(tcp(in, syn), in, Reason::no_allow));
  CHECK(world->sends(tcp(out, ack), out, Reason::tcp_not_syn));
  CHECK(world->sends(tcp(out, syn), out, Reason::flow_new));
  CHECK(world->sends(tcp(out, ack), out, Reason::tcp_state));
  CHECK(world->sends(tcp(in, ack), in, Reason::tcp_state));
  CHECK(world->sends(tcp(in, syn | ack), in, Reason::flow_established));
  CHECK(world->sends(tcp(out, ack), out, Reason::flow_established));
  CHECK(world->sends(tcp(out, ack), in, Reason::wrong_side));
  CHECK(world->sends(packet(6, in, ack, 40'001), in, Reason::tcp_not_syn));
  CHECK(world->sends(tcp(out, fin | ack), out, Reason::flow_established));
  CHECK(world->sends(tcp(in, fin | ack), in, Reason::flow_established));
  CHECK(world->sends(tcp(out, syn), out, Reason::flow_new));
  CHECK(world->sends(tcp(in, rst | ack), in, Reason::flow_established));
  CHECK(world->sends(tcp(in, syn), in, Reason::no_allow));
}

TEST_CASE("errors pass about a flow that lives, toward who sent what they quote") {
  const auto world = world_of({});
  const auto ours = error_about(own, other, 40'000, 443), theirs = error_about(other, own, 443, 40'000);
  CHECK(world->sends(ours, in, Reason::icmp_unmatched));
  REQUIRE(world->sends(tcp(out, syn), out, Reason::flow_new));
  CHECK(world->sends(ours, in, Reason::icmp_related));
  CHECK(world->sends(ours, out, Reason::icmp_unmatched));
  CHECK(world->sends(theirs, out, Reason::icmp_related));
  auto astray = ours;
  astray.target = other;
  CHECK(world->sends(astray, in, Reason::icmp_unmatched));
}

TEST_CASE("a full table refuses newcomers until somebody is over") {
  const auto world = world_of({}, 16);
  for (u16 port = 1; port <= 16; ++port) REQUIRE(world->sends(packet(17, out, 0, port), out, Reason::flow_new));
  CHECK(world->sends(packet(17, out, 0, 17), out, Reason::table_full));
  CHECK(world->sends(packet(17, in, 0, 3), in, Reason::flow_established));
  std::this_thread::sleep_for(std::chrono::milliseconds(1200));
  CHECK(world->sends(packet(17, in, 0, 5), in, Reason::no_allow));
  CHECK(world->sends(packet(17, in, 0, 3), in, Reason::flow_established));
  for (u16 port = 20; port < 30; ++port) CHECK(world->sends(packet(17, out, 0, port), out, Reason::flow_new));
}

TEST_CASE("an allow that ends ends its flows") {
  const auto world = world_of({.expires_s = begins / tick_second + 1});
  REQUIRE(world->sends(tcp(out, syn), out, Reason::flow_new));
  REQUIRE(world->sends(tcp(in, syn | ack), in, Reason::flow_established));
  std::this_thread::sleep_for(std::chrono::milliseconds(1100));
  CHECK(world->sends(tcp(out, ack), out, Reason::revoked));
  CHECK(world->sends(tcp(out, syn), out, Reason::expired));
}

TEST_CASE("another policy judges what the one before let in") {
  const auto world = world_of({});
  REQUIRE(world->sends(tcp(out, syn), out, Reason::flow_new));
  world->install({});
  CHECK(world->sends(tcp(in, syn | ack), in, Reason::flow_established));
  world->install({.allows = false});
  CHECK(world->sends(tcp(out, ack), out, Reason::revoked));
  CHECK(world->sends(tcp(out, syn), out, Reason::no_allow));
}

TEST_CASE("what leaves under a budget is paid from a lease of this installation, to the byte") {
  const auto world = world_of({.has_budget = true});
  const auto frame = packet(17, out, 0);
  const u64 bytes = FrameWriter::write(frame).size();
  CHECK(world->sends(frame, out, Reason::budget_closed));
  const u32 number = world->kernel.in_force() == 2 ? guard::guard_leases_max : 0;
  const auto lend = [&](u64 left, u64 until_ns) {
    guard::guard_lease lease{};
    lease.left = static_cast<__s64>(left);
    lease.until_ns = until_ns;
    lease.serial = world->kernel.head()->serial;
    REQUIRE(bpf_map_update_elem(world->kernel.map(guard::Map::leases), &number, &lease, BPF_ANY) == 0);
  };
  constexpr u64 second = 1'000'000'000;
  lend(2 * bytes + 1, guard::boot_ns() + 60 * second);
  CHECK(world->sends(frame, out, Reason::flow_new));
  CHECK(world->sends(packet(17, in, 0), in, Reason::flow_established));  // what comes in costs nothing
  CHECK(world->sends(frame, out, Reason::flow_established));
  CHECK(world->kernel.leased(guard::boot_ns()) == 1);
  CHECK(world->sends(frame, out, Reason::budget_spent));
  CHECK(world->kernel.leased(guard::boot_ns()) == 1);
  lend(10 * bytes, guard::boot_ns() - 1);
  CHECK(world->sends(frame, out, Reason::budget_closed));
  lend(10 * bytes, guard::boot_ns() + 60 * second);
  world->install({.has_budget = true});
  world->install({.has_budget = true});
  CHECK(world->sends(frame, out, Reason::budget_closed));
}
