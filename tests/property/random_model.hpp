// Random policies and packets for property tests, drawn from a small world (few addresses, ports and names) so that
// segments overlap, pins collide and statements meet. The same seed gives the same draw on every machine.
#pragma once
#include "tests/property/naive_policy.hpp"

#include <random>

namespace weir::naive {

class Draw {
 public:
  explicit Draw(u64 seed) : engine_(seed) {}
  // 0 .. count - 1
  u64 below(u64 count) { return engine_() % count; }
  bool one_in(u64 count) { return below(count) == 0; }
  u64 bits() { return engine_(); }

 private:
  std::mt19937_64 engine_;
};

control::Model random_model(Draw& draw);
// Budgets and limits over the segments of a model that has none.
void add_budgets(Draw& draw, control::Model& model);
Packet random_packet(Draw& draw, const control::Model& model);
// Around the expiry times that random_model draws.
Tick random_time(Draw& draw);

// The packet as the compiled policy is asked about it.
Question question_of(const Packet& packet, const weir::Policy& policy);
Address address_of(bool is_ipv4, u128 number);

// Sorted, disjoint, not adjacent, as a Model wants them.
void normalise(control::AddressSet& set);

}  // namespace weir::naive
