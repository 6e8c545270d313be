// A change of the guard's policy is one flip: while two policies that say the same and number everything differently
// take turns, every frame is judged as both judge it. WEIR_GUARD_FLIPS sets the number of installs (200). Needs root.
#include "dataplane/policy/verify.hpp"
#include "tests/guard/test_run.hpp"
#include "tests/property/flip_policies.hpp"
#include "tests/property/frame_writer.hpp"
#include "tests/property/image_memory.hpp"

#include <unistd.h>
#include <atomic>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <thread>

using namespace weir;

namespace {

std::expected<guard::Tables, guard::Error> tables_of(FlipSide side, u64 generation) {
  const ImageMemory memory(flip_image(side, generation));
  const auto policy = verify(memory.bytes());
  if (!policy) return std::unexpected(guard::Error{"an image that does not hold"});
  return guard::tables_of(*policy, std::vector<guard::Interface>{{"lo", {}, 0}}, guard::clock_us());
}

std::vector<std::byte> frame_of(const Dialogue& one, u16 source_port) {
  naive::MeantPacket packet;
  packet.source = 0x0a000005u | u32{one.client} << 8;
  packet.target = 0x0a010005u | u32{one.server} << 8;
  packet.protocol = 17;
  packet.source_port = source_port;
  packet.target_port = one.port;
  packet.payload = 10;
  return FrameWriter::write(packet);
}

// Frames until the flips are over; how many were judged, and what was wrong with one. Ports of their own: a flow has a
// side from which it was opened.
struct Judged {
  u64 frames = 0, allowed = 0;
  std::string wrong;
};

Judged judge(const guard::Kernel& kernel, const std::atomic<bool>& over, guard::Program program, u32 first) {
  Judged made;
  for (u64 i = 0; !over.load() && made.wrong.empty(); ++i) {
    const Dialogue& one = conversations[i % conversations.size()];
    const bool passes = guard::test_run(kernel, program, frame_of(one, static_cast<u16>(first + i % 30'000))).passes;
    ++made.frames;
    made.allowed += passes;
    if (passes != one.is_allowed())
      made.wrong = std::to_string(one.client) + " > " + std::to_string(one.server) + " port " +
                   std::to_string(one.port) + (passes ? " passes" : " is dropped");
  }
  return made;
}

}  // namespace

int main() {
  if (geteuid() != 0) return std::puts("skipped: only root may load programs into the kernel"), 77;
  auto kernel = guard::Kernel::load({.policy_bytes = 1u << 20, .flows = 1u << 20});
  const auto a = tables_of(FlipSide::a, 1), b = tables_of(FlipSide::b, 2);
  if (!kernel || !a || !b || !kernel->install(*b)) return std::puts("nothing to begin with"), 1;
  if (!kernel->set_interface(guard::loopback, guard::guard_interface{})) return 1;
  const char* text = std::getenv("WEIR_GUARD_FLIPS");
  const int flips = text == nullptr ? 200 : std::atoi(text);
  std::atomic<bool> over{false};
  Judged out, in;
  std::thread outward([&] { out = judge(*kernel, over, guard::Program::guard_out_tc, 1); });
  std::thread inward([&] { in = judge(*kernel, over, guard::Program::guard_in_xdp, 30'001); });
  bool installed = true;
  for (int i = 0; i < flips && installed; ++i) installed = kernel->install(i % 2 == 0 ? *a : *b).has_value();
  over = true;
  outward.join();
  inward.join();
  for (const Judged* one : {&out, &in})
    if (!one->wrong.empty()) std::printf("judged by neither policy: %s\n", one->wrong.c_str());
  const bool tried = out.allowed > 100 && in.allowed > 100 && out.frames > out.allowed;
  std::printf("%d flips, %lu frames, %lu allowed\n", flips, out.frames + in.frames, out.allowed + in.allowed);
  return installed && tried && out.wrong.empty() && in.wrong.empty() ? 0 : 1;
}
