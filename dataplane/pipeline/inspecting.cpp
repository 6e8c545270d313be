// Inspections of an image, joined by rule: a flow is looked at once for all of them.
#include "dataplane/pipeline/inspecting.hpp"

#include <bit>

namespace weir {
namespace {

void join(const image::Inspection& one, WatchWish& wish) {
  for (u32 from = 0; from < 2; ++from) {
    if ((one.ways >> from & 1) == 0) continue;
    wish.sets[from] |= one.sets;
    wish.tensors[from] |= one.tensors != 0;
    wish.opaque[from] |= one.opaque != image::Opaque::allow;
  }
  if (one.on_match != image::OnMatch::alert) wish.ending_sets |= one.sets;
  wish.first_bytes = std::max(wish.first_bytes, one.first_bytes);
}

}  // namespace

void write_wishes(const Policy& policy, std::span<const u64> magics, std::span<WatchWish> wishes) {
  WEIR_CHECK(wishes.size() == policy.rules_count());
  for (u32 rule = 0; rule < wishes.size(); ++rule) {
    const image::Look& look = policy.look(rule);
    WatchWish& wish = wishes[rule] = WatchWish{};
    wish.protocols = look.protocols;
    wish.magics = magics;
    for (u64 left = look.inspections; left != 0; left &= left - 1)
      join(policy.inspections()[static_cast<u32>(std::countr_zero(left))], wish);
  }
}

}  // namespace weir
