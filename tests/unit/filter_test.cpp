// Filters: what each primitive and each join matches, against facts written out by hand; every mistake is an error with
// its place; and a naive reading of random filters agrees.
#include "control/see/filter.hpp"
#include "tests/unit/stats_file.hpp"

#include <catch2/catch.hpp>
#include <random>

using namespace weir;

namespace {

see::Facts facts(const char* source, u16 source_port, const char* target, u16 target_port, u8 protocol) {
  return {address(source), address(target), source_port, target_port, protocol,
          "trainers",      "store",         "serve",     "no_allow",  "packet_dropped"};
}

bool holds(std::string_view text, const see::Facts& one) {
  const auto filter = see::Filter::parse(text);
  INFO(text);
  REQUIRE(filter);
  return filter->matches(one);
}

// About TCP from 10.1.2.3:40000 (trainers) to 192.0.2.7:443 (store).
constexpr const char* of_web[] = {
    "", "tcp", "ip", "host 10.1.2.3", "src host 10.1.2.3", "10.1.2.3", "dst 192.0.2.7", "net 10.0.0.0/8",
    "src net 10.1.2.0/24", "10.1.2.3/32", "port 443", "tcp port 443", "tcp dst port 443", "portrange 400-500",
    "src portrange 40000-40000", "segment store", "src segment trainers", "dst segment store", "rule serve",
    "reason no_allow", "event packet_dropped", "not udp", "! udp", "tcp and port 443", "tcp && port 443",
    "tcp port 443 host 10.1.2.3", "udp or tcp", "udp || tcp", "(udp or tcp) and not port 80", "not (udp or port 80)",
    "not not tcp", "0.0.0.0/0", "ip host 192.0.2.7", "((tcp))", "tcp&&port 443",
};
constexpr const char* not_of_web[] = {
    "udp", "ip6", "host 10.1.2.4", "dst host 10.1.2.3", "src 192.0.2.7", "net 10.2.0.0/16", "port 444",
    "src port 443", "dst portrange 444-500", "segment trainer", "dst segment trainers", "rule Serve",
    "reason forbidden", "event flow_opened", "not tcp", "tcp and udp", "udp or port 80", "icmp", "::/0",
    "not tcp or udp", "tcp and not tcp", "2001:db8::1",
};

}  // namespace

TEST_CASE("each primitive matches what it says") {
  const see::Facts web = facts("10.1.2.3", 40000, "192.0.2.7", 443, 6);
  const see::Facts name = facts("2001:db8::1", 5353, "2001:db8:1::2", 53, 17);
  const see::Facts ping = facts("10.1.2.3", 0, "192.0.2.7", 8 << 8, 1);
  for (const char* text : of_web) {
    INFO(text);
    CHECK(holds(text, web));
  }
  for (const char* text : not_of_web) {
    INFO(text);
    CHECK_FALSE(holds(text, web));
  }
  CHECK(holds("ip6 and udp and dst 2001:db8:1::/48 and port 53", name));
  CHECK(holds("net 2001:db8::/32", name));
  CHECK_FALSE(holds("net 2001:db8:2::/48", name));
  CHECK_FALSE(holds("0.0.0.0/0", name));
  CHECK(holds("icmp", ping));
  CHECK_FALSE(holds("port 2048", ping));  // type and code are no port
}

TEST_CASE("`or` binds less than `and`, `not` the most") {
  const see::Facts web = facts("10.1.2.3", 40000, "192.0.2.7", 443, 6);
  CHECK(holds("tcp or udp and port 1", web));
  CHECK_FALSE(holds("(tcp or udp) and port 1", web));
  CHECK(holds("not udp and tcp", web));
  CHECK(holds("not tcp and udp or port 443", web));
}

TEST_CASE("what is not understood is an error with its place") {
  const auto error = [](std::string_view text) {
    const auto filter = see::Filter::parse(text);
    INFO(text);
    REQUIRE_FALSE(filter);
    return std::pair(filter.error().at, filter.error().sentence);
  };
  const auto says = [&](std::string_view text, std::size_t at, std::string_view what) {
    const auto [place, sentence] = error(text);
    INFO(text << ": " << sentence);
    CHECK(place == at);
    CHECK(sentence.find(what) != std::string::npos);
  };
  says("tcp and", 7, "ends where something");
  says("(tcp", 4, "bracket is not closed");
  says("tcp)", 3, "has ended");
  says("host", 4, "an address is missing");
  says("host example", 5, "no address");
  says("net 10.0.0.0", 4, "ADDRESS/LENGTH");
  says("net 10.0.0.1/8", 4, "bits behind its length");
  says("net 10.0.0.0/33", 4, "length from 0 to 32");
  says("port 65536", 5, "from 0 to 65535");
  says("port http", 5, "a port is a number");
  says("portrange 5", 10, "FIRST-LAST");
  says("portrange 9-5", 10, "FIRST-LAST");
  says("reason no_alow", 7, "no reason `no_alow`");
  says("event drop", 6, "no event `drop`");
  says("segment", 7, "a name is missing");
  says("src rule serve", 4, "go before host");
  says("greater 100", 0, "none of tcp");
  says("tcp & udp", 4, "none of tcp");
  says(std::string(5000, ' '), see::Filter::text_most, "at most 4096");
  std::string deep;
  for (int i = 0; i < 100; ++i) deep += "(";
  says(deep + "tcp" + std::string(100, ')'), 64, "too deep");
  const auto shown = see::show({4, "oh"}, "tcp \x01 x");
  CHECK(shown == "oh\n  tcp   x\n      ^");
}

TEST_CASE("random filters mean what a naive reading of them means") {
  std::mt19937 chance(7);
  const see::Facts web = facts("10.1.2.3", 40000, "192.0.2.7", 443, 6);
  const auto pick = [&](u32 count) { return chance() % count; };
  struct Made {
    std::string text;
    bool truth;
  };
  const Made leaves[] = {{"tcp", true},      {"udp", false},          {"port 443", true},   {"src port 443", false},
                         {"10.1.2.3", true}, {"dst 10.1.2.3", false}, {"rule serve", true}, {"segment other", false}};
  const auto make = [&](const auto& self, u32 depth) -> Made {
    if (depth == 0 || pick(4) == 0) return leaves[pick(std::size(leaves))];
    const Made left = self(self, depth - 1);
    if (pick(3) == 0) return {"not (" + left.text + ")", !left.truth};
    const Made right = self(self, depth - 1);
    if (pick(2) == 0) return {"(" + left.text + ") and (" + right.text + ")", left.truth && right.truth};
    return {"(" + left.text + ") or (" + right.text + ")", left.truth || right.truth};
  };
  for (u32 round = 0; round < 5000; ++round) {
    const Made one = make(make, 5);
    INFO(one.text);
    CHECK(holds(one.text, web) == one.truth);
  }
}
