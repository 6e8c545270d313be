// Coverage as ranges: what meets, what holds what, and as bytes for the ledger's file. Where ranges say more than is
// counted, nothing is taken for covered.
#include "dataplane/ledger/account_plan.hpp"
#include "dataplane/policy/charges.hpp"

#include <algorithm>

namespace weir::ledger {
namespace {

using Covers = std::vector<image::Cover>;

u128 first_of(const image::Cover& one) { return u128{one.first_high} << 64 | one.first_low; }
u128 last_of(const image::Cover& one) { return u128{one.last_high} << 64 | one.last_low; }

// Whether each range of `inner` lies in one of `outer`, both by kind, ascending and disjoint.
bool holds_all(std::span<const image::Cover> outer, std::span<const image::Cover> inner) {
  return std::ranges::all_of(inner, [&](const image::Cover& one) {
    return std::ranges::any_of(outer, [&](const image::Cover& other) {
      return other.kind == one.kind && first_of(other) <= first_of(one) && last_of(one) <= last_of(other);
    });
  });
}

// Sorted by kind and number, and whatever touches in one.
Covers joined(Covers covers) {
  std::ranges::sort(covers, [](const image::Cover& a, const image::Cover& b) {
    return a.kind != b.kind ? a.kind < b.kind : first_of(a) < first_of(b);
  });
  Covers made;
  for (const image::Cover& one : covers) {
    const bool touches = !made.empty() && made.back().kind == one.kind &&
                         (last_of(made.back()) == ~u128{0} || first_of(one) <= last_of(made.back()) + 1);
    if (!touches) made.push_back(one);
    else if (last_of(one) > last_of(made.back()))
      made.back().last_high = one.last_high, made.back().last_low = one.last_low;
  }
  return made;
}

bool same(const Covers& a, const Covers& b) {
  return a.size() == b.size() && holds_all(a, b) && holds_all(b, a);
}

bool is_whole_port(const image::Cover& one) {
  return one.kind == image::CoverKind::port && one.first_high == 0 && one.first_low == 0 && one.last_high == ~u64{0} &&
         one.last_low == ~u64{0};
}

// Places that are told by address or network alone, each range as it was written: not joined with what lies between,
// not all addresses (of somebody known by a port beside somebody known by an address), and not "everywhere else".
bool are_plain(const Covers& covers) {
  if (covers.empty() || !is_whole_port(covers[0]) || covers.size() >= image::cover_ranges_max) return false;
  return std::ranges::none_of(covers, [](const image::Cover& one) {
    return (one.kind == image::CoverKind::ipv4 && one.first_low == 0 && one.last_low == 0xffff'ffff) ||
           (one.kind == image::CoverKind::network && one.first_low == 0 && one.last_low == image::network_max);
  });
}

bool holds_places(const Covers& outer, const Covers& inner) {
  return same(outer, inner) || (are_plain(outer) && holds_all(outer, inner));
}

bool counts_alike(const AccountCover& one, const AccountCover& other) {
  return one.counts_payload == other.counts_payload && (one.counts_payload == 0 || one.surcharge == other.surcharge) &&
         (!other.skips_throttled || one.skips_throttled);
}

}  // namespace

bool AccountCover::meets(const AccountCover& other) const {
  return places_meet(sources, other.sources) && places_meet(targets, other.targets) &&
         covers_meet(services, other.services);
}

bool covers_all(const AccountCover& cover, const AccountCover& other) {
  return counts_alike(other, cover) && holds_places(cover.targets, other.targets) &&
         holds_all(cover.services, other.services) && holds_places(cover.sources, other.sources);
}

bool cover_all_of(const AccountCover& cover, std::span<const AccountCover* const> others) {
  Covers sources;  // of all that count its targets and services, where places may be put together
  for (const AccountCover* other : others) {
    if (!counts_alike(cover, *other) || !holds_places(other->targets, cover.targets) ||
        !holds_all(other->services, cover.services))
      continue;
    if (holds_places(other->sources, cover.sources)) return true;
    if (are_plain(other->sources)) sources.insert(sources.end(), other->sources.begin(), other->sources.end());
  }
  return holds_all(joined(std::move(sources)), cover.sources);
}

Bytes bytes_of(const AccountCover& cover) {
  ItemWriter to;
  to.put(AccountCover::Facts(cover));
  for (const Covers* covers : {&cover.sources, &cover.targets, &cover.services}) {
    to.put(static_cast<u64>(covers->size()));
    for (const image::Cover& one : *covers) to.put(one);
  }
  to.put(static_cast<u64>(cover.host_parents.size()));
  for (const u64 id : cover.host_parents) to.put(id);
  return to.bytes();
}

std::optional<AccountCover> cover_of(std::span<const std::byte> bytes) {
  ItemReader from(bytes);
  AccountCover cover;
  static_cast<AccountCover::Facts&>(cover) = from.get<AccountCover::Facts>();
  for (Covers* covers : {&cover.sources, &cover.targets, &cover.services})
    for (u64 left = from.get<u64>(); left != 0 && from.is_sound(); --left) covers->push_back(from.get<image::Cover>());
  for (u64 left = from.get<u64>(); left != 0 && from.is_sound(); --left) cover.host_parents.push_back(from.get<u64>());
  return from.is_sound() ? std::optional(std::move(cover)) : std::nullopt;
}

}  // namespace weir::ledger
