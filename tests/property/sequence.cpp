// Random sequences through the engine and its twin. WEIR_PROPERTY_SCALE multiplies how many (default 1).
#include "tests/property/sequence.hpp"

#include <catch2/catch.hpp>
#include <cstdlib>
#include <random>

using namespace weir;

std::vector<u8> random_bytes(std::mt19937_64& random) {
  std::vector<u8> bytes(3000);
  for (u8& byte : bytes) byte = static_cast<u8>(random());
  return bytes;
}

TEST_CASE("the short way leaves what the whole way leaves") {
  const Policies policies(Policies::Ceilings::low);
  std::mt19937_64 random(20260202);
  for (u32 i = 0; i < 200; ++i) {
    INFO("sequence " << i);
    const std::vector<u8> bytes = random_bytes(random);
    const Sequence::Wish telling{.names_segments = true};
    auto usual = std::make_unique<Sequence>(policies), whole = std::make_unique<Sequence>(policies, telling);
    REQUIRE_NOTHROW(usual->run(Choices(bytes)));
    REQUIRE_NOTHROW(whole->run(Choices(bytes)));
    REQUIRE(usual->remembers_what(*whole));
  }
}

TEST_CASE("a revocation is told once of each flow, also of one in a revoked one's place") {
  const Policies policies;
  const u64 expiry_us = Policies::first_expiry_s * 1'000'000;
  naive::MeantPacket inward;  // port 80 at both ends, so that either may open
  inward.source = 0x0a010001, inward.target = 0x0a000001, inward.source_port = inward.target_port = 80;
  inward.tcp_flags = 2, inward.from_inside = false, inward.time_us = expiry_us - 10;
  naive::MeantPacket outward = inward;
  std::swap(outward.source, outward.target), outward.from_inside = true;
  Event first{}, second{};
  first.kind = EventKind::flow_revoked, first.protocol = 6, first.source_port = first.target_port = 80;
  first.source = Address::ipv4(swap(u32{0x0a010001})), first.target = Address::ipv4(swap(u32{0x0a000001}));
  first.time = expiry_us - 5, second = first;
  std::swap(second.source, second.target), second.time = expiry_us + 5;
  Outcome opened;
  opened.reason = Reason::flow_new, opened.flow = 1, opened.flow_is_new = true;
  const control::Model& takes_back = policies[2].model;

  for (const u32 told_of_second : {1, 2}) {
    Revocations watch;
    watch.see(opened, inward);
    CHECK(watch.tell(first, takes_back, 1) == nullptr);
    CHECK(watch.settle() == nullptr);
    for (u32 i = 0; i < told_of_second; ++i) CHECK(watch.tell(second, takes_back, 1) == nullptr);
    CHECK(watch.see(opened, outward) == nullptr);  // in the burst of the events
    CHECK((watch.settle() == nullptr) == (told_of_second == 1));
  }
  Revocations watch;
  watch.see(opened, outward);
  second.time = expiry_us - 5;
  CHECK(watch.tell(second, takes_back, 1) != nullptr);  // it is allowed
}

TEST_CASE("several workers decide as one does, whoever receives what") {
  const Policies policies;
  std::mt19937_64 random(20260303);
  u64 handed_over = 0, established = 0;
  for (u32 i = 0; i < 300; ++i) {
    INFO("sequence " << i);
    Sequence sequence(policies, {.workers = 2 + i % 3});
    const std::vector<u8> bytes = random_bytes(random);
    REQUIRE_NOTHROW(sequence.run(Choices(bytes)));
    handed_over += sequence.handed_over();
    established += sequence.ended_as(Reason::flow_established);
  }
  CHECK(handed_over > 10'000);
  CHECK(established > 10'000);
}

TEST_CASE("scrubbing changes packets and no decision") {
  const Policies policies(Policies::Ceilings::none, true);
  std::mt19937_64 random(20260404);
  u64 scrubbed = 0, established = 0;
  for (u32 i = 0; i < 300; ++i) {
    INFO("sequence " << i);
    auto sequence = std::make_unique<Sequence>(policies);
    const std::vector<u8> bytes = random_bytes(random);
    REQUIRE_NOTHROW(sequence->run(Choices(bytes)));
    scrubbed += sequence->ended_as(Reason::scrubbed);
    established += sequence->ended_as(Reason::flow_established);
  }
  CHECK(scrubbed > 5'000);
  CHECK(established > 10'000);  // under the policies that do not
}

TEST_CASE("the engine decides as the naive firewall does, over packets, flips, flushes and time") {
  const char* scale = std::getenv("WEIR_PROPERTY_SCALE");
  const u32 sequences = 1000 * (scale != nullptr ? static_cast<u32>(std::atoi(scale)) : 1);
  const Policies policies(Policies::Ceilings::low);
  std::mt19937_64 random(20260101);
  std::map<Reason, u64> ended;
  u64 swept = 0;
  for (u32 i = 0; i < sequences; ++i) {
    INFO("sequence " << i);
    const std::vector<u8> bytes = random_bytes(random);
    auto sequence = std::make_unique<Sequence>(policies);
    REQUIRE_NOTHROW(sequence->run(Choices(bytes)));
    swept += sequence->swept();
    for (u32 reason = 0; reason < reasons_count; ++reason)
      ended[static_cast<Reason>(reason)] += sequence->ended_as(static_cast<Reason>(reason));
  }
  // What the sequences must have met, else they show little.
  using enum Reason;
  for (const Reason reason : {flow_new, flow_established, icmp_related, no_allow, forbidden, expired, revoked,
                              tcp_not_syn, tcp_state, tcp_window, tcp_bad_ack, tcp_bad_rst, tcp_syn_data, tcp_challenge,
                              tcp_loose, icmp_unmatched, icmp_no_request, wrong_side, l4_checksum_bad, flood_source,
                              flood_target, flood_icmp, flood_half_open, flood_udp, scan_blocked, rejected_reset,
                              rejected_unreachable}) {
    INFO(row(reason).name << " " << ended[reason]);
    CHECK(ended[reason] > 40);
  }
  CHECK(swept > 100);  // flows judged again without a packet of theirs
}
