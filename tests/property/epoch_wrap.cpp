// Epochs are few and come round: a flow that slept through any number of policies is still judged by the one in force.
#include "tests/property/sequence.hpp"

#include <catch2/catch.hpp>

using namespace weir;

namespace {

// One pipeline, packets one by one.
class OneByOne {
 public:
  OneByOne() : table_(memory_, flows_max), pipeline_({.secret = {{1, 2, 3, 5}}}, table_, counters_) {}

  Reason judge(u16 source_port, u8 flags, const InstalledPolicy& policy) {
    naive::MeantPacket packet;
    packet.source = 0x0a000001, packet.target = 0x0a010001;
    packet.source_port = source_port, packet.target_port = 443;
    packet.tcp_flags = flags;
    auto frame = FrameWriter::write(packet);
    const Packet one{frame.data(), static_cast<u32>(frame.size()), 0, 1'700'000'000 * tick_second, 0, {}};
    Outcome outcomes[outcomes_max];
    u32 ended = pipeline_.process({&one, 1}, &policy, outcomes, {}).outcomes;
    while (ended == 0) ended = pipeline_.drain(&policy, outcomes);
    return outcomes[0].reason;
  }
  u64 judged_again() const { return counters_.flows_judged_again.read(); }

 private:
  static constexpr u32 flows_max = 512;
  struct alignas(64) Line {
    std::byte bytes[64];
  };
  std::vector<Line> lines_ = std::vector<Line>(FlowTable::bytes_needed(flows_max) / 64 + 1);
  std::span<std::byte> memory_ = std::as_writable_bytes(std::span(lines_));
  FlowTable table_;
  WorkerCounters counters_;
  Pipeline pipeline_;
};

constexpr u8 syn = 0x02;

}  // namespace

TEST_CASE("a flow that slept through any number of flips is judged by the policy in force") {
  const Policies policies;
  const InstalledPolicy &allows = *policies[0].installed, &allows_too = *policies[2].installed,
                        &forbids = *policies[1].installed;
  for (u32 flips = 0; flips < 200; ++flips) {
    INFO(flips);
    OneByOne firewall;
    for (u16 flow = 0; flow < 100; ++flow) REQUIRE(firewall.judge(1000 + flow, syn, allows) == Reason::flow_new);
    for (u32 flip = 0; flip < flips; ++flip)
      REQUIRE(firewall.judge(999, syn, flip % 2 == 0 ? allows_too : allows) ==
              (flip == 0 ? Reason::flow_new : Reason::flow_established));
    const u64 before = firewall.judged_again();
    for (u16 flow = 0; flow < 50; ++flow) REQUIRE(firewall.judge(1000 + flow, syn, forbids) == Reason::revoked);
    for (u16 flow = 50; flow < 100; ++flow)
      REQUIRE(firewall.judge(1000 + flow, syn, allows) == Reason::flow_established);
    REQUIRE(firewall.judged_again() >= before + 100);  // more where epochs came round meanwhile
  }
}
