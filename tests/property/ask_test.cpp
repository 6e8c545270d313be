// What a question answers about all of its combinations, against combinations drawn at random: one address stands for
// all that no rule tells apart, so "every" and "none" must hold for each of them.
#include "control/ask/ask.hpp"
#include "control/compile/compile.hpp"
#include "dataplane/policy/verify.hpp"
#include "tests/property/image_memory.hpp"

#include <fmt/format.h>
#include <catch2/catch.hpp>
#include <random>

using namespace weir;
using namespace weir::control;

namespace {

using Random = std::mt19937;

std::size_t below(Random& random, std::size_t n) { return random() % n; }

std::string prefix(Random& random) {
  const std::size_t length = 24 + below(random, 9);
  const auto host = static_cast<std::uint32_t>(below(random, 256) << (32 - length) & 255);
  return fmt::format("10.0.0.{}/{}", host >> (32 - length) << (32 - length), length);
}

// Overlapping segments in 10.0.0.0/24, some attached and pinned, services over ports 1 to 40.
std::string random_rules(Random& random) {
  std::string text = "version = 1\n[service]\n";
  for (int i = 0; i < 4; ++i) {
    const std::size_t first = 1 + below(random, 40), last = first + below(random, 10);
    text += fmt::format("p{} = {{ tcp = [\"{}-{}\"], udp = [{}] }}\n", i, first, last, 1 + below(random, 40));
  }
  for (int i = 0; i < 5; ++i)
    text += fmt::format("[segment.s{}]\ncidr = [\"{}\", \"{}\"]\n", i, prefix(random), prefix(random));
  text += "[segment.host]\ncidr = [\"10.0.0.0/24\"]\nattach = [\"pf0\"]\n";
  if (below(random, 2) == 0) text += fmt::format("[port.pf0]\naddresses = [\"{}\"]\n", prefix(random));
  const auto name = [&] { return below(random, 6) == 0 ? "host" : fmt::format("s{}", below(random, 5)); };
  for (int i = 0; i < 8; ++i) {
    text +=
        fmt::format("[[{}]]\nfrom = \"{}\"\nto = \"{}\"\n", below(random, 4) == 0 ? "forbid" : "allow", name(), name());
    if (below(random, 4) != 0) text += fmt::format("with = [\"p{}\"]\n", below(random, 4));
  }
  return text;
}

Party party(const Names& names, Random& random) {
  std::string sentence;
  const std::size_t which = below(random, 8);
  const std::string text = which < 5 ? fmt::format("s{}", which) : which == 5 ? "host" : prefix(random);
  return parse_party(names, text, sentence).value();
}

// A port and an address on it that the party names, by the words of the language and not by cells.
std::optional<Endpoint> draw(const Checked& checked, const Policy& policy, const Party& who, Random& random) {
  const auto number = 0x0A000000u | static_cast<std::uint32_t>(below(random, 256));
  const auto port_class = static_cast<std::uint16_t>(below(random, policy.view().port_classes_count));
  const Address address = Address::ipv4(swap(number));
  if (!policy.source_allowed(port_class, address)) return std::nullopt;
  if (who.prefix) {
    AddressSet set;
    add(set, *who.prefix);
    return contains(set, number) ? std::optional(Endpoint{port_class, address}) : std::nullopt;
  }
  for (const std::uint32_t segment : who.segments) {
    const Segment& one = checked.model.segments[segment];
    if (contains(one.addresses, number)) return Endpoint{port_class, address};
  }
  return std::nullopt;
}

void compare(const Checked& checked, const Policy& policy, Random& random) {
  const Party from = party(checked.names, random), to = party(checked.names, random);
  std::string sentence;
  const std::size_t first = 1 + below(random, 45), last = first + below(random, 12);
  const ServiceSet services = parse_service(checked.names, fmt::format("tcp/{}-{}", first, last), sentence).value();
  std::vector<Prefix> prefixes;
  for (const Party* one : {&from, &to})
    if (one->prefix) prefixes.push_back(*one->prefix);
  const Answer answer = Asker(checked, policy, prefixes).ask(from, to, services, 0);
  for (int i = 0; i < 60; ++i) {
    const auto source = draw(checked, policy, from, random), target = draw(checked, policy, to, random);
    if (!source || !target || (source->port_class == target->port_class && source->port_class != 0)) continue;
    const auto port = static_cast<std::uint16_t>(first + below(random, last - first + 1));
    const Question question{source->address, target->address, source->port_class, target->port_class, 6, 0, 0, port};
    const Example one{question, policy.judge(question, 0)};
    REQUIRE(answer.asked > 0);
    if (answer.allowed == 0) REQUIRE_FALSE(one.allowed());
    if (answer.allowed == answer.asked) REQUIRE(one.allowed());
    // Every way that a packet can end is among the examples.
    REQUIRE(std::ranges::any_of(answer.examples, [&](const Example& other) {
      return other.judgement.reason == one.judgement.reason && other.judgement.rule == one.judgement.rule;
    }));
  }
}

}  // namespace

TEST_CASE("an answer holds for every combination it speaks of") {
  Random random(11);
  for (int round = 0; round < 150; ++round) {
    const std::string rules = random_rules(random);
    INFO(rules);
    const Checked checked = check(load(memory({{"policy.toml", rules}}), "policy.toml", ""), 0);
    REQUIRE(checked.ok());
    const auto compiled = compile(checked.model, 1);
    REQUIRE(compiled.has_value());
    const ImageMemory image(compiled->image);
    const auto policy = verify(image.bytes());
    REQUIRE(policy.has_value());
    for (int i = 0; i < 20; ++i) compare(checked, *policy, random);
  }
}
