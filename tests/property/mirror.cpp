// Showing packets changes none: an engine that shows what it decides is run beside one that does not and beside the
// naive firewall, and leaves the same table; what it shows is what was counted. The filter that workers ask says what
// the filter says that it was made of. WEIR_PROPERTY_SCALE multiplies how much is drawn (default 1).
#include "control/see/filter.hpp"
#include "tests/property/sequence.hpp"

#include <fmt/format.h>
#include <catch2/catch.hpp>
#include <cstdlib>
#include <random>

using namespace weir;

namespace {

u32 scaled(u32 count) {
  const char* const scale = std::getenv("WEIR_PROPERTY_SCALE");
  return count * (scale != nullptr ? static_cast<u32>(std::atoi(scale)) : 1);
}

std::vector<u8> random_bytes(std::mt19937_64& random) {
  std::vector<u8> bytes(3000);
  for (u8& byte : bytes) byte = static_cast<u8>(random());
  return bytes;
}

MirrorWish wish_for(bool wants_stages, const std::vector<Reason>& reasons = {}) {
  MirrorWish wish{};
  wish.magic = mirror_wish_magic, wish.packets = mirror_packets_max, wish.for_ms = 1000;
  wish.wants_stages = wants_stages;
  for (u32 reason = 0; reason < reasons_count && reasons.empty(); ++reason) wish.want(static_cast<Reason>(reason));
  for (const Reason reason : reasons) wish.want(reason);
  REQUIRE(fault_of(wish) == nullptr);
  return wish;
}

struct Mirrors {
  explicit Mirrors(const MirrorWish& wish, std::size_t room = 4096) : slots(room), ring(slots, order, true) {
    order.arm(wish);
  }

  std::vector<Mirrored> taken() {
    std::vector<Mirrored> all;
    for (Mirrored one; ring.packets.take(one);) all.push_back(one);
    return all;
  }
  std::vector<Mirrored> slots;
  MirrorOrder order;
  MirrorRing ring;
};

// What must hold of one, whatever it is.
void check_one(const Mirrored& one) {
  CHECK(one.magic == mirrored_magic);
  CHECK(one.verdict == verdict_of(one.reason));
  CHECK(one.bytes == std::min<u32>(one.frame_bytes, Mirrored::bytes_max));
  CHECK((one.layers.doubt != Reason::undecided) == (row(one.reason).stage == "parse"));
  if (one.reason == Reason::flow_new) CHECK((one.is_first == 1 && one.after.flow == one.flow));
  if (one.reason != Reason::flow_established || one.layers.kind != PacketKind::flow || one.is_first != 0) return;
  CHECK((one.before.flow != mirrored_flow_none && one.before.flow == one.after.flow));
  CHECK(one.after.judged == MirroredJudged::now);
  CHECK((one.judged.is_asked == 1 && one.judged.reason == Reason::flow_new));
  // The second SYN of a simultaneous open is judged as an opening of its own.
  const bool is_syn = one.layers.protocol == 6 && (one.layers.tcp_flags & 2) != 0;
  CHECK((one.judged.rule == one.rule || is_syn));
}

}  // namespace

TEST_CASE("an engine that shows all decides as one that shows nothing") {
  const Policies policies(Policies::Ceilings::low);
  std::mt19937_64 random(20261122);
  u64 shown = 0;
  for (u32 i = 0; i < scaled(100); ++i) {
    INFO("sequence " << i);
    const std::vector<u8> bytes = random_bytes(random);
    Mirrors mirrors(wish_for(true));
    auto usual = std::make_unique<Sequence>(policies);
    auto showing = std::make_unique<Sequence>(policies, Sequence::Wish{.mirror = &mirrors.ring});
    REQUIRE_NOTHROW(usual->run(Choices(bytes)));
    REQUIRE_NOTHROW(showing->run(Choices(bytes)));
    REQUIRE(usual->remembers_what(*showing));
    std::map<Reason, u64> told;
    for (const Mirrored& one : mirrors.taken()) check_one(one), ++told[one.reason], ++shown;
    CHECK(mirrors.ring.lost.read() == 0);
    for (u32 reason = 0; reason < reasons_count; ++reason)
      CHECK(told[static_cast<Reason>(reason)] == usual->ended_as(static_cast<Reason>(reason)));
  }
  CHECK(shown > 10'000);
}

TEST_CASE("what is not asked for is not shown, and what finds no room is counted") {
  const Policies policies;
  std::mt19937_64 random(20261123);
  const std::vector<Reason> drops{Reason::no_allow, Reason::tcp_state};
  for (u32 i = 0; i < scaled(50); ++i) {
    const std::vector<u8> bytes = random_bytes(random);
    Mirrors mirrors(wish_for(false, drops), 16);
    auto showing = std::make_unique<Sequence>(policies, Sequence::Wish{.mirror = &mirrors.ring});
    REQUIRE_NOTHROW(showing->run(Choices(bytes)));
    u64 wanted = 0;
    for (const Reason reason : drops) wanted += showing->ended_as(reason);
    const auto taken = mirrors.taken();
    CHECK(taken.size() == std::min<u64>(wanted, 16));
    CHECK(mirrors.ring.lost.read() == wanted - taken.size());
    for (const Mirrored& one : taken) CHECK((one.reason == Reason::no_allow || one.reason == Reason::tcp_state));
  }
}

namespace {

constexpr std::string_view segments[] = {"", "trainers", "store"}, rules[] = {"", "save", "serve"};
constexpr std::string_view addresses[] = {"10.0.0.1", "10.0.0.2", "10.1.0.1", "2001:db8::1", "2001:db8::2"};

template <class All>
auto one_of(std::mt19937_64& random, const All& all) {
  return all[random() % std::size(all)];
}

// In brackets, so that parts can be put together.
std::string random_filter(std::mt19937_64& random, u32 depth) {
  const std::string side = one_of(random, std::array{"", "src ", "dst "});
  switch (depth == 0 ? 3 + random() % 7 : random() % 10) {
    case 0: return "(" + random_filter(random, depth - 1) + " and " + random_filter(random, depth - 1) + ")";
    case 1: return "(" + random_filter(random, depth - 1) + " or " + random_filter(random, depth - 1) + ")";
    case 2: return "not " + random_filter(random, depth - 1);
    case 3: return one_of(random, std::array{"tcp", "udp", "icmp", "ip", "ip6"});
    case 4: return side + "host " + std::string(one_of(random, addresses));
    case 5: return side + one_of(random, std::array{"net 10.0.0.0/24", "net 2001:db8::/127", "net 0.0.0.0/0"});
    case 6: return side + one_of(random, std::array{"port 443", "portrange 1-1000"});
    case 7: return side + "segment " + std::string(segments[1 + random() % 2]);
    case 8: return "rule " + std::string(rules[1 + random() % 2]);
    default: return one_of(random, std::array{"reason no_allow", "reason flow_new"});
  }
}

Address address_of(std::string_view text) {
  const auto held = see::Filter::parse(fmt::format("host {}", text));
  MirrorWish wish{};
  REQUIRE(held->ask_of_packets(wish));
  const MirrorStep& step = wish.steps[0];
  if (step.is_ipv4 != 0) return Address::ipv4(std::byteswap(static_cast<u32>(step.lowest[1])));
  return {std::byteswap(step.lowest[0]), std::byteswap(step.lowest[1])};
}

}  // namespace

TEST_CASE("a worker's filter says what the filter says") {
  std::mt19937_64 random(20261124);
  u32 held = 0, drawn = scaled(20'000);
  for (u32 i = 0; i < drawn; ++i) {
    const std::string text = random_filter(random, 3);
    INFO(text);
    const auto filter = see::Filter::parse(text);
    REQUIRE(filter);
    MirrorWish wish = wish_for(false);
    if (!filter->ask_of_packets(wish)) continue;
    REQUIRE(fault_of(wish) == nullptr);
    MirrorFacts facts{true,
                      {},
                      {},
                      0,
                      0,
                      one_of(random, std::array<u8, 4>{1, 6, 17, 50}),
                      one_of(random, segments),
                      one_of(random, segments),
                      one_of(random, rules),
                      one_of(random, std::array{Reason::no_allow, Reason::flow_new, Reason::flow_established})};
    facts.source = address_of(one_of(random, addresses));
    do facts.target = address_of(one_of(random, addresses));
    while (facts.target.is_ipv4() != facts.source.is_ipv4());
    facts.source_port = one_of(random, std::array<u16, 3>{443, 999, 40'000});
    facts.target_port = one_of(random, std::array<u16, 3>{443, 1, 1001});
    const see::Facts twin{facts.source, facts.target, facts.source_port, facts.target_port,      facts.protocol,
                          facts.from,   facts.to,     facts.rule,        row(facts.reason).name, ""};
    const bool matches_twin = filter->matches(twin);
    CHECK(matches(wish, facts) == matches_twin);
    held += matches_twin;
  }
  CHECK((held > drawn / 10 && held < drawn - drawn / 10));
}

TEST_CASE("a filter that packets cannot be asked is an error") {
  const auto fault = [](const std::string& text) {
    MirrorWish wish{};
    const auto asked = see::Filter::parse(text)->ask_of_packets(wish);
    return asked ? "" : asked.error();
  };
  std::string many = "port 1", names = "segment a";
  for (int port = 2; port < 18; ++port) many += fmt::format(" or port {}", port);
  for (char name = 'b'; name < 'k'; ++name) names += fmt::format(" or segment {}", name);
  CHECK(fault("event flow_opened").find("ask `reason`") != std::string::npos);
  CHECK(fault(many).find("at most 32 parts") != std::string::npos);
  CHECK(fault(names).find("at most 8 names") != std::string::npos);
  CHECK(fault("segment " + std::string(64, 'x')).find("below 64 letters") != std::string::npos);
  CHECK(fault("segment a or segment a or rule a") == "");
}
