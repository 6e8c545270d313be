// Which accounts and limits a packet meets, by its zones and its connection's service. Asked when a flow begins and
// once more when policy changes; never per packet. It counts nothing.
#pragma once
#include "dataplane/policy/policy.hpp"

#include <bit>

namespace weir {

namespace image {

// In how many places bytes of an account may be looked for: the reserves that this traffic may use, the rest, the
// bucket of a throttle, and what one host may have.
inline u32 draws_of(const Budget& budget, const ChargeAccount& one) {
  return static_cast<u32>(std::popcount(one.reserves)) + 1 + (budget.on_exceed == Exceed::throttle) +
         (budget.max_share != 0);
}

}  // namespace image

// Charges of the two directions of a connection, as its first packet sees them.
struct FlowCharges {
  u32 forward;  // bytes from the question's source; and the limits of the connection
  u32 reverse;  // bytes from its target
};

// Trivially copyable; lives as long as the policy. A charge is an index that this policy alone understands.
class Charges {
 public:
  explicit Charges(const Policy& policy) : policy_(policy) {}

  bool any() const { return !view().budgets.empty() || !view().limits.empty(); }
  // Cost: two address lookups and two binary searches.
  FlowCharges of(const Question& question) const;
  // One direction: a frame from `source` on a port of a class, to `target` behind another, of a connection's service.
  // For what no flow carries, such as errors of routers.
  u32 of_way(const Question& service, u16 from_class, const Address& source, u16 to_class, const Address& target) const;
  // Frames without addresses, and frames for no segment, from a port of this class: every budget of whoever is there.
  u32 of_port(u16 port_class) const;

  // The same of who has an address there: a frame from it that is for no segment, such as ARP.
  u32 of_source(u16 port_class, const Address& source) const;

  std::span<const image::ChargeAccount> accounts(u32 charge) const {
    const image::Charge& one = view().charges[checked(charge)];
    return view().charge_accounts.subspan(one.accounts_first, one.accounts_count);
  }
  // The earliest tick after `now` at which a budget begins to refuse that only counted, or the largest Tick.
  Tick next_change(Tick now) const;
  const image::Budget& budget_of(u32 account) const { return view().budgets[view().accounts[account].budget]; }
  std::span<const u32> limits(u32 charge) const {
    const image::Charge& one = view().charges[checked(charge)];
    return view().charge_limits.subspan(one.limits_first, one.limits_count);
  }

 private:
  const image::View& view() const { return policy_.view(); }
  u32 checked(u32 charge) const {
    WEIR_CHECK(charge < view().charges.size());
    return charge;
  }
  u32 source_of(u16 port_class, u32 atom) const;
  u32 target_of(u16 port_class, u32 atom) const;
  u32 find(u32 source, u32 target, u32 column) const;

  Policy policy_;
};

// Whether two covers of services, each sorted by kind and number, share a point.
bool covers_meet(std::span<const image::Cover> a, std::span<const image::Cover> b);
// Whether two covers of sources or targets share a place: both a port and an address. For the keeper of accounts: what
// was spent under one is spent under the other when sources, targets and services all meet.
bool places_meet(std::span<const image::Cover> a, std::span<const image::Cover> b);

}  // namespace weir
