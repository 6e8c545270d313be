// Address lookup against a scan over the segments: random prefixes of every length, nested and beside each other, few
// and many (each root width), both families, asked at every end of a range and beside it.
#include "control/compile/atoms.hpp"
#include "control/compile/compile.hpp"
#include "dataplane/base/machine.hpp"
#include "dataplane/policy/walk.hpp"
#include "dataplane/policy/verify.hpp"
#include "tests/property/image_memory.hpp"
#include "tests/property/random_model.hpp"

#include <catch2/catch.hpp>
#include <algorithm>
#include <set>

using namespace weir;

namespace {

template <class Number>
Number prefix_mask(u32 length) {
  constexpr u32 bits = sizeof(Number) * 8;
  return length == 0 ? Number{0} : static_cast<Number>(~Number{0} << (bits - length));
}

// Prefixes in `segments` segments; some lengths more often than others, as in routing tables.
control::Model model_of(naive::Draw& draw, u64 prefixes, u64 segments) {
  control::Model model;
  model.segments.resize(segments);
  for (u64 i = 0; i < segments; ++i) {
    model.segments[i].name = std::string("s").append(std::to_string(10'000 + i));
    model.segments[i].has_addresses = true;
  }
  for (u64 i = 0; i < prefixes; ++i) {
    control::AddressSet& set = model.segments[draw.below(segments)].addresses;
    const u32 shortest = prefixes > 1'000 ? 18 : 0;  // wider ones would swallow the rest
    const u32 length4 = std::max(shortest, static_cast<u32>(draw.one_in(2) ? 8 + 8 * draw.below(4) : draw.below(33)));
    const u32 mask4 = prefix_mask<u32>(length4), at4 = static_cast<u32>(draw.bits()) & mask4;
    set.ipv4.push_back({at4, at4 | ~mask4});
    const u32 length6 = static_cast<u32>(draw.one_in(2) ? 16 * draw.below(9) : draw.below(129));
    const u128 mask6 = prefix_mask<u128>(length6);
    const u128 at6 = (u128{0x20010000 | draw.below(64)} << 96 | u128{draw.bits()} << 16 | draw.below(65536)) & mask6;
    set.ipv6.push_back({at6, at6 | ~mask6});
  }
  for (control::Segment& segment : model.segments) naive::normalise(segment.addresses);
  return model;
}

template <class Range, class Number>
std::vector<u32> scan(const control::Model& model, std::vector<Range> control::AddressSet::* ranges, Number address) {
  std::vector<u32> found;
  for (u32 i = 0; i < model.segments.size(); ++i)
    for (const Range& range : model.segments[i].addresses.*ranges)
      if (range.first <= address && address <= range.last) found.push_back(i);
  return found;
}

std::vector<u32> compiled(const image::View& view, u32 atom) {
  const u32 first = view.atom_starts[atom];
  const auto list = view.atom_segments.subspan(first, view.atom_starts[atom + 1] - first);
  std::vector<u32> found(list.begin(), list.end());
  std::sort(found.begin(), found.end());
  return found;
}

template <class Range, class Number>
void compare(const control::Model& model, const image::View& view, const image::Trie& trie,
             std::vector<Range> control::AddressSet::* ranges, u64 step) {
  u64 count = 0;
  for (const control::Segment& segment : model.segments)
    for (const Range& range : segment.addresses.*ranges) {
      if (++count % step != 0) continue;
      for (const Number end : {range.first, range.last})
        for (int beside = -1; beside <= 1; ++beside) {
          const Number address = static_cast<Number>(end + static_cast<Number>(beside));
          if (compiled(view, image::atom_of<Number>(trie, address)) != scan(model, ranges, address))
            FAIL("address " << static_cast<u64>(address >> (sizeof(Number) * 8 - 32)) << " (first 32 bits)");
        }
    }
}

// Bursts walk as single addresses do, with and without wide vectors.
template <class Number, class Run>
void compare_walk(naive::Draw& draw, const image::Trie& trie, Run run) {
  for (u32 burst = 0; burst < 200; ++burst) {
    std::vector<Number> addresses;
    for (u64 i = draw.below(image::walk_lanes + 1); i > 0; --i) {
      const u128 any = u128{draw.bits()} << 64 | draw.bits();
      const u128 written = u128{0x20010000 | draw.below(64)} << 96 | draw.bits() >> 48;
      addresses.push_back(static_cast<Number>(sizeof(Number) == 16 && draw.one_in(2) ? written : any));
    }
    u32 atoms[image::walk_lanes];
    run(trie, std::span<const Number>(addresses), atoms);
    for (u32 i = 0; i < addresses.size(); ++i)
      if (atoms[i] != image::atom_of<Number>(trie, addresses[i])) FAIL("lane " << i << " of " << addresses.size());
  }
}

}  // namespace

TEST_CASE("the longest prefix is that of a scan") {
  naive::Draw draw(7);
  std::set<u32> root_widths;
  for (const auto& [prefixes, segments] : {std::pair<u64, u64>{0, 3}, {3, 2}, {40, 10}, {600, 60}, {30'000, 20}}) {
    const control::Model model = model_of(draw, prefixes, segments);
    const ImageMemory memory(control::compile(model, 1)->image);
    const auto policy = verify(memory.bytes());
    REQUIRE(policy);
    const image::View& view = policy->view();
    root_widths.insert(view.ipv4_root_bits);
    const u64 step = std::max<u64>(1, prefixes / 400);
    compare<control::Ipv4Range, u32>(model, view, image::ipv4_trie(view), &control::AddressSet::ipv4, step);
    compare<control::Ipv6Range, u128>(model, view, image::ipv6_trie(view), &control::AddressSet::ipv6, step);
    compare_walk<u32>(draw, image::ipv4_trie(view), image::walk_ipv4_plain);
    compare_walk<u32>(draw, image::ipv4_trie(view),
                      machine_has_vectors_512() ? image::walk_ipv4_wide : image::walk_ipv4_plain);
    compare_walk<u128>(draw, image::ipv6_trie(view), image::walk_ipv6_plain);
  }
  CHECK(root_widths == std::set<u32>{2, 8, 14, 20});
}

TEST_CASE("atoms are disjoint, cover every address and are numbered once") {
  naive::Draw draw(11);
  const control::Model model = model_of(draw, 500, 12);
  const control::Atoms atoms = control::split(model);
  CHECK(atoms.of(0).empty());
  CHECK(atoms.ipv4.front().first == 0);
  CHECK(atoms.ipv6.front().first == 0);
  std::set<std::vector<u32>> sets;
  for (u32 atom = 0; atom < atoms.count(); ++atom) sets.insert({atoms.of(atom).begin(), atoms.of(atom).end()});
  CHECK(sets.size() == atoms.count());
  for (std::size_t i = 1; i < atoms.ipv4.size(); ++i) {
    CHECK(atoms.ipv4[i - 1].first < atoms.ipv4[i].first);
    CHECK(atoms.ipv4[i - 1].atom != atoms.ipv4[i].atom);
  }
}
