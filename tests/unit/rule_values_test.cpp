// Values of the rule language: prefixes and sets of addresses, ports, ICMP types, quantities, names, cells. Sets are
// held against a naive walk over a small space.
#include "control/check/names.hpp"
#include "control/check/ports.hpp"
#include "control/check/quantity.hpp"
#include "control/model/address.hpp"
#include "control/model/cells.hpp"
#include "control/model/services.hpp"
#include "control/source/scan.hpp"

#include <catch2/catch.hpp>
#include <random>
#include <set>

using namespace weir::control;

TEST_CASE("prefixes are read strictly") {
  struct Row {
    const char* text;
    PrefixFault fault;
    const char* shown;
  };
  constexpr Row rows[] = {
      {"10.20.0.0/18", PrefixFault::none, "10.20.0.0/18"},
      {"10.20.0.7", PrefixFault::none, "10.20.0.7/32"},
      {"0.0.0.0/0", PrefixFault::none, "0.0.0.0/0"},
      {"10.20.0.7/18", PrefixFault::host_bits, "10.20.0.0/18"},
      {"fd20:a::/48", PrefixFault::none, "fd20:a::/48"},
      {"::/0", PrefixFault::none, "::/0"},
      {"fd20:a::1/48", PrefixFault::host_bits, "fd20:a::/48"},
      {"::ffff:10.0.0.0/104", PrefixFault::none, "::ffff:10.0.0.0/104"},
      {"10.0.0.0/33", PrefixFault::bad_length, nullptr},
      {"::/129", PrefixFault::bad_length, nullptr},
      {"10.0.0.0/", PrefixFault::bad_length, nullptr},
      {"10.0.0.0/08", PrefixFault::bad_length, nullptr},
      {"10.0.0.0/-1", PrefixFault::bad_length, nullptr},
      {"10.0.0.0/8 ", PrefixFault::bad_length, nullptr},
      {"010.0.0.0/8", PrefixFault::not_an_address, nullptr},
      {"10.0.0", PrefixFault::not_an_address, nullptr},
      {"10.0.0.256", PrefixFault::not_an_address, nullptr},
      {"10.0.0.0.0", PrefixFault::not_an_address, nullptr},
      {"1e1.0.0.0", PrefixFault::not_an_address, nullptr},
      {"fd20:::1", PrefixFault::not_an_address, nullptr},
      {"storage.example", PrefixFault::not_an_address, nullptr},
      {"", PrefixFault::not_an_address, nullptr},
      {"/8", PrefixFault::not_an_address, nullptr},
      {"10.1/16", PrefixFault::not_an_address, nullptr},
  };
  for (const Row& row : rows) {
    INFO(row.text);
    const Prefix prefix = parse_prefix(row.text);
    CHECK(prefix.fault == row.fault);
    if (row.shown != nullptr) CHECK(show(prefix) == row.shown);
  }
}

TEST_CASE("a zero byte does not end an address") {
  using namespace std::string_view_literals;
  CHECK(parse_prefix("fd20::1\0junk"sv).fault == PrefixFault::not_an_address);
  CHECK(parse_prefix("fd20::\0/32"sv).fault == PrefixFault::not_an_address);
  CHECK(parse_prefix("10.0.0.1\0"sv).fault == PrefixFault::not_an_address);
}

TEST_CASE("globally routable unicast leaves out what the registries reserve") {
  const AddressSet& set = globally_routable();
  for (const char* inside : {"1.1.1.1", "8.8.8.8", "93.184.216.34", "192.0.0.9", "192.31.196.1", "223.255.255.255",
                             "2606:2800:220:1::1", "2001:4860::1", "2001:20::1", "2620:4f:8000::1"}) {
    const Prefix prefix = parse_prefix(inside);
    INFO(inside);
    CHECK((prefix.is_ipv4 ? contains(set, prefix.ipv4.first) : contains(set, prefix.ipv6.first)));
  }
  for (const char* outside :
       {"0.0.0.1",     "10.1.2.3",  "100.64.0.1",  "127.0.0.1",       "169.254.1.1", "172.16.0.1",
        "192.0.0.1",   "192.0.2.1", "192.88.99.1", "192.168.1.1",     "198.18.0.1",  "198.51.100.1",
        "203.0.113.1", "224.0.0.1", "240.0.0.1",   "255.255.255.255", "::1",         "::ffff:1.1.1.1",
        "64:ff9b::1",  "100::1",    "2001::1",     "2001:2::1",       "2001:db8::1", "2002::1",
        "3fff::1",     "5f00::1",   "fc00::1",     "fe80::1",         "ff02::1"}) {
    const Prefix prefix = parse_prefix(outside);
    INFO(outside);
    CHECK_FALSE((prefix.is_ipv4 ? contains(set, prefix.ipv4.first) : contains(set, prefix.ipv6.first)));
  }
}

namespace {

// A random set within 0..255, and the same as bits.
AddressSet random_set(std::mt19937& random, std::vector<bool>& bits) {
  AddressSet set;
  bits.assign(256, false);
  for (auto n = random() % 6; n > 0; --n) {
    const auto first = static_cast<std::uint32_t>(random() % 256);
    const auto last = static_cast<std::uint32_t>(std::min<std::size_t>(255, first + random() % 40));
    set.ipv4.push_back({first, last});
    for (std::uint32_t at = first; at <= last; ++at) bits[at] = true;
  }
  normalise(set);
  return set;
}

}  // namespace

TEST_CASE("set algebra equals a walk over every address") {
  std::mt19937 random(7);
  for (int round = 0; round < 2000; ++round) {
    std::vector<bool> a_bits, b_bits;
    const AddressSet a = random_set(random, a_bits), b = random_set(random, b_bits);
    const AddressSet both = unite(a, b), rest = subtract(a, b);
    for (std::uint32_t at = 0; at < 256; ++at) {
      REQUIRE(contains(a, at) == a_bits[at]);
      REQUIRE(contains(both, at) == (a_bits[at] || b_bits[at]));
      REQUIRE(contains(rest, at) == (a_bits[at] && !b_bits[at]));
    }
  }
}

TEST_CASE("cells are the combinations of sets, each with an address that is in just these") {
  std::mt19937 random(8);
  for (int round = 0; round < 500; ++round) {
    std::vector<AddressSet> sets(1 + random() % 6);
    std::vector<std::vector<bool>> bits(sets.size());
    std::vector<const AddressSet*> views;
    for (std::size_t i = 0; i < sets.size(); ++i) {
      sets[i] = random_set(random, bits[i]);
      views.push_back(&sets[i]);
    }
    const Cells cells = split(views);
    std::set<std::vector<std::uint32_t>> naive, made;
    for (std::uint32_t at = 0; at < 256; ++at) {
      std::vector<std::uint32_t> in;
      for (std::uint32_t i = 0; i < sets.size(); ++i)
        if (bits[i][at]) in.push_back(i);
      if (!in.empty()) naive.insert(in);
    }
    for (const Cell& cell : cells.cells) {
      REQUIRE(made.insert(cell.sets).second);
      REQUIRE(cell.ipv4.has_value());
      for (std::uint32_t i = 0; i < sets.size(); ++i)
        REQUIRE(contains(sets[i], *cell.ipv4) == std::ranges::binary_search(cell.sets, i));
    }
    REQUIRE(made == naive);
  }
}

TEST_CASE("the ends of both families do not overflow") {
  AddressSet whole;
  whole.ipv4 = {{0, ~0u}};
  whole.ipv6 = {{0, ~Ipv6Number{0}}};
  AddressSet top;
  top.ipv4 = {{~0u, ~0u}};
  top.ipv6 = {{~Ipv6Number{0}, ~Ipv6Number{0}}};
  CHECK(split({&whole, &top}).cells.size() == 2);
  CHECK(empty(subtract(top, whole)));
  const AddressSet rest = subtract(whole, top);
  CHECK(rest.ipv4.back().last == ~0u - 1);
  CHECK(rest.ipv6.back().last == ~Ipv6Number{0} - 1);
  CHECK(unite(rest, top).ipv4.size() == 1);
}

TEST_CASE("service sets: union, difference and what an omitted with means") {
  ServiceSet everything_else = subtract(everything(), default_of_allow());
  CHECK(overlaps(everything_else.udp, {{4791, 4791}}));
  for (const std::uint16_t port : carrier_ports) {
    CHECK_FALSE(overlaps(default_of_allow().udp, {{port, port}}));
    CHECK(carries(port) != nullptr);
  }
  CHECK(overlaps(default_of_allow().udp, {{4790, 4790}}));
  CHECK(default_of_allow().protocols.empty());
  CHECK(everything_else.tcp.empty());
  CHECK_FALSE(overlaps(everything_else.icmp4, {{8 << 8, 8 << 8}}));
  CHECK(empty(subtract(default_of_allow(), everything())));
  CHECK(subtract({{0, 65535}}, {{0, 0}, {65535, 65535}}).size() == 1);
  CHECK(subtract({{10, 20}}, {{0, 65535}}).empty());
}

TEST_CASE("ports and ICMP types say what is wrong with them") {
  std::vector<PortRange> ports;
  for (const char* good : {"1", "65535", "8000-8010", "8000 - 8010"}) CHECK_FALSE(add_port(ports, good));
  const auto code = [&](const char* text) { return add_port(ports, text).value().code; };
  CHECK(code("8010-8000") == "E0406");
  for (const char* bad : {"0", "65536", "-1", "", "http", "1-2-3", "99999999999", "1-", "0x10", "+1"})
    CHECK(code(bad) == "E0405");
  ServiceSet set;
  CHECK_FALSE(add_icmp(set, IcmpFamily::both, "echo"));
  CHECK(set.icmp4.front().first == 8 << 8);
  CHECK(set.icmp6.front().first == 128 << 8);
  CHECK_FALSE(add_icmp(set, IcmpFamily::ipv4, "3"));
  CHECK(set.icmp4.back().first == 3 << 8);
  CHECK(set.icmp4.back().last == (3 << 8 | 255));
  CHECK_FALSE(add_icmp(set, IcmpFamily::ipv6, "128/0"));
  CHECK(set.icmp6.back().first == set.icmp6.back().last);
  CHECK(add_icmp(set, IcmpFamily::both, "8").value().code == "E0407");
  CHECK(add_icmp(set, IcmpFamily::ipv4, "256").value().code == "E0407");
  CHECK_FALSE(add_protocol(set, "esp"));
  CHECK(set.protocols == std::vector<std::uint8_t>{50});
  CHECK(add_protocol(set, "17").value().code == "E0408");
}

TEST_CASE("quantities keep their units") {
  CHECK(parse_quantity(KeyType::rate, "20 Mbit/s").amount == 20e6);
  CHECK(parse_quantity(KeyType::rate, "1 MB/s").amount == 8e6);
  CHECK(parse_quantity(KeyType::size, "1 GiB").amount == 1073741824.0);
  CHECK(parse_quantity(KeyType::size, "1.6TB").amount == 1.6e12);
  CHECK(parse_quantity(KeyType::frequency, "10/min").amount == Approx(10.0 / 60));
  CHECK(parse_quantity(KeyType::at_least, "90d").amount == 90 * 86400.0);
  CHECK(parse_quantity(KeyType::percent, "10%").amount == Approx(0.1));
  CHECK(parse_quantity(KeyType::size, "4").fault == QuantityFault::no_unit);
  CHECK(parse_quantity(KeyType::size, "4 gb").fault == QuantityFault::unknown_unit);
  CHECK(parse_quantity(KeyType::size, "-4 GB").fault == QuantityFault::no_number);
  CHECK(parse_quantity(KeyType::size, "lots").fault == QuantityFault::no_number);
  CHECK(parse_quantity(KeyType::size, "nan GB").fault == QuantityFault::no_number);
  CHECK(parse_quantity(KeyType::size, "99999999999999999999 TB").fault == QuantityFault::too_large);
}

TEST_CASE("names and the one that was meant") {
  CHECK(is_name("gpu-pod-1"));
  for (const char* bad : {"", "1pod", "-pod", "Pod", "pod_1", "p d"}) CHECK_FALSE(is_name(bad));
  CHECK(is_name(std::string(63, 'a')));
  CHECK_FALSE(is_name(std::string(64, 'a')));
  CHECK(name_like("Storage_1") == "storage-1");
  const std::vector<std::string_view> known = {"trainers", "storage", "ci"};
  CHECK(nearest("stroage", known) == "storage");
  CHECK(nearest("trainer", known) == "trainers");
  CHECK(nearest("cj", known) == "ci");
  CHECK(nearest("gateway", known) == "");
}

TEST_CASE("text is scanned without being parsed") {
  CHECK_FALSE(first_deeper_than("a = [[1]] # [[[[", 2));
  CHECK(first_deeper_than("a = [[[1]]]", 2) == 6u);
  CHECK_FALSE(first_deeper_than("a = \"[[[[\" \nb = '{{{{'\nc = \"\"\"[\n[\n[\"\"\"", 1));
  CHECK(first_deeper_than("a.b.c.d = 1", 2).has_value());
  CHECK_FALSE(first_deeper_than("a = [1.5, 2.5, 3.5, 4.5]", 2));
  CHECK_FALSE(first_not_utf8("a\xC3\xA4\xE2\x82\xAC\xF0\x9F\x98\x80z"));
  for (const char* bad :
       {"ab\x80", "ab\xC0\xAF", "ab\xE0\x80\xAF", "ab\xED\xA0\x80", "ab\xF4\x90\x80\x80", "ab\xC3", "ab\xFF"})
    CHECK(first_not_utf8(bad) == 2u);
  CHECK(integer_fits("9_223_372_036_854_775_807"));
  CHECK_FALSE(integer_fits("9223372036854775808"));
  CHECK_FALSE(integer_fits("0x1ffffffffffffffff"));
  CHECK(days_from_civil(1970, 1, 1) == 0);
  CHECK(days_from_civil(2027, 3, 31) == 20908);
}
