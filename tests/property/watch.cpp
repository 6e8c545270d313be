// What is looked for in a flow is found whatever its sender does with the segments; what cannot be read yet does not
// pass; and inspection never does more than its share.
#include "dataplane/inspect/quarantine.hpp"
#include "dataplane/inspect/watch.hpp"
#include "control/inspect/compile_patterns.hpp"
#include "dataplane/scan/scan.hpp"

#include <catch2/catch.hpp>

#include <cmath>
#include <memory>
#include <random>

using namespace weir;

namespace {

constexpr u32 segment_bytes = 1400;
const std::string mark = "the words that may not leave";

std::span<const u8> bytes_of(const std::string& text) {
  return {reinterpret_cast<const u8*>(text.data()), text.size()};
}

std::string noise(std::mt19937_64& random, std::size_t bytes) {
  std::string text;
  for (std::size_t i = 0; i < bytes; ++i) text += static_cast<char>(random());
  return text;
}

// Normal weights of the usual size, cut to bf16.
std::string bf16_weights(std::mt19937_64& random, std::size_t count) {
  std::normal_distribution<float> weight(0, 0.02f);
  std::string text;
  for (std::size_t i = 0; i < count; ++i) {
    const u32 bits = std::bit_cast<u32>(weight(random));
    text += static_cast<char>(bits >> 16), text += static_cast<char>(bits >> 24);
  }
  return text;
}

struct Room {
  std::vector<Watch> watches;
  std::vector<WatchHistory> histories;
  std::vector<u32> watch_links, history_links;
  ScanPatterns patterns;
  std::unique_ptr<Scan> scan;
  Watches all;

  explicit Room(const WatchShare& share = {100'000'000'000, 1'000'000'000}, u32 slots = 4, u32 first_slots = 4)
      : watches(slots),
        histories(first_slots),
        watch_links(slots),
        history_links(first_slots),
        patterns(compiled()),
        scan(*Scan::begin(patterns, 2 * first_slots)),
        all(Pool<Watch>(watches, watch_links), Pool<WatchHistory>(histories, history_links),
            HashKey{{1, 2, 3, 4}}, share, Lanes::plain) {
    all.use(scan->scanner());
  }

  static ScanPatterns compiled() {
    const control::PatternSet set{"test", {{"mark", mark, "", {}, false, false}}};
    return *ScanPatterns::load(*control::compile_patterns(std::span(&set, 1)));
  }
};

u16 bit_of(Opening opening) { return static_cast<u16>(1u << (static_cast<u32>(opening) - 1)); }

WatchWish scanning(u32 first_bytes) {
  WatchWish wish;
  wish.sets[0] = wish.sets[1] = 1;
  wish.first_bytes = first_bytes;
  return wish;
}

// A flow whose opener's data begins at 1000, and whose replier's at 5000.
struct Flow {
  Room& room;
  WatchWish wish;
  u32 slot;
  Tick now = 1'000'000;

  Flow(Room& in, const WatchWish& wished) : room(in), wish(wished), slot(room.all.begin_stream(wished)) {
    if (slot == Watches::none) return;
    room.all.restart(slot, wish, 0, 1000);
    room.all.restart(slot, wish, 1, 5000);
  }
  ~Flow() {
    if (slot != Watches::none) room.all.end(slot);
  }
  WatchStep send(u32 from, u32 at, std::span<const u8> bytes, u32 acknowledged = 0) {
    return room.all.segment(slot, wish, 7, from, (from == 0 ? 1000 : 5000) + at,
                            (from == 0 ? 5000 : 1000) + acknowledged, bytes, now);
  }
};

}  // namespace

TEST_CASE("what is looked for is found once, whatever becomes of the segments") {
  std::mt19937_64 random(30);
  Room room;
  for (u32 run = 0; run < 300; ++run) {
    const u32 before = static_cast<u32>(random() % 6000);
    const std::string text = noise(random, before) + mark + noise(random, random() % 2000);
    const auto stream = bytes_of(text);
    Flow flow(room, scanning(8192));
    REQUIRE(flow.slot != Watches::none);
    u32 received = 0, found = 0, passed_mark = 0;
    std::vector<bool> has(stream.size());
    for (u32 step = 0; received < stream.size() && step < 4000; ++step) {
      const u32 at = static_cast<u32>(random() % 3 ? received : random() % stream.size());
      const auto part = stream.subspan(at, std::min<std::size_t>(1 + random() % 900, stream.size() - at));
      const WatchStep seen = flow.send(0, at, part);
      found += seen.found == found_signature;
      REQUIRE((seen.answer == WatchAnswer::passes || seen.answer == WatchAnswer::ahead));
      if (seen.answer == WatchAnswer::passes && random() % 4) std::fill_n(has.begin() + at, part.size(), true);
      while (received < stream.size() && has[received]) ++received;
      passed_mark += received >= before + mark.size() && found == 0;
      if (random() % 2) flow.send(1, 0, {}, received);
    }
    REQUIRE(received == stream.size());
    CHECK(found == 1);
    CHECK(passed_mark == 0);
  }
  CHECK(room.scan->open_streams() == 0);
}

TEST_CASE("what is sent again otherwise is refused") {
  Room room;
  Flow flow(room, scanning(8192));
  CHECK(flow.send(0, 0, bytes_of("harmless words, of all things.")).answer == WatchAnswer::passes);
  CHECK(flow.send(0, 0, bytes_of(mark)).answer == WatchAnswer::differs);
}

TEST_CASE("after the first bytes one packet of each MiB is looked at") {
  std::mt19937_64 random(31);
  Room room;
  Flow flow(room, scanning(2048));
  const std::string plain = noise(random, segment_bytes), marked = mark + noise(random, segment_bytes - mark.size());
  u32 found = 0, at = 0;
  while (at < 8u << 20) {
    found += flow.send(0, at, bytes_of(at < 2048 + segment_bytes ? plain : marked)).found == found_signature;
    at += segment_bytes;
  }
  CHECK((found >= 7 && found <= 9));
}

TEST_CASE("a flow opens with its protocol, or that is found") {
  const std::string nvme("\0\0\x80\0\x80\0\0\0\0\0\0\0", 12), other = "SSH-2.0-x\r\n";
  WatchWish wish;
  wish.protocols = bit_of(Opening::nvme_tcp);
  Room room;
  const auto found_in = [&](const std::string& text, u32 cut) {
    Flow flow(room, wish);
    const auto bytes = bytes_of(text);
    const u8 first = flow.send(0, 0, bytes.first(cut)).found;
    return static_cast<u8>(first | flow.send(0, cut, bytes.subspan(cut)).found);
  };
  for (u32 cut = 0; cut <= 12; ++cut) CHECK(found_in(nvme, cut) == 0);
  for (u32 cut = 0; cut <= 11; ++cut) CHECK(found_in(other, cut) == found_protocol);
  // One byte, and then much the other way.
  Flow flow(room, wish);
  CHECK(flow.send(0, 0, bytes_of(nvme).first(1)).found == 0);
  const std::string page(1024, 'x');
  for (u32 at = 0; at < 3 * 1024; at += 1024)
    CHECK(flow.send(1, at, bytes_of(page), 1).found == 0);
  CHECK(flow.send(1, 3 * 1024, bytes_of(page), 1).found == found_protocol);
}

TEST_CASE("tensors and opaque bytes are told once, text never") {
  std::mt19937_64 random(32);
  Room room;
  const auto findings_of = [&](const std::string& text) {
    WatchWish wish;
    wish.tensors[0] = wish.opaque[0] = true;
    Flow flow(room, wish);
    std::vector<u8> findings;
    for (u32 at = 0; at + segment_bytes <= text.size(); at += segment_bytes)
      if (const WatchStep step = flow.send(0, at, bytes_of(text).subspan(at, segment_bytes));
          step.found != 0)
        findings.push_back(step.found);
    return findings;
  };
  CHECK(findings_of(bf16_weights(random, 32768)) == std::vector<u8>{found_tensor});
  CHECK(findings_of(noise(random, 3 << 20)) == std::vector<u8>{found_opaque});
  std::string text;
  while (text.size() < 1 << 20) text += "line " + std::to_string(random() % 100000) + " of a log, all is well\n";
  CHECK(findings_of(text).empty());
}

TEST_CASE("of a flow without an order the first bytes are looked at packet by packet") {
  Room room;
  const WatchWish wish = scanning(4096);
  const u32 slot = room.all.begin_packets();
  const std::string plain(1024, 'x'), marked = plain + mark;
  CHECK(room.all.packet(slot, wish, 7, 0, bytes_of(plain), true, 1).found == 0);
  const WatchStep step = room.all.packet(slot, wish, 7, 0, bytes_of(marked), true, 1);
  CHECK((step.found == found_signature && step.signatures.sets == 1 && step.signatures.pattern == 0));
  u32 found = 0;
  for (u32 i = 0; i < 100; ++i) found += room.all.packet(slot, wish, 7, 1, bytes_of(marked), true, 1).found != 0;
  CHECK((found >= 4 && found <= 5));  // 4096 bytes, and perhaps a probe of the first MiB
  room.all.end(slot);
}

TEST_CASE("what is found again by other patterns goes on, packet by packet") {
  Room room, other;
  Flow flow(room, scanning(8192));
  flow.send(0, 0, bytes_of("harmless"));
  room.all.use(other.scan->scanner());
  CHECK(flow.send(0, 8, bytes_of(mark)).found == found_signature);
  CHECK(other.scan->open_streams() == 0);
  const auto& begun = room.all;
  CHECK((begun.live() == 1 && begun.reading() == 1));
}

TEST_CASE("a connection that begins anew is read anew; the same SYN again changes nothing") {
  Room room;
  Flow flow(room, scanning(8192));
  flow.send(0, 0, bytes_of("harmless"));
  room.all.restart(flow.slot, flow.wish, 0, 1000);
  CHECK(flow.send(0, 0, bytes_of("different")).answer == WatchAnswer::differs);
  room.all.restart(flow.slot, flow.wish, 0, 2000);
  CHECK(flow.send(0, 1000, bytes_of("different")).answer == WatchAnswer::passes);
}

TEST_CASE("of several sets found at once, one that ends the flow is named") {
  const control::PatternSet sets[] = {{"told", {{"a", "first mark", "", {}, false, false}}},
                                      {"ends", {{"b", "second mark", "", {}, false, false}}}};
  const auto patterns = *ScanPatterns::load(*control::compile_patterns(sets));
  const auto scan = *Scan::begin(patterns, 1);
  const auto found = scan->scanner().look(bytes_of("first mark, second mark"), true, {3, 2});
  CHECK((found.sets == 3 && patterns.name(found.pattern) == "b"));
  CHECK(scan->scanner().look(bytes_of("first mark, second mark"), true, {1, 2}).sets == 1);
}

TEST_CASE("quantised tensors are found soon, also where much else went before them") {
  std::mt19937_64 random(34);
  std::normal_distribution<float> weight(0, 24);
  std::string int8;
  for (u32 i = 0; i < 1 << 20; ++i) int8 += static_cast<char>(std::lround(weight(random)));
  std::string text;
  while (text.size() < 1 << 20) text += "line " + std::to_string(random() % 100000) + " of a log, all is well\n";
  for (const u32 before_mib : {0u, 5u, 40u}) {
    Room room;
    WatchWish wish;
    wish.tensors[0] = true;
    const u32 slot = room.all.begin_packets();
    u8 found = 0;
    const auto send = [&](const std::string& mib) {
      for (u32 at = 0; at + segment_bytes <= mib.size(); at += segment_bytes)
        found |= room.all.packet(slot, wish, 9, 0, bytes_of(mib).subspan(at, segment_bytes), true, 1).found;
    };
    for (u32 mib = 0; mib < before_mib; ++mib) send(text);
    REQUIRE(found == 0);
    u32 mib = 0;
    while (found == 0 && mib < 100) send(int8), ++mib;
    CHECK((found == found_quantised && mib <= (before_mib == 0 ? 2u : 80u)));
  }
}

TEST_CASE("no more ports are cut off than may be, until one is let go") {
  Quarantine quarantine;
  CHECK((quarantine.cut_off(3, 2) && quarantine.cut_off(3, 1) && quarantine.cut_off(5, 2)));
  CHECK((!quarantine.cut_off(7, 2) && quarantine.ports() == (1u << 3 | 1u << 5)));
  CHECK((quarantine.release(3) && !quarantine.release(3) && quarantine.cut_off(7, 2)));
  CHECK(quarantine.ports() == (1u << 5 | 1u << 7));
}

TEST_CASE("inspection does no more than its share, and what waits passes later") {
  std::mt19937_64 random(33);
  const WatchShare share{1'000'000, 20'000};
  Room room(share);
  Flow flow(room, scanning(65536));
  const std::string text = noise(random, 65536);
  const Tick begin = flow.now;
  u32 at = 0, busy = 0;
  u64 looked = 0;
  while (at < text.size() && flow.now < begin + tick_second) {
    const auto part = bytes_of(text).subspan(at, std::min<std::size_t>(segment_bytes, text.size() - at));
    const WatchStep step = flow.send(0, at, part);
    if (step.answer == WatchAnswer::passes) {
      at += static_cast<u32>(part.size());
      looked += part.size() + Watches::packet_bytes;
      flow.send(1, 0, {}, at);
    } else {
      CHECK(step.answer == WatchAnswer::busy);
      ++busy;
    }
    REQUIRE(looked <= share.burst_bytes + (flow.now - begin) * share.bytes_per_s / tick_second);
    flow.now += random() % 300;
  }
  CHECK(at == text.size());
  CHECK(busy > 10);
}

TEST_CASE("a flow that finds no room is told so, and takes none") {
  Room room({1'000'000, 20'000}, 3, 1);
  const WatchWish wish = scanning(1024);
  {
    Flow one(room, wish), two(room, wish);
    CHECK((one.slot != Watches::none && two.slot == Watches::none));
    CHECK(room.scan->open_streams() == 2);
    // After the first bytes it leaves what only they needed.
    const std::string page(1024, 'x');
    one.send(0, 0, bytes_of(page)), one.send(1, 0, bytes_of(page), 1024), one.send(0, 1024, {}, 1024);
    CHECK(room.scan->open_streams() == 0);
    Flow three(room, wish);
    CHECK(three.slot != Watches::none);
  }
  CHECK(room.scan->open_streams() == 0);
  std::vector<u32> slots;
  WatchWish little;
  little.tensors[0] = true;
  while (slots.size() < 4) slots.push_back(room.all.begin_stream(little));
  CHECK((slots[2] != Watches::none && slots[3] == Watches::none));
}
