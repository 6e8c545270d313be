// What a frame costs in the guard's programs: the kernel's own test run of each, repeated, in nanoseconds a frame.
// Rounds of all cases in turn; the median, the least and the most of them. Needs root.
// usage: bench_guard IMAGE (the policy of tests/guard/bench_policy.toml)
#include "dataplane/guard/image_file.hpp"
#include "tests/guard/test_run.hpp"
#include "tests/property/frame_writer.hpp"

#include <algorithm>
#include <cstdio>
#include <string>

using namespace weir;

namespace {

constexpr int repeats = 200'000, rounds = 15;
constexpr u32 machine = 0x0a630001, operators = 0x0a630002;
constexpr u128 machine6 = u128{0xfd99} << 112 | 1, operators6 = u128{0xfd99} << 112 | 2;

struct Case {
  const char* name;
  guard::Program program;
  std::vector<std::byte> opening, frame;  // the first puts a flow there
  bool passes;
  std::vector<u32> ns = {};
};

std::vector<std::byte> frame_of(bool ipv6, bool outward, u8 flags, u16 target_port) {
  naive::MeantPacket packet;
  packet.ipv6 = ipv6;
  const u128 own = ipv6 ? machine6 : machine, other = ipv6 ? operators6 : operators;
  packet.source = outward ? own : other;
  packet.target = outward ? other : own;
  packet.source_port = outward ? 40'000 : target_port;
  packet.target_port = outward ? target_port : 40'000;
  packet.tcp_flags = flags;
  packet.tcp.bytes = flags == 2 ? 0 : 1000;
  return FrameWriter::write(packet);
}

std::vector<Case> cases() {
  using guard::Program;
  constexpr u8 syn = 2, ack = 16;
  return {
      {"established, out (tc)", Program::guard_out_tc, frame_of(false, true, syn, 443), frame_of(false, true, ack, 443),
       true},
      {"established, in (XDP)", Program::guard_in_xdp, frame_of(false, true, syn, 443),
       frame_of(false, false, ack, 443), true},
      {"established, in (tc)", Program::guard_in_tc, frame_of(false, true, syn, 443), frame_of(false, false, ack, 443),
       true},
      {"denied first packet, out (tc)", Program::guard_out_tc, {}, frame_of(false, true, syn, 80), false},
      {"denied first packet, in (XDP)", Program::guard_in_xdp, {}, frame_of(false, false, syn, 80), false},
      {"established IPv6, out (tc)", Program::guard_out_tc, frame_of(true, true, syn, 443),
       frame_of(true, true, ack, 443), true},
      {"denied first packet, IPv6, out (tc)", Program::guard_out_tc, {}, frame_of(true, true, syn, 80), false},
  };
}

// The handshake, so that the flow is established.
void open_flow(const guard::Kernel& kernel, const Case& one) {
  guard::forget_flows(kernel);
  if (one.opening.empty()) return;
  const bool ipv6 = one.opening[12] == std::byte{0x86};
  guard::test_run(kernel, guard::Program::guard_out_tc, one.opening);
  guard::test_run(kernel, guard::Program::guard_in_tc, frame_of(ipv6, false, 18, 443));
}

}  // namespace

int main(int count, char** arguments) {
  if (count != 2) return std::puts("usage: bench_guard IMAGE"), 2;
  const auto image = guard::ImageFile::read(arguments[1]);
  if (!image) return std::puts(image.error().sentence.c_str()), 1;
  const auto tables =
      guard::tables_of(image->policy(), std::vector<guard::Interface>{{"lo", {"", "oob"}, 0}}, guard::clock_us());
  if (!tables) return std::puts(tables.error().sentence.c_str()), 1;
  auto kernel = guard::Kernel::load(guard::room_for(*tables, 65536));
  if (!kernel) return std::puts(kernel.error().sentence.c_str()), 77;
  guard::guard_interface interface{};
  if (!kernel->install(*tables) || !kernel->set_interface(guard::loopback, interface)) return 1;
  std::vector<Case> all = cases();
  for (int round = 0; round < rounds; ++round)
    for (Case& one : all) {
      open_flow(*kernel, one);
      const guard::TestRun ran = guard::test_run(*kernel, one.program, one.frame, repeats);
      if (ran.passes != one.passes) return std::printf("%s: not as expected\n", one.name), 1;
      one.ns.push_back(ran.nanoseconds);
    }
  std::printf("%d rounds of %d frames each; nanoseconds a frame: median (least to most)\n", rounds, repeats);
  for (Case& one : all) {
    std::sort(one.ns.begin(), one.ns.end());
    std::printf("%-38s %4u (%u to %u)\n", one.name, one.ns[rounds / 2], one.ns.front(), one.ns.back());
  }
}
