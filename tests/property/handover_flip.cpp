// Two workers that hand packets to each other over rings while a third thread replaces the policy again and again, in
// two slots whose memory is written anew each time: every packet is judged by one whole policy, none is lost, and
// ThreadSanitizer (suite `threads`) sees no race. The threads are the standard library's; pipeline, slot and ring are
// the product's.
//
// WEIR_TEST_LONG=1 makes it ten times as many flips.
#include "dataplane/pipeline/burst.hpp"
#include "dataplane/policy/verify.hpp"
#include "dataplane/share/ring.hpp"
#include "tests/property/flip_policies.hpp"

#include <catch2/catch.hpp>

#include <cstdlib>
#include <memory>
#include <optional>
#include <thread>

namespace weir {
namespace {

constexpr u32 workers = 2;
constexpr u32 ports_per_conversation = 64;
constexpr u32 frames_count = conversations.size() * ports_per_conversation;
constexpr u32 frame_bytes = 60;

u16 header_checksum(const u8* header) {
  u32 sum = 0;
  for (u32 i = 0; i < 20; i += 2) sum += load_be16(header + i);
  while (sum >> 16) sum = (sum & 0xffff) + (sum >> 16);
  return static_cast<u16>(~sum);
}

void store_be16(u8* at, u32 value) {
  at[0] = static_cast<u8>(value >> 8);
  at[1] = static_cast<u8>(value);
}

// UDP from source port 2000 + n, without payload, as it stands on the wire.
std::vector<u8> frame_of(const Dialogue& conversation, u32 n) {
  std::vector<u8> frame(frame_bytes);
  const u8 ethernet[14] = {2, 0, 0, 0, 0, 2, 2, 0, 0, 0, 0, 1, 8, 0};
  const u8 ip[20] = {
      0x45, 0, 0, 28, 0, 0, 0, 0, 64, 17, 0, 0, 10, 0, conversation.client, 5, 10, 1, conversation.server, 5};
  std::copy(std::begin(ethernet), std::end(ethernet), frame.begin());
  std::copy(std::begin(ip), std::end(ip), frame.begin() + 14);
  store_be16(&frame[24], header_checksum(&frame[14]));
  store_be16(&frame[34], 2000 + n);
  store_be16(&frame[36], conversation.port);
  store_be16(&frame[38], 8);
  return frame;
}

// What the workers share besides the policy slot.
struct Shared {
  std::vector<std::vector<u8>> frames;
  PolicySlot slot;
  HashKey secret{{0x9e3779b97f4a7c15, 0xc2b2ae3d27d4eb4f, 0x165667b19e3779f9, 0x27d4eb2f165667c5}};
  std::array<u32, 1024> slots[workers];
  std::optional<Ring<u32>> to[workers];  // by receiver: with two workers each has one sender
  std::atomic<bool> stop{false};
  std::atomic<u32> quiet{0};

  Shared() {
    for (u32 i = 0; i < frames_count; ++i)
      frames.push_back(frame_of(conversations[i / ports_per_conversation], i % ports_per_conversation));
    for (u32 worker = 0; worker < workers; ++worker) to[worker].emplace(slots[worker]);
  }
};

// One worker: sends itself frames at random, as a port would that knows nothing of flows.
class FlipWorker {
 public:
  FlipWorker(Shared& shared, u32 self)
      : shared_(shared),
        self_(self),
        memory_(FlowTable::bytes_needed(4096) / sizeof(FlowRecord) + 1),
        table_(std::as_writable_bytes(std::span(memory_)), 4096),
        pipeline_({.secret = shared.secret, .workers = workers, .self = self}, table_, counters_),
        random_(self + 1) {}

  void run() {
    while (!shared_.stop.load(std::memory_order_relaxed)) round(true);
    shared_.quiet.fetch_add(1);
    while (shared_.quiet.load() < workers) round(false);
    while (round(false) != 0 || !pipeline_.idle()) {
    }
  }

  u64 received = 0, handed = 0, refused = 0, judged = 0, wrong = 0, mixed = 0, policies_seen = 0;

 private:
  u32 round(bool receiving) {
    const InstalledPolicy* policy = shared_.slot.current();
    shared_.slot.announce(self_, policy);
    if (policy != last_) ++policies_seen;
    last_ = policy;
    std::array<u32, burst_packets_max> indices;
    std::size_t count = shared_.to[self_]->take(indices);
    if (count != 0) judge({indices.data(), count}, policy);
    if (!receiving) {
      if (count == 0) judge({}, policy);
      return static_cast<u32>(count);
    }
    for (u32& index : indices) {
      random_ = random_ * 6364136223846793005u + 1442695040888963407u;
      index = static_cast<u32>(random_ >> 33) % frames_count;
    }
    received += indices.size();
    judge(indices, policy);
    return burst_packets_max;
  }

  void judge(std::span<const u32> indices, const InstalledPolicy* policy) {
    std::array<Packet, burst_packets_max> packets;
    std::array<Outcome, outcomes_max> outcomes;
    std::array<Misdirected, burst_packets_max> misdirected;
    for (std::size_t i = 0; i < indices.size(); ++i)
      packets[i] = {std::as_writable_bytes(std::span(shared_.frames[indices[i]])).data(),
                    frame_bytes,
                    0,
                    ++time_,
                    indices[i],
                    {}};
    const BurstResult result = pipeline_.process({packets.data(), indices.size()}, policy, outcomes, misdirected);
    for (u32 i = 0; i < result.misdirected; ++i) {
      if (shared_.to[misdirected[i].owner]->put(static_cast<u32>(misdirected[i].token))) ++handed;
      else ++refused;
    }
    for (u32 i = 0; i < result.outcomes; ++i) check(outcomes[i], *policy);
  }

  void check(const Outcome& outcome, const InstalledPolicy& installed) {
    const Dialogue& conversation = conversations[outcome.token / ports_per_conversation];
    ++judged;
    if (outcome.generation != installed.policy.generation()) ++mixed;
    const bool is_forwarded = outcome.reason == Reason::flow_new || outcome.reason == Reason::flow_established;
    const bool is_right = conversation.is_allowed()
                              ? is_forwarded && installed.policy.rule(outcome.rule).name == conversation.rule
                              : outcome.reason == Reason::no_allow;
    if (!is_right) ++wrong;
  }

  Shared& shared_;
  const u32 self_;
  std::vector<FlowRecord> memory_;
  FlowTable table_;
  WorkerCounters counters_;
  Pipeline pipeline_;
  const InstalledPolicy* last_ = nullptr;
  u64 random_;
  Tick time_ = 1'700'000'000 * tick_second;
};

// One of two places for a policy, written again for every second flip.
struct PolicyPlace {
  std::vector<FlowRecord> memory;  // for its alignment
  std::optional<InstalledPolicy> installed;

  const InstalledPolicy* fill(FlipSide side, u64 generation) {
    static const std::array<std::string_view, 2> names{"inside", "outside"};
    const auto image = flip_image(side, generation);
    memory.resize(image.size() / sizeof(FlowRecord));
    const auto bytes = std::as_writable_bytes(std::span(memory));
    std::copy(image.begin(), image.end(), bytes.begin());
    const auto policy = verify(bytes);
    REQUIRE(policy);
    return &installed.emplace(bind_ports(*policy, names));
  }
};

TEST_CASE("flips under traffic: no packet is judged by a mixture, none is lost") {
  const u32 flips = std::getenv("WEIR_TEST_LONG") != nullptr ? 2000 : 200;
  Shared shared;
  PolicyPlace places[2];
  shared.slot.flip(places[0].fill(FlipSide::a, 1));
  std::array<std::unique_ptr<FlipWorker>, workers> all;
  std::vector<std::thread> threads;
  for (u32 self = 0; self < workers; ++self) all[self] = std::make_unique<FlipWorker>(shared, self);
  for (auto& worker : all) threads.emplace_back([&worker] { worker->run(); });
  for (u32 flip = 1; flip <= flips; ++flip) {
    const InstalledPolicy* next = places[flip % 2].fill(flip % 2 == 0 ? FlipSide::a : FlipSide::b, flip + 1);
    shared.slot.flip(next);
    while (!shared.slot.all_announced(workers, next)) std::this_thread::yield();
  }
  shared.stop = true;
  for (std::thread& thread : threads) thread.join();

  u64 received = 0, judged = 0, refused = 0;
  for (auto& worker : all) {
    CHECK(worker->wrong == 0);
    CHECK(worker->mixed == 0);
    CHECK(worker->handed > 0);
    CHECK(worker->policies_seen >= flips);
    received += worker->received;
    judged += worker->judged;
    refused += worker->refused;
  }
  CHECK(judged + refused == received);
  CHECK(judged > 0);
}

}  // namespace
}  // namespace weir
