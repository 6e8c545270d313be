// Several workers that know nothing of each other's tables: fragments come in by any of them in any order, gather, and
// end at the owner of their flow. Every one ends once, those of a datagram together and in order, and counters tell.
#include "tests/property/frame_writer.hpp"
#include "tests/property/sequence_policies.hpp"

#include "dataplane/pipeline/burst.hpp"

#include <catch2/catch.hpp>

#include <deque>
#include <map>
#include <random>

using namespace weir;

namespace {

constexpr HashKey secret{{0x9e37, 0x79b9'7f4a'7c15'f39c, 3, 0xbf58'476d'1ce4'e5b9}};
constexpr u32 pieces_count = 3, piece_bytes = 256;
constexpr Tick start = 1'700'000'000 * tick_second;

struct Piece3 {
  std::vector<std::byte> frame;
  u32 datagram;
};

// UDP to port 53 from a port of its own, in three pieces.
std::vector<Piece3> datagram_of(u32 number) {
  naive::MeantPacket meant;
  meant.protocol = 17;
  meant.source = 0x0a000001 + number % 2, meant.target = 0x0a010001;
  meant.source_port = static_cast<u16>(2000 + number), meant.target_port = 53;
  meant.payload = pieces_count * piece_bytes - 8;
  const auto whole = FrameWriter::write(meant);
  std::vector<Piece3> pieces;
  for (u32 piece = 0; piece < pieces_count; ++piece) {
    std::vector<std::byte> frame(whole.begin(), whole.begin() + 34);
    const auto put16 = [&](std::size_t at, u32 value) {
      frame[at] = static_cast<std::byte>(value >> 8), frame[at + 1] = static_cast<std::byte>(value);
    };
    put16(16, 20 + piece_bytes), put16(18, number), put16(24, 0);
    put16(20, piece * piece_bytes / 8 | (piece + 1 < pieces_count ? 0x2000u : 0u));
    u32 sum = 0;
    for (std::size_t at = 14; at < 34; at += 2) sum += load_be16(&frame[at]);
    sum = (sum & 0xffff) + (sum >> 16);
    put16(24, ~(sum + (sum >> 16)) & 0xffff);
    const auto from = whole.begin() + 34 + piece * piece_bytes;
    frame.insert(frame.end(), from, from + piece_bytes);
    pieces.push_back({frame, number});
  }
  return pieces;
}

struct OneWorker {
  OneWorker(u32 workers, u32 self, Floods& floods)
      : memory(FlowTable::bytes_needed(4096) / sizeof(FlowRecord) + 1),
        table(std::as_writable_bytes(std::span(memory)), 4096),
        pipeline({.secret = secret, .workers = workers, .self = self, .floods = &floods,
                  .fragments = fragments.get()}, table, counters) {}
  std::vector<FlowRecord> memory;
  FlowTable table;
  std::unique_ptr<Reassembly> fragments = std::make_unique<Reassembly>(secret);
  WorkerCounters counters;
  Pipeline pipeline;
  std::deque<Packet> queue;
};

struct Run {
  explicit Run(u32 workers) {
    for (u32 self = 0; self < workers; ++self) {
      flood_memory.emplace_back(Floods::bytes_needed / 64 + 1);
      floods.push_back(std::make_unique<Floods>(std::as_writable_bytes(std::span(flood_memory.back())), secret));
      all.push_back(std::make_unique<OneWorker>(workers, self, *floods.back()));
    }
  }
  // One call of a worker's pipeline.
  void turn(OneWorker& worker, const InstalledPolicy& policy) {
    std::vector<Packet> burst;
    for (; !worker.queue.empty() && burst.size() < burst_packets_max; worker.queue.pop_front())
      burst.push_back(worker.queue.front());
    const BurstResult result = worker.pipeline.process(burst, &policy, outcomes, misdirected);
    for (u32 i = 0; i < result.outcomes; ++i)
      if (outcomes[i].verdict != Verdict::hold) ended.push_back({outcomes[i].token, outcomes[i].reason});
    for (u32 i = 0; i < result.misdirected; ++i) {
      Packet packet = packets[misdirected[i].token];
      packet.is_gathered = misdirected[i].is_gathered;
      gathered += packet.is_gathered;
      all[misdirected[i].owner]->queue.push_back(packet);
    }
  }
  bool is_busy() const {
    return std::ranges::any_of(all, [](auto& one) { return !one->queue.empty() || !one->pipeline.idle(); });
  }

  struct alignas(64) Line {
    std::byte bytes[64];
  };
  std::vector<std::vector<Line>> flood_memory;
  std::vector<std::unique_ptr<Floods>> floods;
  std::vector<std::unique_ptr<OneWorker>> all;
  std::vector<Packet> packets;  // by token
  std::vector<std::pair<u64, Reason>> ended;
  std::vector<Outcome> outcomes = std::vector<Outcome>(outcomes_max);
  std::vector<Misdirected> misdirected = std::vector<Misdirected>(misdirected_max);
  u64 gathered = 0;
};

}  // namespace

TEST_CASE("whole datagrams end at the owner of their flow, together, whoever received the pieces") {
  const Policies policies;
  const InstalledPolicy& policy = *policies[2].installed;  // no ceiling on UDP to one port
  for (const u32 workers : {1u, 2u, 4u, 16u}) {
    INFO(workers << " workers");
    std::mt19937 random(workers);
    Run run(workers);
    std::vector<Piece3> pieces;
    for (u32 number = 0; number < 500; ++number)
      for (Piece3& piece : datagram_of(number)) pieces.push_back(std::move(piece));
    // Pieces of four datagrams mix.
    for (std::size_t i = 0; i < pieces.size(); i += 12)
      std::shuffle(pieces.begin() + static_cast<long>(i), pieces.begin() + static_cast<long>(i + 12), random);
    for (std::size_t i = 0; i < pieces.size(); ++i) {
      auto& frame = pieces[i].frame;
      run.packets.push_back({frame.data(), static_cast<u32>(frame.size()), 0, start + i * 1000, i, {}});
      run.all[random() % workers]->queue.push_back(run.packets.back());
      for (u32 turn = 0; run.is_busy(); ++turn) run.turn(*run.all[turn % workers], policy);
    }
    REQUIRE(run.ended.size() == pieces.size());
    u32 whole = 0;
    for (std::size_t i = 0; i < run.ended.size(); ++whole) {
      const u32 datagram = pieces[run.ended[i].first].datagram;
      for (u32 piece = 0; piece < pieces_count; ++piece, ++i) {
        CHECK(run.ended[i].second == Reason::flow_new);
        CHECK(pieces[run.ended[i].first].datagram == datagram);
        if (piece != 0) CHECK(run.ended[i].first > run.ended[i - 1].first);
      }
    }
    CHECK(whole == 500);
    CHECK((run.gathered > 0) == (workers > 1));
    u64 received = 0, handed_over = 0, counted = 0;
    for (auto& worker : run.all) {
      received += worker->counters.received.read();
      handed_over += worker->counters.handed_over.read();
      for (const auto& reason : worker->counters.reasons) counted += reason.packets.read();
      CHECK(worker->pipeline.held() == 0);
    }
    CHECK(received == counted + handed_over);
    CHECK(counted == pieces.size());
  }
}
