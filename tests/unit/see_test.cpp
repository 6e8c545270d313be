// What is seen of a dataplane from outside: the stats segment and what is refused as one, event rings under who looks
// on, names by generation, and the community ID against the vectors of its specification.
#include "control/see/community_id.hpp"
#include "control/see/counts.hpp"
#include "control/see/names.hpp"
#include "tests/unit/stats_file.hpp"

#include <catch2/catch.hpp>
#include <memory>

using namespace weir;

TEST_CASE("a stats file is read as it was written") {
  const Written written;
  const auto stats = see::StatsFile::open(written.path);
  REQUIRE(stats);
  CHECK(stats->workers() == 2);
  CHECK(stats->port_name(0) == "pf0hpf");
  CHECK(stats->port_name(1) == "p0");
  CHECK(stats->port_name(2).empty());
  const see::Counts counts = see::read_counts(*stats);
  CHECK(counts.sum().of(see::Row::received) == 201);
  CHECK(counts.workers[1].of(see::Row::handed_over) == 7);
  CHECK_FALSE(stats->is_replaced());
}

TEST_CASE("what is no stats file, or one of another dataplane, is refused with a sentence") {
  Written written;
  CHECK(written.refused().empty());
  const auto whole = written.bytes;
  const auto says = [&](const char* what, const auto& spoil) {
    written.bytes = whole;
    spoil();
    INFO(what);
    CHECK(written.refused().find(what) != std::string::npos);
  };
  says("too short", [&] { written.bytes.resize(20); });
  says("no stats file", [&] { written.header().magic ^= 1; });
  says("table of reasons", [&] { written.header().reasons += 1; });
  says("table of reasons", [&] { written.header().reasons_table ^= 1; });
  says("another shape", [&] { written.header().slab_bytes += 8; });
  says("another shape", [&] { written.header().ring_bytes -= 64; });
  says("torn", [&] { written.header().workers = 0; });
  says("torn", [&] { written.header().workers = 3; });
  says("torn", [&] { written.header().workers = ~0u; });
  says("torn", [&] { written.header().ports = 17; });
  says("torn", [&] { written.header().ports_offset = ~0u; });
  says("torn", [&] { written.header().slabs_offset = ~63u; });
  says("torn", [&] { written.header().banks_offset = 64, written.header().bank_bytes = ~u64{63}; });
  says("torn", [&] { written.header().banks_offset = ~u64{63}, written.header().bank_bytes = 64; });
  says("torn", [&] { written.header().slabs_offset += 8; });
  says("torn", [&] { written.header().rings_offset += 64; });
  says("torn", [&] { written.bytes.resize(written.bytes.size() - 1); });
  CHECK(see::StatsFile::open(written.folder / "none").error().kind == see::Failure::Kind::absent);
}

TEST_CASE("one process takes events, any looks on") {
  const Written written;
  auto taker = see::StatsFile::open(written.path, see::StatsFile::Access::take);
  REQUIRE(taker);
  const auto second = see::StatsFile::open(written.path, see::StatsFile::Access::take);
  REQUIRE_FALSE(second);
  CHECK(second.error().kind == see::Failure::Kind::taken);
  REQUIRE(see::StatsFile::open(written.path));
  Event taken;
  CHECK_FALSE(taker->take(0, taken));
}

TEST_CASE("who looks on sees each event once, or counts it as missed") {
  auto ring = std::make_unique<EventRing>();
  u64 cursor = 0, missed = 0, seen = 0, last = 0;
  Event shown;
  const auto look = [&] {
    while (ring->look(cursor, shown, missed)) {
      CHECK(shown.time == last + 1 + (missed - (last - seen)));
      last = shown.time;
      ++seen;
    }
  };
  u64 pushed = 0;
  Event popped;
  for (u32 round = 0; round < 20; ++round) {
    for (u32 i = 0; i < 100 + round * 400; ++i) {
      ring->push(event(++pushed));
      ring->pop(popped);  // a reader keeps up, so that nothing is lost to it
    }
    look();
    CHECK(seen + missed == pushed);
  }
  CHECK(ring->lost() == 0);
  CHECK(missed > 0);
}

TEST_CASE("between two moments counters count and gauges stand") {
  see::Counts before, after;
  before.workers.resize(1), after.workers.resize(1);
  before.workers[0].values[0] = 10, after.workers[0].values[0] = 25;
  const auto live = static_cast<std::size_t>(see::Row::flows_live);
  before.workers[0].values[live] = 9, after.workers[0].values[live] = 4;
  after.workers[0].reasons[static_cast<std::size_t>(Reason::no_allow)] = {3, 300};
  const see::Counts change = see::between(before, after);
  CHECK(change.sum().of(see::Row::received) == 15);
  CHECK(change.sum().of(see::Row::flows_live) == 4);
  const auto met = see::met_reasons(change.sum(), true);
  REQUIRE(met.size() == 1);
  CHECK(met[0].reason == Reason::no_allow);
  CHECK(see::between(after, before).sum().of(see::Row::received) == 0);
}

TEST_CASE("SHA-1 and base64 are those of FIPS 180-4 and RFC 4648") {
  const auto bytes = [](std::string_view text) { return std::as_bytes(std::span(text.data(), text.size())); };
  const auto hex = [](std::span<const std::byte> digest) {
    std::string text;
    for (const std::byte byte : digest)
      for (const u32 half : {static_cast<u32>(byte) >> 4, static_cast<u32>(byte) & 15})
        text += "0123456789abcdef"[half];
    return text;
  };
  CHECK(hex(see::sha1(bytes("abc"))) == "a9993e364706816aba3e25717850c26c9cd0d89d");
  CHECK(hex(see::sha1(bytes(""))) == "da39a3ee5e6b4b0d3255bfef95601890afd80709");
  CHECK(hex(see::sha1(bytes("abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq"))) ==
        "84983e441c3bd26ebaae4aa1f95129e5e54670f1");
  CHECK(see::base64(bytes("")).empty());
  CHECK(see::base64(bytes("f")) == "Zg==");
  CHECK(see::base64(bytes("fo")) == "Zm8=");
  CHECK(see::base64(bytes("foobar")) == "Zm9vYmFy");
}

TEST_CASE("the community ID is that of its specification") {
  struct Vector {
    u8 protocol;
    const char *source, *target;
    u16 source_port, target_port;  // of ICMP: type, and type << 8 | code
    const char* id;
  };
  // github.com/corelight/community-id-spec, baseline/baseline_deflt.json: ICMP by the type and code of its captures.
  const Vector vectors[] = {
      {58, "fe80::200:86ff:fe05:80da", "fe80::260:97ff:fe07:69ea", 0, 135 << 8, "1:dGHyGvjMfljg6Bppwm3bg0LO8TY="},
      {58, "fe80::260:97ff:fe07:69ea", "fe80::200:86ff:fe05:80da", 0, 136 << 8, "1:dGHyGvjMfljg6Bppwm3bg0LO8TY="},
      {58, "fe80::260:97ff:fe07:69ea", "fe80::200:86ff:fe05:80da", 0, 135 << 8, "1:zavyT/cezQr1fmImYCwYnMXbgck="},
      {58, "3ffe:501:1800:2345::2", "3ffe:507:0:1:200:86ff:fe05:80da", 0, 3 << 8, "1:2ObVBgIn28oZvibYZhZMBgh7WdQ="},
      {58, "3ffe:501:410:0:2c0:dfff:fe47:33e", "3ffe:507:0:1:200:86ff:fe05:80da", 0, 1 << 8 | 4,
       "1:hLZd0XGWojozrvxqE0dWB1iM6R0="},
      {58, "3ffe:507:0:1:200:86ff:fe05:80da", "3ffe:501:0:1001::2", 0, 128 << 8, "1:+TW+HtLHvV1xnGhV1lv7XoJrqQg="},
      {58, "3ffe:501:0:1001::2", "3ffe:507:0:1:200:86ff:fe05:80da", 0, 129 << 8, "1:+TW+HtLHvV1xnGhV1lv7XoJrqQg="},
      {58, "fe80::200:86ff:fe05:80da", "ff02::2", 0, 133 << 8, "1:hO+sN4H+MG5MY/8hIrXPqc4ZQz0="},
      {58, "fe80::260:97ff:fe07:69ea", "ff02::1", 0, 134 << 8, "1:pkvHqCL88/tg1k4cPigmZXUtL00="},
      {1, "192.168.0.89", "192.168.0.1", 0, 8 << 8, "1:X0snYXpgwiv9TZtqg64sgzUn6Dk="},
      {1, "192.168.0.1", "192.168.0.89", 0, 0, "1:X0snYXpgwiv9TZtqg64sgzUn6Dk="},
      {1, "10.0.0.1", "10.0.0.2", 0, 11 << 8, "1:YHxtAirCG//0OzkcVAukqKQN9xM="},
      {6, "2001:470:e5bf:dead:4957:2174:e82c:4887", "2607:f8b0:400c:c03::1a", 63943, 25,
       "1:/qFaeAR+gFe1KYjMzVDsMv+wgU4="},
      {132, "192.168.170.8", "192.168.170.56", 7, 7, "1:MP2EtRCAUIZvTw6MxJHLV7N7JDs="},
      {132, "192.168.170.56", "192.168.170.8", 7, 7, "1:MP2EtRCAUIZvTw6MxJHLV7N7JDs="},
      {6, "128.232.110.120", "66.35.250.204", 34855, 80, "1:LQU9qZlK+B5F3KDmev6m5PMibrg="},
      {6, "66.35.250.204", "128.232.110.120", 80, 34855, "1:LQU9qZlK+B5F3KDmev6m5PMibrg="},
      {17, "192.168.1.52", "8.8.8.8", 54585, 53, "1:d/FP5EW3wiY1vCndhwleRRKHowQ="},
      {17, "8.8.8.8", "192.168.1.52", 53, 54585, "1:d/FP5EW3wiY1vCndhwleRRKHowQ="},
      {46, "10.1.12.1", "10.1.12.2", 0, 0, "1:KHlLkgoJW7ifUTyTSgyVfkFHzKw="},
      {46, "10.1.12.2", "10.1.12.1", 0, 0, "1:KHlLkgoJW7ifUTyTSgyVfkFHzKw="},
  };
  for (const Vector& one : vectors) {
    INFO(one.source << " > " << one.target);
    CHECK(see::community_id(
              {address(one.source), address(one.target), one.source_port, one.target_port, one.protocol}) == one.id);
  }
}

TEST_CASE("names come from an image of the event's generation or not at all") {
  see::Names none({}, {});
  CHECK_FALSE(none.of(event(1)).known);
  const Written written;
  see::Names foreign({written.path, written.folder / "absent"}, {"inside", "outside"});
  CHECK_FALSE(foreign.of(event(1)).known);
  CHECK(foreign.complaints().size() == 2);
  CHECK(foreign.complaints().empty());
}
