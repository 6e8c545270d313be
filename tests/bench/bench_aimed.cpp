// What a lookup costs among keys that an attacker aimed under a guessed secret, and among keys in rows, against the
// same among scattered ones. `bench_aimed [flows] [rounds]`; the result is 1 where a ratio exceeds 2. As root it
// borrows 2 MiB pages.
#include "tests/bench/lookups.hpp"
#include "tests/bench/pages.hpp"
#include "tests/bench/rounds.hpp"
#include "tests/property/aimed_keys.hpp"

#include <memory>

using namespace weir;
using namespace weir::bench;

namespace {

constexpr double ratio_gate = 2;

struct AimedLookup {
  FlowKey of;
  u64 hash;
  const FlowKey& key() const { return of; }
};

// A table full of a family's keys, and the order in which they are looked up.
struct Crowd {
  std::string name;
  u32 flows, refused = 0;
  Pages memory, order;
  FlowTable table;

  Crowd(std::string name_in, const std::vector<FlowKey>& keys, const HashKey& secret, bool huge)
      : name(std::move(name_in)),
        flows(static_cast<u32>(keys.size()) / burst * burst),
        memory(FlowTable::bytes_needed(flows), huge),
        order(std::size_t{flows} * sizeof(AimedLookup), huge),
        table(memory.span(), flows) {
    AimedLookup* lookups = order.as<AimedLookup>();
    for (u32 i = 0; i < flows; ++i) {
      lookups[i] = {keys[i], hash_of(keys[i], secret)};
      refused += table.insert(keys[i], lookups[i].hash, 1 << 14) == no_flow;
    }
    std::shuffle(lookups, lookups + flows, Random(1));
  }
  double round_ns() {
    u32 missing = 0;
    const double ns = timed_ns([&] {
      look_up(table, order.as<AimedLookup>(), flows / burst, [&](u32 flow) {
        if (flow == no_flow) ++missing;
        else ++table.record(flow).end[0];
      });
    });
    if (missing != refused) std::fprintf(stderr, "bench_aimed: a flow was not found\n"), std::exit(1);
    return ns / flows;
  }
};

std::vector<FlowKey> first_keys(KeyFamily family, u32 count) {
  std::vector<FlowKey> keys;
  for (u32 i = 0; i < count; ++i) keys.push_back(family(i));
  return keys;
}

}  // namespace

int main(int count, char** words) {
  const u32 flows = count > 1 ? static_cast<u32>(std::atol(words[1])) : 1 << 20;
  const u32 rounds = count > 2 ? static_cast<u32>(std::atol(words[2])) : 9;
  constexpr std::size_t crowds_count = 4 + std::size(row_families);
  static const PageReserve reserve(crowds_count *
                                   (FlowTable::bytes_needed(flows) + flows * sizeof(AimedLookup) + (4 << 20)));
  const bool huge = reserve.enough();
  Random random(std::random_device{}());
  const HashKey secret = random_secret(random), guessed = random_secret(random);
  std::vector<std::unique_ptr<Crowd>> crowds;
  const auto add = [&](std::string name, const std::vector<FlowKey>& keys) {
    crowds.push_back(std::make_unique<Crowd>(std::move(name), keys, secret, huge));
  };
  for (const NamedFamily& family : scattered_families) add(family.name, first_keys(family.key, flows));
  for (u32 ipv6 = 0; ipv6 < 2; ++ipv6)
    add(std::string("aimed under a guessed secret, ") + (ipv6 ? "IPv6" : "IPv4"),
        aimed_keys(row_families[ipv6].key, guessed, flows));
  for (const NamedFamily& family : row_families) add(family.name, first_keys(family.key, flows));

  std::printf("lookup and record write among %u flows, secrets drawn at random, tables on %s pages\n", flows,
              huge ? "2 MiB" : "4 KiB");
  std::vector<Contender> contenders;
  for (const auto& crowd : crowds) contenders.push_back({crowd->name, [&crowd] { return crowd->round_ns(); }});
  const Rounds measured(std::move(contenders), rounds);
  measured.print_costs();
  bool holds = true;
  for (std::size_t i = 2; i < crowds.size(); ++i) {
    const std::size_t even = i < 4 ? i - 2 : row_families[i - 4].ipv6;
    measured.print_ratio((crowds[i]->name + " / scattered").c_str(), i, even, "gate 2");
    holds = holds && measured.ratio(i, even).median <= ratio_gate && crowds[i]->refused == 0;
  }
  std::printf("%s\n", holds ? "holds: no lookup is dearer than twice a scattered one" : "does not hold");
  return holds ? 0 : 1;
}
