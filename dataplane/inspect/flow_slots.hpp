// Which slot a flow has, for the few flows that have one: open addressing by the flow's number. It knows nothing of
// flows or slots. Memory is lent: twice as many places as there may be flows, and a power of two of them,
// zeroed.
// Invariants: a flow stands once, at or after its own place without a gap in between. Threads: one.
#pragma once
#include "dataplane/base/bytes.hpp"
#include "dataplane/base/check.hpp"

#include <algorithm>
#include <bit>
#include <span>

namespace weir {

class FlowSlots {
 public:
  static constexpr u32 none = ~u32{0};
  struct Place {
    u32 flow;  // and one; 0: free
    u32 slot;
  };

  static constexpr u32 places_for(u32 flows) { return std::bit_ceil(2 * flows); }

  explicit FlowSlots(std::span<Place> places)
      : places_(places), mask_(static_cast<u32>(places.size()) - 1), shift_(std::countl_zero(mask_)) {
    WEIR_CHECK(std::has_single_bit(places.size()) && places.size() > 1);
  }

  u32 find(u32 flow) const {
    for (u32 at = home(flow + 1);; at = (at + 1) & mask_) {
      if (places_[at].flow == flow + 1) return places_[at].slot;
      if (places_[at].flow == 0) return none;
    }
  }
  // Of a flow that has none.
  void add(u32 flow, u32 slot) {
    WEIR_CHECK(++count_ <= places_.size() / 2);
    u32 at = home(flow + 1);
    while (places_[at].flow != 0) at = (at + 1) & mask_;
    places_[at] = {flow + 1, slot};
  }
  // What stands behind moves up, so that nothing is cut off from its own place.
  void remove(u32 flow) {
    u32 gap = home(flow + 1);
    while (places_[gap].flow != flow + 1) {
      if (places_[gap].flow == 0) return;
      gap = (gap + 1) & mask_;
    }
    --count_;
    for (u32 at = (gap + 1) & mask_; places_[at].flow != 0; at = (at + 1) & mask_) {
      const u32 from_home = (at - home(places_[at].flow)) & mask_, from_gap = (at - gap) & mask_;
      if (from_home < from_gap) continue;
      places_[gap] = places_[at];
      gap = at;
    }
    places_[gap].flow = 0;
  }
  void clear() {
    if (count_ != 0) std::ranges::fill(places_, Place{0, 0});
    count_ = 0;
  }

 private:
  u32 home(u32 key) const { return (key * 0x9e37'79b1u) >> shift_; }

  std::span<Place> places_;
  u32 mask_, count_ = 0;
  int shift_;
};

}  // namespace weir
