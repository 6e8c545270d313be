// Mangled frames under a policy that allows everything: what the guard passes, the engine's parser takes as well, but
// for what the guard leaves to the kernel (checksums, TCP options).
// WEIR_GUARD_FRAMES sets the number of frames (200,000). Needs root.
#include "control/compile/compile.hpp"
#include "dataplane/packet/parse.hpp"
#include "dataplane/policy/verify.hpp"
#include "tests/guard/test_run.hpp"
#include "tests/property/frame_writer.hpp"
#include "tests/property/image_memory.hpp"

#include <unistd.h>
#include <cstdio>
#include <cstdlib>
#include <map>
#include <random>

using namespace weir;

namespace {

control::Model open_model() {
  control::Model model;
  model.name = "open";
  model.files = {"open.toml"};
  model.line_starts = {{0}};
  control::Segment all;
  all.name = "all";
  all.has_addresses = true;
  all.addresses.ipv4 = {{0, ~u32{0}}};
  all.addresses.ipv6 = {{0, ~u128{0}}};
  model.segments = {all};
  control::Statement allow;
  allow.name = "everything";
  allow.from = allow.to = {0};
  const std::vector<control::PortRange> every{{0, 65535}};
  allow.services = {every, every, every, every, every, {}, {}};
  for (u32 protocol = 0; protocol < 256; ++protocol)
    if (protocol != 1 && protocol != 6 && protocol != 17 && protocol != 58 && protocol != 132)
      allow.services.protocols.push_back(static_cast<u8>(protocol));
  model.statements = {allow};
  model.link = {true, true, true, true};
  model.link.bytes_a_day = u64{1} << 40;
  return model;
}

using Random = std::mt19937_64;

std::vector<std::byte> sound(Random& random) {
  constexpr u8 protocols[] = {6, 6, 17, 17, 1, 58, 132, 50, 47};
  naive::MeantPacket packet;
  packet.ipv6 = random() % 2;
  packet.source = packet.ipv6 ? u128{0xfd99} << 112 | (random() % 9 + 1) : 0x0a630001u + random() % 9;
  packet.target = packet.ipv6 ? u128{0xfd99} << 112 | (random() % 9 + 11) : 0x0a630011u + random() % 9;
  packet.protocol = protocols[random() % std::size(protocols)];
  packet.source_port = static_cast<u16>(random());
  packet.target_port = static_cast<u16>(random());
  packet.tcp_flags = random() % 2 ? 2 : static_cast<u8>(random());
  packet.icmp_type = packet.ipv6 ? 128 : 8;
  packet.payload = static_cast<u32>(random() % 40);
  return FrameWriter::write(packet);
}

void mangle(Random& random, std::vector<std::byte>& frame) {
  for (u64 changes = 1 + random() % 3; changes > 0; --changes) {
    const u64 what = random() % 8;
    if (what == 0) frame.resize(14 + random() % (frame.size() - 13));
    else if (what == 1) frame.resize(frame.size() + random() % 20);
    else if (what == 2) {
      constexpr u8 tag[] = {0x81, 0x00, 0x00, 0x07};
      const auto raw = std::as_bytes(std::span(tag));
      frame.insert(frame.begin() + 12, raw.begin(), raw.end());
    } else frame[12 + random() % std::min<u64>(frame.size() - 12, 60)] = static_cast<std::byte>(random());
    if (frame.size() < 16) frame.resize(16);
  }
}

// What the guard does not look at and the kernel behind it does.
bool is_left(Reason reason) { return reason == Reason::ipv4_checksum_bad || reason == Reason::tcp_header_bad; }

}  // namespace

int main() {
  if (geteuid() != 0) return std::puts("skipped: only root may load programs into the kernel"), 77;
  auto kernel = guard::Kernel::load({.policy_bytes = 1u << 20, .flows = 1u << 20});
  const auto compiled = control::compile(open_model(), 1, control::DecisionForm::matrix);
  if (!kernel || !compiled) return std::puts("nothing to begin with"), 1;
  const ImageMemory memory(compiled->image);
  const auto policy = verify(memory.bytes());
  const std::vector<guard::Interface> interfaces{{"lo", {}, 0}};
  const auto tables = guard::tables_of(*policy, interfaces, guard::clock_us());
  if (!tables || !kernel->install(*tables) || !kernel->set_interface(guard::loopback, guard::guard_interface{}))
    return std::puts("nothing to begin with"), 1;
  const char* text = std::getenv("WEIR_GUARD_FRAMES");
  const u64 frames = text == nullptr ? 200'000 : std::strtoull(text, nullptr, 10);
  Random random(7);
  const HashKey secret{};
  u64 passed = 0, changed_and_passed = 0;
  std::map<Reason, u64> left;
  for (u64 i = 0; i < frames; ++i) {
    std::vector<std::byte> frame = sound(random);
    const bool changed = random() % 16 != 0;
    if (changed) mangle(random, frame);
    const auto program = static_cast<guard::Program>(random() % guard::programs_count);
    if (!guard::test_run(*kernel, program, frame).passes) continue;
    ++passed;
    changed_and_passed += changed;
    const Headers headers = parse(frame, {secret, 0});
    if (headers.well_formed()) continue;
    ++left[headers.drop];
    if (is_left(headers.drop)) continue;
    std::printf("frame %lu passes, and the engine drops it: %s\n", i, row(headers.drop).name.data());
    for (const std::byte byte : frame) std::printf("%02x", static_cast<unsigned>(byte));
    return std::puts(""), 1;
  }
  for (const auto& [reason, count] : left) std::printf("left to the kernel: %s %lu\n", row(reason).name.data(), count);
  std::printf("%lu frames, %lu passed, %lu of them mangled\n", frames, passed, changed_and_passed);
  return changed_and_passed > frames / 100 && passed < frames ? 0 : 1;
}
