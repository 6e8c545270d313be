// The sketch of what sources tell by names, against a naive twin that keeps every name: in any interval as long as the
// window no source is let tell more than the terms say; where there is room, exactly what the twin lets pass passes;
// and a crowd makes it stricter, never laxer.
#include "dataplane/inspect/dns_sketch.hpp"

#include <catch2/catch.hpp>

#include <deque>
#include <map>
#include <random>
#include <string>
#include <vector>

using namespace weir;

namespace {

constexpr Tick window_us = 40 * tick_second, slot_us = window_us / 4;

struct Memory {
  std::vector<std::byte> bytes = std::vector<std::byte>(DnsSketch::bytes_needed + 64);
  std::span<std::byte> aligned() {
    auto* const at = bytes.data() + (64 - reinterpret_cast<std::uintptr_t>(bytes.data()) % 64) % 64;
    return {at, DnsSketch::bytes_needed};
  }
};

std::string numbered(std::string_view what, u64 number) { return std::string(what).append(std::to_string(number)); }

std::vector<u8> wire(const std::string& name) {
  std::vector<u8> bytes;
  for (std::size_t at = 0; at < name.size();) {
    const std::size_t end = std::min(name.find('.', at), name.size());
    bytes.push_back(static_cast<u8>(end - at));
    bytes.insert(bytes.end(), name.begin() + static_cast<long>(at), name.begin() + static_cast<long>(end));
    at = end + 1;
  }
  bytes.push_back(0);
  return bytes;
}

// What was counted, one event each: exact, unbounded.
class Twin {
 public:
  bool ask(u64 source, const std::string& below, const std::string& domain, const DnsSketch::Terms& terms, Tick now) {
    const u64 slot = now / slot_us;
    const auto is_counted = [&](std::map<std::string, u64>& slots, const std::string& item) {
      const auto found = slots.find(item);
      return found != slots.end() && slot - found->second < SlidingCells::slots;
    };
    Source& one = sources_[source];
    const bool new_domain = !is_counted(one.domains, domain);
    std::map<std::string, u64>& names = one.names[domain];
    const bool new_name = !below.empty() && !is_counted(names, below);
    u64 domains = new_domain, bytes = new_name ? below.size() + 1 : 0;
    for (const auto& [item, at] : one.domains) domains += slot - at < SlidingCells::slots;
    for (const auto& [amount, at] : one.spent[domain])
      if (slot - at < SlidingCells::slots) bytes += amount;
    if ((new_domain && domains > terms.domains) || (new_name && bytes > terms.information)) return false;
    one.domains[domain] = new_domain ? slot : one.domains[domain];
    if (new_name) names[below] = slot, one.spent[domain].push_back({below.size() + 1, slot});
    return true;
  }

 private:
  struct Source {
    std::map<std::string, u64> domains;
    std::map<std::string, std::map<std::string, u64>> names;
    std::map<std::string, std::deque<std::pair<u64, u64>>> spent;
  };
  std::map<u64, Source> sources_;
};

// New names told by a source below a domain, with when: no interval of a window may hold more than is allowed.
struct Told {
  std::deque<std::pair<Tick, u64>> events;
  std::map<std::string, Tick> last;
  u64 inside = 0;

  // Bytes of names told in the window up to now that had not been told in the window before each of them.
  u64 tell(const std::string& name, Tick now) {
    for (; !events.empty() && events.front().first + window_us <= now; events.pop_front())
      inside -= events.front().second;
    const auto known = last.find(name);
    if (known == last.end() || known->second + window_us + slot_us <= now) {
      events.emplace_back(now, name.size() + 1);
      inside += name.size() + 1;
      last[name] = now;
    }
    return inside;
  }
};

}  // namespace

TEST_CASE("where there is room the sketch is its naive twin") {
  std::mt19937_64 random(9);
  for (u32 round = 0; round < 20; ++round) {
    Memory memory;
    DnsSketch sketch(memory.aligned(), HashKey{{random(), random(), random(), random()}});
    Twin twin;
    const DnsSketch::Terms terms{20 + random() % 400, 2 + random() % 6, window_us};
    Tick now = Tick{1} << 50;
    u64 refused = 0;
    for (u32 i = 0; i < 4000; ++i) {
      now += random() % (tick_second / 4) * (random() % 100 == 0 ? 200 : 1);
      const u64 source = random() % 5 * 0x9e37'79b9'7f4a'7c15;
      const std::string domain = numbered("d", random() % 8) + ".org";
      std::string below = random() % 8 == 0 ? "" : std::to_string(random() % 60);
      if (!below.empty() && random() % 3 == 0) below += std::string(".").append(random() % 40 + 1, 'x');
      const std::vector<u8> name = wire(below.empty() ? domain : below + "." + domain);
      const bool passes = sketch.ask(source, {name, {}, 1, false}, terms, now) == DnsSketch::Answer::fits;
      REQUIRE(passes == twin.ask(source, below, domain, terms, now));
      refused += !passes;
    }
    REQUIRE(refused > 50);
    REQUIRE(refused < 3950);
  }
}

TEST_CASE("no interval of a window tells more than is allowed, however many ask") {
  std::mt19937_64 random(10);
  Memory memory;
  DnsSketch sketch(memory.aligned(), HashKey{{random(), random(), random(), random()}});
  const DnsSketch::Terms terms{200, ~u64{0} >> 1, window_us};
  std::map<std::pair<u64, u64>, Told> told;
  Tick now = Tick{1} << 50;
  u64 asked = 0, refused = 0;
  // 60,000 pairs of a source and a domain on 32,768 cells; some of them again and again.
  for (u32 i = 0; i < 400'000; ++i) {
    now += random() % 200;
    const bool is_usual = random() % 2 == 0;
    const u64 source = is_usual ? random() % 20 : random() % 30'000, domain = random() % 2;
    const std::string below = is_usual ? numbered("usual-and-quite-long-", random() % 200) : numbered("", random() % 3);
    const std::vector<u8> name = wire(below + numbered(".d", domain) + ".org");
    const auto answer = sketch.ask(source * 0x9e37'79b9'7f4a'7c15, {name, {}, 1, false}, terms, now);
    ++asked, refused += answer != DnsSketch::Answer::fits;
    if (answer == DnsSketch::Answer::fits) REQUIRE(told[{source, domain}].tell(below, now) <= terms.information);
  }
  REQUIRE(refused > asked / 10);  // the usual ones want twenty times what they may
}

TEST_CASE("a crowd costs others little, and one that has spent finds nothing back") {
  std::mt19937_64 random(11);
  Memory memory;
  DnsSketch sketch(memory.aligned(), HashKey{{random(), random(), random(), random()}});
  const DnsSketch::Terms terms{4096, 100, window_us};
  const Tick now = Tick{1} << 50;
  const auto ask = [&](u64 source, const std::string& text) {
    const std::vector<u8> name = wire(text);
    return sketch.ask(source * 0x9e37'79b9'7f4a'7c15, {name, {}, 1, false}, terms, now);
  };
  u64 spent = 0;
  for (u32 i = 0; spent < 4096 - 50; ++i) {
    const std::string below = numbered("quite-a-long-name-that-tells-something-", i);
    REQUIRE(ask(1, below + ".evil.org") == DnsSketch::Answer::fits);
    spent += below.size() + 1;
  }
  REQUIRE(ask(1, std::string(50, 'a') + ".evil.org") == DnsSketch::Answer::information);
  // 200,000 sources on 8,192 cells for sources: each newcomer pays a little for those who made way.
  for (u64 source = 100; source < 100 + 200'000; ++source)
    REQUIRE(ask(source, numbered("www.good", source % 7) + ".org") == DnsSketch::Answer::fits);
  REQUIRE(ask(1, std::string(50, 'b') + ".evil.org") == DnsSketch::Answer::information);
  // Beyond what there is room for, whoever is new is refused rather than let pass uncounted.
  u64 refused = 0;
  for (u64 source = 1'000'000; source < 3'000'000; ++source)
    refused += ask(source, "www.good.org") == DnsSketch::Answer::domains;
  REQUIRE(refused > 1'000'000);
}
